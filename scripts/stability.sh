#!/usr/bin/env bash
# Run a study of the stability of deep networks: many short trainings, tables and figures.
#
# usage: scripts/stability.sh [STUDY] [options] [-- fairseq-train flags]
#
#   updates        how far the model moves in its first updates, by depth: the paper's figure
#                  (default)
#   depths         which residual scheme trains at which depth, with the same number of updates:
#                  the paper's Table 1
#   small-batches  what makes a deep model ignore the source, and what prevents it
#   growing        a deep model grown from a shallow one against one from scratch, at equal compute
#
# `scripts/stability.sh STUDY --help` lists the options: depths, residual schemes, seeds, updates,
# config. As many trainings run at a time as there are cores, with one thread each; flags after --
# go to all of them. A training that has finished is not run again. Tables (.md, .csv), figures
# (.png) and a folder per training go to runs/stability/STUDY, the main table to stdout, progress to
# stderr. The text is made from Unicode CLDR (experiments/configs/stability.yaml) unless --config
# names another; it is prepared first if it is missing.
#
# fairseq-train's --stability-interval, --stability-layers and --stability-guard measure any other
# training in the same way.
#
# example: scripts/stability.sh updates --schemes deepnorm pre-ln --depths 6 100 --seeds 1
set -euo pipefail

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  if [[ $# -eq 1 && ($1 == --help || $1 == -h) ]]; then
    print_header "$0"
    exit 0
  fi
  run_module experiments.stability "$0" "$@"
}

main "$@"

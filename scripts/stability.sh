#!/usr/bin/env bash
# Measure how stable deep networks are: how far an update moves them, which residual schemes train at which depth, and what helps.
#
# usage: scripts/stability.sh [STUDY] [options] [-- fairseq-train flags]
#
#   updates        how far the model moves in its first updates, by depth: the paper's figure; what runs if no STUDY is named
#   depths         which residual scheme trains at which depth, with one budget of updates: the paper's Table 1
#   small-batches  what makes a deep model ignore its source, and what prevents it
#   growing        a deep model grown from a shallow one against one from scratch, at equal compute
#
# `scripts/stability.sh STUDY --help` lists the options: depths, residual schemes, seeds, updates, config. A study is many short trainings
# by fairseq-train, as many at a time as there are cores, with a thread each; flags after -- go to all of them. One that has finished is
# not run again. Tables (.md, .csv), figures (.png) and a folder for each training go to runs/stability/STUDY, the main table to stdout,
# progress to stderr. The text is that of experiments/configs/stability.yaml, made from Unicode CLDR, unless --config names another; it is prepared
# first if it is not.
#
# A training of one's own is measured in the same way with fairseq-train's --stability-interval, --stability-layers, --stability-guard.
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

#!/usr/bin/env bash
# Measure how stable deep networks are: how far an update moves them, which residual schemes train at which depth, and what helps.
#
# usage: scripts/stability.sh [STUDY] [options] [-- fairseq-train flags]
#
#   updates (default)   how far the model moves in its first updates, by depth and residual scheme: the paper's figure
#   depths              which residual scheme trains at which depth: the same updates for each
#   small-batches       what makes a deep model fail with small batches, and what prevents it
#   growing             whether a deep model is better grown from a shallow one or trained from scratch, at equal compute
#
# `scripts/stability.sh --help` is this text, `scripts/stability.sh STUDY --help` lists the options. Each study is many short trainings by
# fairseq-train, as many at a time as there are cores, one thread each; those that have finished are not run again. Tables (.md, .csv) and
# figures (.png) go to runs/stability/STUDY, with a folder for each training; the main table to stdout, progress to stderr. The corpus, made from Unicode CLDR, is that
# of configs/stability.yaml, or of any other config with --config, and is prepared if it is not.
#
# example: scripts/stability.sh updates --schemes deepnorm post-ln --depths 6 100 --seeds 1 2 3
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
  run_module stability "$0" "$@"
}

main "$@"

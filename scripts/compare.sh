#!/usr/bin/env bash
# Compare two or more evaluated runs on the same test sets: differences, whether chance explains them, and how many directions win.
#
# usage: scripts/compare.sh RUN_A RUN_B [RUN ...] [options]
#
#   RUN             a config's work_dir that scripts/evaluate.sh has scored, its evaluation folder, or a scores.json; all but the first may
#                   also be a folder with any other system's hypotheses: plain text, one file per direction, such as de-en.en
#   --test NAME     bootstrap (default), randomisation or none: sacrebleu's paired test of every direction
#   --samples N     how many samples it draws (default: sacrebleu's own, 1000 and 10000)
#   --metrics M...  what is tested: some of BLEU, BLEU-lang, chrF, chrF++, spBLEU (with its model where sacrebleu keeps it); the first one
#                   decides about wins (default: BLEU)
#   --examples N    sentences shown, from the directions with the highest and lowest differences (default: 8)
#   --workers N     processes (default: 1)
#   --output DIR    where to write (default: runs/comparisons/ and the names)
#
# RUN_A is the baseline that all others are compared with, on the directions that all have. A table goes to stdout; comparison.json,
# comparison.md, comparison.html and comparison.png go to DIR.
#
# example: scripts/compare.sh runs/post_ln runs/deepnet --workers 2
set -euo pipefail

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  check_call "$0" "$@"
  [[ -e $1 ]] || fail "$1: no such run"
  run_module compare "$0" "$@"
}

main "$@"

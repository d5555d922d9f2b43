#!/usr/bin/env bash
# Translate every test set of a config with its trained model, score the translations, and report.
#
# usage: scripts/evaluate.sh CONFIG [options] [fairseq-generate flags]
#
#   CONFIG               a YAML file that scripts/train.sh has trained
#   --checkpoint FILE    evaluate this one, instead of the average of the newest ones
#                        (evaluation.average_checkpoints)
#   --hypotheses FOLDER  score another system's translations: plain text, one file per direction,
#                        such as de-en.en; needs --output
#   --output FOLDER      for the results (default: evaluation/ in the config's work_dir)
#   --workers N          processes that translate, one model each (default: one per GPU, else one)
#
# Every pair is translated in both directions, zero-shot pairs too, with one model load. All other
# flags go to fairseq's search and win over the config's. The fairseq-generate command that gives the
# same translations of one direction is printed. If there is a GPU, it is used. The table goes to
# stdout; report.html, scores.md, scores.tsv, scores.json, heat_map.png and hypotheses/ go to FOLDER.
# Directions that the same checkpoint and flags have translated before are not translated again: to
# resume an interrupted run, run it again.
#
# example: scripts/evaluate.sh configs/cldr/cldr_quickstart.yaml --beam 1
set -euo pipefail

# glibc returns large blocks, such as the log-probabilities of a batch, to the kernel when they are
# freed, and the kernel clears the same pages anew for every step of the search: about a sixth of the
# time of translation on a CPU. With these thresholds, freed memory is kept; other C libraries ignore
# them.
export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-2147483647}
export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-2147483647}

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_command evaluate "$0" "$@"
}

main "$@"

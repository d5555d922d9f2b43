#!/usr/bin/env bash
# Translate every test set of a config with its trained model, and score the translations.
#
# usage: scripts/evaluate.sh CONFIG [--checkpoint FILE] [fairseq-generate flags]
#
#   CONFIG             a YAML file that scripts/train.sh has trained
#   --checkpoint FILE  evaluate this one, instead of the mean of the newest ones (evaluation.average_checkpoints)
#
# Every pair in both directions, zero-shot pairs too. Flags after CONFIG go to fairseq-generate as they are and win over the config's.
# Each fairseq-generate command is printed before it runs. A GPU is used when there is one. The table of BLEU and chrF goes to stdout,
# and with hypotheses, signatures and versions to evaluation/ in the config's work_dir. Directions that are translated already, by the
# same checkpoint and flags, are not translated again: an interrupted run is just run again.
#
# example: scripts/evaluate.sh configs/cldr_quickstart.yaml --beam 1
set -euo pipefail

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_command evaluate "$0" "$@"
}

main "$@"

#!/usr/bin/env bash
# Train the model of a config, or go on training it from its last checkpoint.
#
# usage: scripts/train.sh CONFIG [--dry-run] [fairseq-train flags]
#
#   CONFIG      a YAML file that scripts/prepare.sh has prepared
#   --dry-run   print the fairseq-train command and stop
#
# Flags after CONFIG go to fairseq-train as they are and win over the config's. The whole fairseq-train command is printed before it
# runs. A GPU is used when there is one. Checkpoints and train.log go to the config's work_dir. An interrupted training goes on from its
# last checkpoint; a finished one is left as it is.
#
# example: scripts/train.sh configs/cldr_quickstart.yaml --seed 2
set -euo pipefail

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_command train "$0" "$@"
}

main "$@"

#!/usr/bin/env bash
# Make what training needs: a config's corpus, its vocabulary and fairseq's binary data.
#
# usage: scripts/prepare.sh CONFIG [--workers N]
#
#   CONFIG       a YAML file, such as configs/cldr_quickstart.yaml
#   --workers N  processes that fairseq-preprocess uses (default: 1)
#
# Writes corpus/, vocabulary/ and data-bin/ into the config's work_dir, and a table of lines per pair to stdout. Each fairseq-preprocess
# command is printed before it runs. A finished step is skipped; one whose config has changed is made anew, unless checkpoints were
# trained on it. A folder appears only when it is whole, so an interrupted run is just run again.
#
# example: scripts/prepare.sh configs/cldr_quickstart.yaml
set -euo pipefail

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_command prepare "$0" "$@"
}

main "$@"

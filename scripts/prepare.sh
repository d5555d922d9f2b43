#!/usr/bin/env bash
# Make a config's corpus, its vocabulary and fairseq's binary data. --help lists the options.
set -euo pipefail

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_module deepnet_fairseq.commands.prepare "$0" "$@"
}

main "$@"

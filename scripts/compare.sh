#!/usr/bin/env bash
# Compare two or more evaluated runs on the same test sets. --help lists the options.
set -euo pipefail

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_module deepnet_fairseq.commands.compare "$0" "$@"
}

main "$@"

#!/usr/bin/env bash
# Train the model of a config, or resume its training. --help lists the options.
set -euo pipefail

main() {
  local root
  # SIGUSR1 would end what runs before fairseq-train listens to it; what is ignored here is ignored
  # there.
  trap '' USR1
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_module deepnet_fairseq.commands.train "$0" "$@"
}

main "$@"

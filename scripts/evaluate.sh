#!/usr/bin/env bash
# Translate a config's test sets with its trained model, score and report. --help lists the options.
set -euo pipefail

# glibc returns large blocks, such as the log-probabilities of a batch, to the kernel when they are
# freed, and the kernel clears the same pages anew for every step of the search: about a sixth of
# the time of translation on a CPU. With these thresholds, freed memory is kept; other C libraries
# ignore them. scripts/entry.py does the same for deepnet-evaluate.
export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-2147483647}
export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-2147483647}

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_module deepnet_fairseq.commands.evaluate "$0" "$@"
}

main "$@"

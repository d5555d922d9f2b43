#!/usr/bin/env bash
# From nothing to a deep multilingual model that translates: set up, prepare, train and evaluate
# configs/cldr/cldr_quickstart.yaml.
#
# usage: scripts/quickstart.sh
#
# Takes seven to nine minutes on two CPU cores. Needs a package index, a C++ compiler, and no other
# network. After an interruption, run it again: it resumes.
set -euo pipefail

main() {
  local root config=configs/cldr/cldr_quickstart.yaml
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  if [[ $# -gt 0 ]]; then
    [[ $1 == --help || $1 == -h ]] && print_header "$0" && exit 0
    print_header "$0" >&2
    exit 2
  fi
  cd "$root"
  export PYTHON=$root/.venv/bin/python # what setup.sh makes, whatever is set outside
  step "setup" scripts/setup.sh
  step "prepare" scripts/prepare.sh "$config"
  step "train" scripts/train.sh "$config"
  step "evaluate" scripts/evaluate.sh "$config"
  say "Done in $((SECONDS / 60)) min $((SECONDS % 60)) s." \
    "Results are in runs/cldr_quickstart:" \
    "corpus/, vocabulary/, data-bin/, checkpoints/, evaluation/."
}

say() {
  printf '\n== %s\n' "$*" >&2
}

# Run a command under a heading, and say how long it took.
step() {
  local name=$1 start=$SECONDS
  shift
  say "$name: $*"
  "$@"
  say "$name took $((SECONDS - start)) s"
}

main "$@"

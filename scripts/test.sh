#!/usr/bin/env bash
# Run all checks: the tests, ruff over Python, shellcheck over shell. Sets the project up first if
# necessary.
#
# usage: scripts/test.sh [pytest arguments]
#
# The default tests take a few minutes on two cores, without network. Arguments go to pytest:
#   scripts/test.sh -m slow          the tests that take minutes each
#   scripts/test.sh -m gpu           those that need a CUDA device
#   scripts/test.sh tests/network    one folder
set -euo pipefail

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    print_header "$0"
    exit 0
  fi
  cd "$root"
  "$root/scripts/setup.sh" --with-tests
  # Two pytest processes with one thread each: more threads would only wait for one another.
  export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
  .venv/bin/ruff check .
  .venv/bin/ruff format --check .
  .venv/bin/shellcheck -x scripts/*.sh scripts/slurm/*.sbatch .ci/run
  .venv/bin/python -m pytest -n 2 --dist loadfile "$@"
}

main "$@"

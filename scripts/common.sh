# Shared by the scripts that run a Python module of the project; sourced, not run.
# shellcheck shell=bash

# Print the header comment of the script $1: its --help.
print_header() {
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$1"
}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# The Python of the project in $1: $PYTHON if set, else the one that scripts/setup.sh made.
find_python() {
  local python=${PYTHON:-$1/.venv/bin/python}
  [[ -x $(command -v "$python") ]] ||
    fail "$python: no such Python; run scripts/setup.sh, or set PYTHON"
  printf '%s\n' "$python"
}

# run_module MODULE SCRIPT ARGUMENTS...: python -m MODULE ARGUMENTS
run_module() {
  local name=$1 script=$2 root python
  shift 2
  root=$(cd "$(dirname "$script")/.." && pwd)
  python=$(find_python "$root")
  PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m "$name" "$@"
}

# Shared by the scripts that hand a config to the Python package; sourced, not run.
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
  [[ -x $(command -v "$python") ]] || fail "$python: no such Python; run scripts/setup.sh, or set PYTHON"
  printf '%s\n' "$python"
}

# run_command NAME SCRIPT ARGUMENTS...: python -m deepnet_fairseq.commands.NAME ARGUMENTS, behind --help and a usage check.
run_command() {
  local name=$1 script=$2 root python
  shift 2
  if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    print_header "$script"
    exit 0
  fi
  if [[ $# -eq 0 || $1 == -* ]]; then
    print_header "$script" >&2
    exit 2
  fi
  [[ -f $1 ]] || fail "$1: no such config"
  root=$(cd "$(dirname "$script")/.." && pwd)
  python=$(find_python "$root")
  PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m "deepnet_fairseq.commands.$name" "$@"
}

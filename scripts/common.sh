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

# check_call SCRIPT ARGUMENTS...: answer --help, and a call that does not begin with a file or folder with the usage.
check_call() {
  local script=$1
  shift
  if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    print_header "$script"
    exit 0
  fi
  if [[ $# -eq 0 || $1 == -* ]]; then
    print_header "$script" >&2
    exit 2
  fi
}

# run_module MODULE SCRIPT ARGUMENTS...: python -m MODULE ARGUMENTS
run_module() {
  local name=$1 script=$2 root python
  shift 2
  root=$(cd "$(dirname "$script")/.." && pwd)
  python=$(find_python "$root")
  PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m "$name" "$@"
}

# run_command NAME SCRIPT CONFIG ARGUMENTS...: the same behind --help, a usage check and one that the config is there.
run_command() {
  check_call "${@:2}"
  [[ -f $3 ]] || fail "$3: no such config"
  run_module "deepnet_fairseq.commands.$1" "${@:2}"
}

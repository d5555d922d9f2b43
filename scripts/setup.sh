#!/usr/bin/env bash
# Make a virtual environment in which everything of this project runs: fairseq 0.12.2+deepnet.2,
# torch, this package.
#
# usage: scripts/setup.sh [--python PYTHON] [--venv DIR] [--with-tests]
#
#   --python PYTHON   Python 3.10 to 3.13 to make the environment with (default: the first one on
#                     the PATH)
#   --venv DIR        the environment, made if it is not there (default: .venv beside scripts/)
#   --with-tests      also what scripts/test.sh needs
#
# fairseq's wheel is built from PyPI's source distribution with the patches of scripts/patches/,
# which takes a C++ compiler, and git or patch. If the environment has torch 2.6 or newer, it stays;
# else torch 2.13.0 is installed, from wherever pip is configured to get it. The script may be
# interrupted and run again at any time; if nothing is left to do, it takes a second.
#
# To install into an environment of your own instead: pip install this folder, then deepnet-setup.
#
# example: scripts/setup.sh --python python3.12 && source .venv/bin/activate
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root

log() { printf 'setup: %s\n' "$*" >&2; }

fail() {
  printf 'setup.sh: %s\n' "$*" >&2
  exit 1
}

print_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

wrong_call() {
  printf 'setup.sh: %s\n\n' "$1" >&2
  print_help >&2
  exit 2
}

is_supported() {
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' 2> /dev/null
}

# choose_python NAMED VENV: print the Python to use: the one named, else the environment's own, else
# the first on the PATH.
choose_python() {
  local named=$1 venv=$2 name
  if [[ -n $named ]]; then
    is_supported "$named" || fail "--python $named: not a Python of version 3.10 to 3.13"
    if [[ -x $venv/bin/python && $(version_of "$named") != $(version_of "$venv/bin/python") ]]; then
      fail "$venv was made with $(version_of "$venv/bin/python"), not $(version_of "$named"):" \
        "remove it, or name another one with --venv"
    fi
    printf '%s\n' "$named"
    return
  fi
  if [[ -x $venv/bin/python ]]; then
    is_supported "$venv/bin/python" ||
      fail "$venv was made with $(version_of "$venv/bin/python"), 3.10 to 3.13 is needed: remove it"
    printf '%s\n' "$venv/bin/python"
    return
  fi
  for name in python3 python3.13 python3.12 python3.11 python3.10; do
    if is_supported "$name"; then
      command -v "$name"
      return
    fi
  done
  fail "no Python 3.10 to 3.13 on the PATH: name one with --python"
}

version_of() { "$1" -c 'import platform; print("Python", platform.python_version())'; }

# environment VENV ARGUMENTS...: ask scripts/environment.py about the environment.
environment() { "$1/bin/python" "$root/scripts/environment.py" "${@:2}"; }

# make_venv PYTHON VENV: make the environment, or finish making it.
make_venv() {
  local python=$1 venv=$2 unfinished=$2/.deepnet-venv-unfinished
  if [[ -x $venv/bin/python && ! -e $unfinished ]]; then
    "$venv/bin/python" -m pip --version > /dev/null 2>&1 ||
      fail "$venv has no pip: run $venv/bin/python -m ensurepip"
    return
  fi
  if [[ ! -e $unfinished && ! -e $venv/pyvenv.cfg && -n $(ls -A "$venv" 2> /dev/null) ]]; then
    fail "$venv exists and is no virtual environment: name another one with --venv"
  fi
  log "making the environment $venv with $(version_of "$python")"
  mkdir -p "$venv"
  : > "$unfinished"
  # In two steps; each of them completes what an interrupted run left.
  "$python" -m venv --without-pip "$venv" >&2 || fail "$python -m venv $venv failed"
  environment "$venv" repair
  "$venv/bin/python" -m ensurepip --upgrade --default-pip > /dev/null ||
    fail "$python has no ensurepip (Debian: apt install python3-venv)"
  rm -f "$unfinished"
}

# install VENV [--with-tests]: build fairseq, and install it with everything else.
install() {
  local venv=$1 tests=${2:-} interrupted=$1/.deepnet-install-unfinished
  [[ ! -e $interrupted ]] || environment "$venv" repair
  : > "$interrupted"
  "$venv/bin/python" "$root/scripts/install.py" --build-dir "$root/build/fairseq" \
    --editable "$root${tests:+[test]}"
  # The user's own packages may clash in an environment that was there before; the user decides.
  "$venv/bin/python" -m pip check --disable-pip-version-check >&2 ||
    log "warning: packages in $venv do not fit together, see above"
  environment "$venv" record "$root" ${tests:+"$tests"}
  rm -f "$interrupted"
}

main() {
  local python='' venv=$root/.venv tests=''
  while [[ $# -gt 0 ]]; do
    case $1 in
      --help | -h)
        print_help
        exit 0
        ;;
      --with-tests) tests=$1 ;;
      --python | --venv)
        [[ -n ${2:-} ]] || wrong_call "$1 needs a value"
        if [[ $1 == --python ]]; then python=$2; else venv=$2; fi
        shift
        ;;
      *) wrong_call "unknown argument: $1" ;;
    esac
    shift
  done
  python=$(choose_python "$python" "$venv")
  if [[ -x $venv/bin/python ]] && environment "$venv" current "$root" ${tests:+"$tests"}; then
    log "$venv is up to date"
    exit 0
  fi
  "$python" "$root/scripts/build_fairseq.py" --output "$root/build/fairseq" --check
  make_venv "$python" "$venv"
  install "$venv" "$tests"
  log "done; now: source $venv/bin/activate"
}

main "$@"

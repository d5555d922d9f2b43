#!/usr/bin/env bash
# Measure speed and memory, side by side with stock fairseq in the same run where it has the task.
#
# usage: scripts/benchmark.sh NAME [options]
#
#   binarize   text to binary data, against spm_encode + fairseq-preprocess and bare SentencePiece
#   decoding   many directions from one model load, against one fairseq-generate per direction;
#              takes a trained config
#   opus100    prepare.sh on archives of OPUS-100's shape, a tenth of its size or all of it
#   sampler    setting up an epoch of OPUS-100's 110 million directed examples, against
#              translation_multi_simple_epoch
#
# `scripts/benchmark.sh NAME --help` lists the options. A table goes to stdout, progress to stderr;
# temporary files go to $TMPDIR and are removed at the end. The numbers are meaningful only on an
# otherwise idle machine.
#
# example: scripts/benchmark.sh binarize --lines 300000 --threads 2
set -euo pipefail

main() {
  local root python
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  case ${1:-} in
    --help | -h)
      print_header "$0"
      exit 0
      ;;
    binarize | decoding | opus100 | sampler) ;;
    *)
      print_header "$0" >&2
      exit 2
      ;;
  esac
  python=$(find_python "$root")
  PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m "benchmarks.$1" "${@:2}"
}

main "$@"

#!/usr/bin/env bash
# Make what training needs: a config's corpus, its vocabulary and fairseq's binary data.
#
# usage: scripts/prepare.sh CONFIG [--workers N] [--download-dir DIR] [--source-dir DIR] [--cluster local|slurm [--cluster-option NAME=VALUE]...]
#
#   CONFIG              a YAML file, such as configs/opus100/opus100_12l.yaml
#   --workers N         processes; with --cluster slurm, jobs at a time, if more than 1 (default: 1)
#   --download-dir DIR  where downloads are kept (default: ./downloads)
#   --source-dir DIR    published files that were fetched by other means; they are checked, and stay where they are
#   --cluster KIND      spread the language pairs over a cluster's machines with submitit; `local` does the same on this machine,
#                       all pairs at once, to try it out
#   --cluster-option NAME=VALUE   one of submitit's, such as slurm_partition=cpu or timeout_min=240; repeatable
#
# Writes corpus/, vocabulary/, data-bin/, cleaning.tsv (what each filter dropped, by pair) and manifest.json (sources with checksums,
# filters, counts, versions) into the config's data_dir, which is its work_dir unless it says otherwise, and a table of lines per pair to
# stdout. A finished step is skipped; one whose config has changed is made anew, unless a training may have used it. A folder appears only
# when it is whole, and an interrupted run, run again, goes on at the language pair it was at. Broken downloads are resumed.
#
# example: scripts/prepare.sh configs/opus100/opus100_12l.yaml --workers 16
set -euo pipefail

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  # shellcheck source=scripts/common.sh
  source "$root/scripts/common.sh"
  run_command prepare "$0" "$@"
}

main "$@"

"""Speed and memory, measured against stock fairseq in the same run: what scripts/benchmark.sh runs."""

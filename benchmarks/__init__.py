"""Benchmarks of speed and memory, against stock fairseq in the same run."""

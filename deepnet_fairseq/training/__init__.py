"""How it learns under fairseq-train: sampling, batches, and when to stop."""

"""Test sentences in, hypotheses out: one plain file per direction, as any system can write it."""

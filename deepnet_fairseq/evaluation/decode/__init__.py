"""Test sentences in, hypotheses out: plain files, one per direction, that any other system's can take the place of."""

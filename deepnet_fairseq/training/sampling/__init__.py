"""Epochs and batches of a multilingual corpus, set up in little memory."""

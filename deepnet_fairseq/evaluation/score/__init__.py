"""Hypotheses and references in, numbers out; knows nothing of models."""

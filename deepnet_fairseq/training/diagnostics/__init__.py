"""Measurements inside fairseq-train: how far an update moves the model, and collapse."""

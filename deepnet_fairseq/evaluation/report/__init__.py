"""Numbers in, files that people and programs read out."""

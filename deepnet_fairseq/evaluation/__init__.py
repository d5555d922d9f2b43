"""From checkpoints to a table of scores: decode every direction, score, report, compare."""

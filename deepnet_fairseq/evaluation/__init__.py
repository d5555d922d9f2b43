"""From checkpoints to a table of scores: average, decode every direction, score, report."""


class EvaluationError(ValueError):
    """A checkpoint, hypothesis or reference that cannot be used. The message names it and says what to do."""

"""When a training is past saving: the signs, and what to say."""

import math
from typing import Optional

# A single update that changes the model's output by this share of its size; in sound trainings it is a few percent at most.
OVERTURNED = 0.5
# A model has looked at its source once that was worth so much, in bits per token …
LOOKED = 0.5
# … and no longer looks if it is worth less than this share of the most it ever was, so many measurements in a row.
FORGOTTEN, IN_A_ROW = 0.1, 3


class Guard:
    """Looks at the measurements of one training, in their order, and keeps a complaint once there is one."""

    def __init__(self) -> None:
        self.complaint: Optional[str] = None
        self._best = (-math.inf, 0)  # the largest source gap, and after which update
        self._bad = 0

    def heed(self, update: int, model_step: float, source_gap: float) -> None:
        """Take in what was measured at an update (`probe`)."""
        if not math.isfinite(model_step) or model_step > OVERTURNED:
            self.complaint = (
                f"stopped at update {update}: this single update changed the model's output by {model_step:.0%} of its size (limit "
                f"{OVERTURNED:.0%}). {self._advice(update)}"
            )
        if source_gap > self._best[0]:
            self._best = (source_gap, update)
        gap, when = self._best
        self._bad = self._bad + 1 if gap >= LOOKED and source_gap < FORGOTTEN * gap else 0
        if self._bad >= IN_A_ROW and self.complaint is None:
            self.complaint = (
                f"stopped at update {update}: the model no longer looks at its source, which is worth {source_gap:.2f} bits per token, and "
                f"was {gap:.2f} at update {when}. {self._advice(when)}"
            )

    @staticmethod
    def _advice(update: int) -> str:
        return (
            f"Checkpoints are as they were: go on from one of before update {update} with --restore-file and half the learning rate, or "
            "start again with more warm-up or larger batches"
        )

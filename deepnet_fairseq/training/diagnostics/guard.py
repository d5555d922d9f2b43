"""When a training is past saving: the signs, and what to say.

The signs were measured in `small_batches`. A deep encoder that is trained too fast first learns to give the same for every token, since all
that the decoder then learns of it are the frequencies of words. From there no gradient leads back to the source: the loss goes on falling,
to that of a language model, and BLEU stays 0.
"""

import math
from typing import Optional

# A single update that changes the model's output by this share of its size; in sound trainings it is 10 to 25 percent at most.
OVERTURNED = 0.5
# An encoder whose output differs so little from token to token (`probe.spread`), so many measurements in a row; in sound trainings it
# has been seen to fall to 0.002, and to rise again.
COLLAPSED, IN_A_ROW = 1e-3, 3
# A model has looked at its source once that was worth so much, in bits per token …
LOOKED = 0.5
# … and no longer looks if it is worth less than this share of the most it ever was, as many measurements in a row.
FORGOTTEN = 0.1


class Guard:
    """Looks at the measurements of one training, in their order, and keeps a complaint once there is one."""

    def __init__(self) -> None:
        self.complaint: Optional[str] = None
        self._best = (-math.inf, 0)  # the largest source gap, and after which update
        self._collapsed = self._forgotten = 0  # measurements in a row
        self._sound: Optional[int] = None  # the last update at which nothing was wrong

    def heed(
        self, update: int, model_step: float, source_gap: float, encoder_spread: float
    ) -> None:
        """Take in what was measured at an update (`probe`)."""
        self._collapsed = self._collapsed + 1 if encoder_spread < COLLAPSED else 0
        gap, when = self._best = max(self._best, (source_gap, update))
        self._forgotten = (
            self._forgotten + 1 if gap >= LOOKED and source_gap < FORGOTTEN * gap else 0
        )
        overturned = not math.isfinite(model_step) or model_step > OVERTURNED
        if overturned:
            self._complain(
                update,
                f"this single update changed the model's output by {model_step:.0%} of its size (limit {OVERTURNED:.0%})",
            )
        elif self._forgotten >= IN_A_ROW:
            worth = f"which is worth {source_gap:.2f} bits per token, and was {gap:.2f} at update {when}"
            self._complain(update, f"the model no longer looks at its source, {worth}")
        elif self._collapsed >= IN_A_ROW:
            spread = f"spread {encoder_spread:.1g}, limit {COLLAPSED:g}"
            self._complain(
                update,
                f"the encoder gives almost the same for every token ({spread}): the model cannot look at its source",
            )
        elif not self._collapsed and not self._forgotten:
            self._sound = update

    def _complain(self, update: int, what: str) -> None:
        go_on = (
            ""
            if self._sound is None
            else f", or go on with these from a checkpoint of update {self._sound} or before by --restore-file"
        )
        self.complaint = self.complaint or (
            f"stopped at update {update}: {what}. Start again with a longer --warmup-updates, a larger --adam-eps such as 1e-4 or half the "
            f"--lr{go_on}. Checkpoints are as they were"
        )

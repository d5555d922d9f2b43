"""Stops a training that cannot recover.

A deep encoder that is trained too fast collapses: its output becomes the same for every token,
because at first the decoder learns word frequencies alone. After that hardly any gradient reaches
the source. The loss still falls, to that of a language model, and BLEU stays 0. The thresholds come
from the study `experiments/small_batches.py`.
"""

import math
from typing import Optional

# Largest relative change of the model's output by one update; healthy trainings stay below 0.25.
MAX_MODEL_STEP = 0.5
# The encoder has collapsed if its token variance ratio stays below this for PATIENCE measurements
# in a row. Healthy trainings have been seen to fall to 0.002 and to rise again.
MIN_TOKEN_VARIANCE_RATIO, PATIENCE = 1e-3, 3
# A model has used the source once its shuffled-source NLL gap reached this, in bits per token …
MIN_GAP = 0.5
# … and no longer uses it if the gap stays below this share of its maximum, also PATIENCE times.
MIN_GAP_SHARE = 0.1


class Guard:
    """Checks the measurements of one training in their order; `complaint` is set at most once."""

    def __init__(self) -> None:
        self.complaint: Optional[str] = None
        self._maximum = (-math.inf, 0)  # the largest gap, and the update at which it was measured
        self._collapsed = self._unused = 0  # measurements in a row
        self._healthy: Optional[int] = None  # the last update without any sign of trouble

    def update(
        self, update: int, model_step: float, nll_gap: float, token_variance_ratio: float
    ) -> None:
        """Check what `probe` measured after an update.

        Args:
            update: its number.
            model_step: relative change of the model's output by this update.
            nll_gap: the shuffled-source NLL gap in bits per token, NaN if not measured.
            token_variance_ratio: that of the encoder's output.
        """
        collapsed = token_variance_ratio < MIN_TOKEN_VARIANCE_RATIO
        self._collapsed = self._collapsed + 1 if collapsed else 0
        maximum, when = self._maximum = max(self._maximum, (nll_gap, update))
        unused = maximum >= MIN_GAP and nll_gap < MIN_GAP_SHARE * maximum
        self._unused = self._unused + 1 if unused else 0
        if not math.isfinite(model_step) or model_step > MAX_MODEL_STEP:
            self._complain(
                update,
                f"this single update changed the model's output by {model_step:.0%} of its size "
                f"(limit {MAX_MODEL_STEP:.0%})",
            )
        elif self._unused >= PATIENCE:
            self._complain(
                update,
                "the model no longer uses the source (shuffled-source NLL gap "
                f"{nll_gap:.2f} bits per token, {maximum:.2f} at update {when})",
            )
        elif self._collapsed >= PATIENCE:
            self._complain(
                update,
                "the encoder collapsed: its output is almost the same for every token (token "
                f"variance ratio {token_variance_ratio:.1g}, limit {MIN_TOKEN_VARIANCE_RATIO:g})",
            )
        elif not self._collapsed and not self._unused:
            self._healthy = update

    def _complain(self, update: int, reason: str) -> None:
        if self.complaint is not None:
            return
        resume = ""
        if self._healthy is not None:
            resume = (
                f", or resume with these from a checkpoint of update {self._healthy} or before "
                "by --restore-file"
            )
        self.complaint = (
            f"stopped at update {update}: {reason}. Start again with a longer --warmup-updates, a "
            f"larger --adam-eps such as 1e-4 or half the --lr{resume}. Existing checkpoints are "
            "unchanged"
        )

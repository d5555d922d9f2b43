"""What became of a training: it learns, it diverged, or the run itself failed, which says nothing about the model."""

import math
import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional

import numpy as np
from fairseq.data import Dictionary, data_utils

from deepnet_fairseq.data.binarize import binary_prefix
from deepnet_fairseq.evaluation.reporting.training_log import Curve, read_curves
from deepnet_fairseq.recipe import Recipe
from deepnet_fairseq.stability import measurements
from deepnet_fairseq.stability.trials import Outcome

LEARNS, DIVERGED, FAILED = "learns", "diverged", "failed"
# A model has learnt something of its sentences if it is so much better than word frequencies are, in bits per token …
BETTER_THAN_FREQUENCIES = 0.25
# … and has lost it again if it ends so much above its own best.
LOST = 1.0
# fairseq's own words for numbers that are no longer finite
_NOT_FINITE = re.compile(r"gradients are Nan/Inf|Minimum loss scale reached|Function '\w+' returned nan")
_GUARDED = re.compile(r"stopped at update \d+: .*")
_MOST_LINES = 100_000  # of training text in each direction: enough for frequencies


@dataclass
class Verdict:
    """kind is one of the three; reason says why in a few words; nll is the last of validation, in bits per token."""

    kind: str
    reason: str = ""
    nll: float = math.nan
    curve: Curve = field(default_factory=dict)  # validation nll by update
    source_gap: float = math.nan  # what the source is worth at the end, in bits per token (`probe.Outputs`); NaN if not measured
    largest_step: float = math.nan  # of the measured single updates' changes of the output; NaN if not measured

    @property
    def cell(self) -> str:
        """What stands in a table: the loss, D for diverged, F for a failed run."""
        return {LEARNS: f"{self.nll:.2f}", DIVERGED: "D", FAILED: "F"}[self.kind]


def judge(outcome: Outcome, updates: int, frequencies: float) -> Verdict:
    """Judge a training that was to take so many updates; frequencies is what `unigram_nll` gives for its corpus."""
    curve = read_curves(outcome.log).validation_nll
    held = outcome.measurements()
    gaps, steps = ([m.value for m in held if m.quantity == name] for name in (measurements.SOURCE_GAP, measurements.MODEL_STEP))
    nll = list(curve.values())[-1] if curve else math.nan

    def verdict(kind: str, reason: str = "") -> Verdict:
        return Verdict(kind, reason, nll, curve, gaps[-1] if gaps else math.nan, max(steps, default=math.nan))

    if outcome.status:
        output = outcome.output
        guarded = _GUARDED.search(output)
        if guarded:
            return verdict(DIVERGED, guarded[0])
        if _NOT_FINITE.search(output):
            return verdict(DIVERGED, "not finite")
        last = (output.strip().splitlines() or ["no output"])[-1]
        return verdict(FAILED, f"exit status {outcome.status}: {last[:200]}")
    if max(curve, default=0) < updates:
        return verdict(FAILED, f"ended after {max(curve, default=0)} of {updates} updates")
    if not all(map(math.isfinite, curve.values())):
        return verdict(DIVERGED, "not finite")
    if nll > min(curve.values()) + LOST:
        return verdict(DIVERGED, f"lost what it knew: {min(curve.values()):.2f} at its best")
    if nll > frequencies - BETTER_THAN_FREQUENCIES:
        return verdict(DIVERGED, "no better than word frequencies")
    return verdict(LEARNS)


def unigram_nll(recipe: Recipe, subset: str = "valid") -> float:
    """Bits per token of a subset's target sides under the frequencies of the training text: all that a model knows which sees nothing.

    Counts are those of the recipe's directions, with one added to each piece.
    """
    dictionary = Dictionary.load(str(recipe.dictionaries[0]))
    trained, wanted = (np.zeros(len(dictionary), np.int64) for _ in range(2))
    for direction in recipe.directions:
        source, target = direction.split("-")
        trained += _counts(recipe, "train", source, target, dictionary)
        wanted += _counts(recipe, subset, source, target, dictionary)
    probabilities = (trained + 1) / (trained + 1).sum()
    return float(-(wanted * np.log2(probabilities)).sum() / wanted.sum())


def _counts(recipe: Recipe, subset: str, source: str, target: str, dictionary: Dictionary) -> np.ndarray:
    """How often each piece stands in a direction's targets, the ends of sentences included; in all shards of training text."""
    counts = np.zeros(len(dictionary), np.int64)
    for folder in recipe.data_folders:
        prefix = binary_prefix(folder, tuple(sorted((source, target))), subset, target)
        data = data_utils.load_indexed_dataset(str(prefix), dictionary)
        if data is None:  # a pair that is cut into fewer shards, or a direction without a dev set
            continue
        for i in range(min(len(data), _MOST_LINES // len(recipe.data_folders))):
            counts += np.bincount(data[i], minlength=len(dictionary))
    return counts


def summary(verdicts: List[Verdict]) -> str:
    """One cell for several seeds: the mean loss, and how many diverged or failed if any did."""
    learnt = [v.nll for v in verdicts if v.kind == LEARNS]
    marks = "".join(f" {count}{kind[0].upper()}" for kind, count in _count(verdicts).items() if kind != LEARNS)
    if not learnt:
        return marks.strip().lstrip("1") if len(verdicts) == 1 else marks.strip()
    return f"{sum(learnt) / len(learnt):.2f}{marks}"


def _count(verdicts: List[Verdict]) -> Dict[str, int]:
    kinds: Dict[str, int] = {}
    for v in verdicts:
        kinds[v.kind] = kinds.get(v.kind, 0) + 1
    return kinds


def first_failure(verdicts: Dict[str, Verdict]) -> Optional[str]:
    """The first trial whose run failed, and why."""
    return next((f"{name}: {v.reason}" for name, v in verdicts.items() if v.kind == FAILED), None)

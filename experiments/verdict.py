"""What became of a training: it learns, it diverged, or the run itself failed, which says nothing about the model."""

import math
from dataclasses import dataclass, field
from typing import List

import numpy as np
from fairseq.data import Dictionary, data_utils

from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.binarize import binary_prefix
from deepnet_fairseq.evaluation.report.training_log import EPOCH, Curve, parse_line, read_curves
from deepnet_fairseq.training.diagnostics import measurements
from experiments.trials import GUARDED, NOT_FINITE, Outcome

LEARNS, DIVERGED, FAILED = "learns", "diverged", "failed"
# A model has learnt something of its sentences if it is so much better than word frequencies are, in bits per token …
BETTER_THAN_FREQUENCIES = 0.25
# … and has lost it again if it ends so much above its own best.
LOST = 1.0
# A source that is worth so much at the end, in bits per token, is looked at; a model that does not is a language model.
LOOKS = 0.05
_MOST_LINES = 100_000  # of training text in each direction: enough for frequencies


@dataclass
class Verdict:
    """kind is one of the three; reason says why in a few words; nll is the last of validation, in bits per token."""

    kind: str
    reason: str = ""
    nll: float = math.nan
    curve: Curve = field(default_factory=dict)  # validation nll by update
    source_gap: float = math.nan  # what the source is worth at the end, in bits per token (`probe.Outputs`); NaN if not measured
    encoder_spread: float = (
        math.nan
    )  # how much the encoder's output differs from token to token at the end (`probe.spread`)
    largest_step: float = (
        math.nan
    )  # of the measured single updates' changes of the output; NaN if not measured

    @property
    def looks(self) -> bool:
        """Whether the model uses its source; True, too, if that was not measured."""
        return not self.source_gap < LOOKS


def judge(outcome: Outcome, updates: int, frequencies: float) -> Verdict:
    """Judge a training that was to take so many updates; frequencies is what `unigram_nll` gives for its corpus.

    Raises DataError for measurements that cannot be read.
    """
    curve = read_curves(outcome.log).validation_nll
    held = outcome.measurements()
    last = {m.quantity: m.value for m in held if m.stack == "model"}
    steps = [m.value for m in held if m.quantity == measurements.MODEL_STEP]
    nll = list(curve.values())[-1] if curve else math.nan

    def verdict(kind: str, reason: str = "") -> Verdict:
        gap, spread = (
            last.get(name, math.nan)
            for name in (measurements.SOURCE_GAP, measurements.ENCODER_SPREAD)
        )
        return Verdict(kind, reason, nll, curve, gap, spread, max(steps, default=math.nan))

    if outcome.status:
        output = outcome.output
        guarded = GUARDED.search(output)
        if guarded:
            return verdict(DIVERGED, guarded[0])
        if NOT_FINITE.search(output):
            return verdict(DIVERGED, "not finite")
        complaint = (output.strip().splitlines() or ["no output"])[-1]
        return verdict(FAILED, f"exit status {outcome.status}: {complaint[:200]}")
    if max(curve, default=0) < updates:
        return verdict(FAILED, f"ended after {max(curve, default=0)} of {updates} updates")
    if not all(map(math.isfinite, curve.values())):
        return verdict(DIVERGED, "not finite")
    if nll > min(curve.values()) + LOST:
        return verdict(DIVERGED, f"lost what it knew: {min(curve.values()):.2f} at its best")
    if nll > frequencies - BETTER_THAN_FREQUENCIES:
        return verdict(DIVERGED, "no better than word frequencies")
    return verdict(LEARNS)


def seconds_per_update(outcome: Outcome) -> float:
    """Of the training steps alone, measuring included, from fairseq's whole seconds per epoch; NaN if the log does not say."""
    if not outcome.log.is_file():
        return math.nan
    entries = filter(
        None,
        map(parse_line, outcome.log.read_text(encoding="utf-8", errors="replace").splitlines()),
    )
    epochs = [
        (updates, held["train_wall"])
        for kind, updates, held in entries
        if kind == EPOCH and "train_wall" in held
    ]
    return sum(seconds for _, seconds in epochs) / epochs[-1][0] if epochs else math.nan


def unigram_nll(recipe: Recipe, subset: str = "valid") -> float:
    """Bits per token of a subset's target sides under the frequencies of the training text: all that a model knows which sees nothing.

    Counts are those of the recipe's directions, of their first 100,000 training lines each, with one added to each piece.
    """
    dictionary = Dictionary.load(str(recipe.dictionaries[0]))
    trained, wanted = (np.zeros(len(dictionary), np.int64) for _ in range(2))
    for direction in recipe.directions:
        source, target = direction.split("-")
        trained += _counts(recipe, "train", source, target, dictionary)
        wanted += _counts(recipe, subset, source, target, dictionary)
    probabilities = (trained + 1) / (trained + 1).sum()
    return float(-(wanted * np.log2(probabilities)).sum() / wanted.sum())


def _counts(
    recipe: Recipe, subset: str, source: str, target: str, dictionary: Dictionary
) -> np.ndarray:
    """How often each piece stands in a direction's targets, the ends of sentences included; in all shards of training text."""
    counts = np.zeros(len(dictionary), np.int64)
    for folder in recipe.data_folders:
        prefix = binary_prefix(folder, tuple(sorted((source, target))), subset, target)
        data = data_utils.load_indexed_dataset(str(prefix), dictionary)
        if data is None:  # a pair that is cut into fewer shards, or a direction without a dev set
            continue
        most = _MOST_LINES // len(recipe.data_folders) if subset == "train" else len(data)
        for i in range(min(len(data), most)):
            counts += np.bincount(data[i], minlength=len(dictionary))
    return counts


def summary(verdicts: List[Verdict]) -> str:
    """One cell for several seeds: the mean loss of those that learn, * if any of these does not look at its source; 2D: two diverged."""
    learnt = [v for v in verdicts if v.kind == LEARNS]
    counts = {kind: sum(v.kind == kind for v in verdicts) for kind in (DIVERGED, FAILED)}
    marks = [
        kind[0].upper() if len(verdicts) == 1 else f"{count}{kind[0].upper()}"
        for kind, count in counts.items()
        if count
    ]
    if learnt:
        star = "" if all(v.looks for v in learnt) else "*"
        marks.insert(0, f"{sum(v.nll for v in learnt) / len(learnt):.2f}{star}")
    return " ".join(marks)

"""The outcome of a training: it learns, it diverged, or the run failed, which tells nothing."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Mapping, Tuple

import numpy as np
from fairseq.data import Dictionary, data_utils

from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.binarize import binary_prefix
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.evaluation.report.training_log import EPOCH, Curve, parse_line, read_curves
from deepnet_fairseq.languages import parse_direction, sort_pair
from deepnet_fairseq.training.diagnostics import measurements
from experiments.runs import NOT_FINITE, STOPPED_BY_GUARD, RunResult

LEARNS, DIVERGED, FAILED = "learns", "diverged", "failed"
# A model learns if it is better than word frequencies by at least this, in bits per token …
MARGIN = 0.25
# … and has not ended this much above its own minimum.
MAX_RISE = 1.0
# A model uses the source if its shuffled-source NLL gap is at least this, in bits per token.
MIN_GAP = 0.05
MAX_LINES = 100_000  # of each direction's training text: enough for frequencies


@dataclass
class Outcome:
    """What became of a training; NaN for what was not measured.

    Args:
        kind: LEARNS, DIVERGED or FAILED.
        reason: why, in a few words.
        nll: the last of validation, in bits per token.
        curve: validation NLL by update.
        shuffled_source_nll_gap: at the end, in bits per token.
        token_variance_ratio: of the encoder's output at the end.
        max_model_step: maximum of the measured changes of the output by one update.
    """

    kind: str
    reason: str = ""
    nll: float = math.nan
    curve: Curve = field(default_factory=dict)
    shuffled_source_nll_gap: float = math.nan
    token_variance_ratio: float = math.nan
    max_model_step: float = math.nan

    @property
    def uses_source(self) -> bool:
        """Whether the model uses the source; also True if that was not measured."""
        return not self.shuffled_source_nll_gap < MIN_GAP


def classify(result: RunResult, updates: int, frequency_nll: float) -> Outcome:
    """Return the outcome of a training.

    Args:
        result: how its process ended.
        updates: how many it was to make.
        frequency_nll: `unigram_nll` of its corpus.

    Raises:
        DataError: its measurements are damaged.
    """
    curve = read_curves(result.log).validation_nll
    kind, reason = _classify(result, updates, frequency_nll, curve)
    rows = result.measurements()
    last = {m.quantity: m.value for m in rows if m.stack == "model"}
    steps = [m.value for m in rows if m.quantity == measurements.MODEL_STEP]
    return Outcome(
        kind,
        reason,
        list(curve.values())[-1] if curve else math.nan,
        curve,
        last.get(measurements.NLL_GAP, math.nan),
        last.get(measurements.TOKEN_VARIANCE_RATIO, math.nan),
        max(steps, default=math.nan),
    )


def _classify(
    result: RunResult, updates: int, frequency_nll: float, curve: Curve
) -> Tuple[str, str]:
    """Return kind and reason."""
    if result.status:
        output = result.output
        guard = STOPPED_BY_GUARD.search(output)
        if guard:
            return DIVERGED, guard[0]
        if NOT_FINITE.search(output):
            return DIVERGED, "not finite"
        last_line = (output.strip().splitlines() or ["no output"])[-1]
        return FAILED, f"exit status {result.status}: {last_line[:200]}"
    if max(curve, default=0) < updates:
        return FAILED, f"ended after {max(curve, default=0)} of {updates} updates"
    if not all(map(math.isfinite, curve.values())):
        return DIVERGED, "not finite"
    last, minimum = list(curve.values())[-1], min(curve.values())
    if last > minimum + MAX_RISE:
        return DIVERGED, f"rose from its minimum of {minimum:.2f}"
    if last > frequency_nll - MARGIN:
        return DIVERGED, "no better than word frequencies"
    return LEARNS, ""


def require_a_conclusive_run(outcomes: Mapping[str, Outcome], folder: Path) -> List[str]:
    """Return a line for each run that failed.

    Args:
        outcomes: by name of the run.
        folder: for the message.

    Raises:
        DataError: all runs failed.
    """
    failed = [f"{name}: {o.reason}" for name, o in outcomes.items() if o.kind == FAILED]
    if len(failed) == len(outcomes):
        raise DataError(f"{folder}: all runs failed; the first: {failed[0]}")
    return failed


def seconds_per_update(result: RunResult) -> float:
    """Return the seconds of a training step, measurements included; NaN if the log lacks them.

    They come from the whole seconds per epoch that fairseq logs.
    """
    if not result.log.is_file():
        return math.nan
    seconds, updates = 0.0, 0
    for line in result.log.read_text(encoding="utf-8", errors="replace").splitlines():
        entry = parse_line(line)
        if entry and entry[0] == EPOCH and "train_wall" in entry[2]:
            seconds, updates = seconds + entry[2]["train_wall"], entry[1]
    return seconds / updates if updates else math.nan


def unigram_nll(recipe: Recipe, subset: str = "valid") -> float:
    """Return the bits per target token of a subset under the training text's word frequencies.

    This is the loss of the best model that ignores its input. Counts cover the first MAX_LINES
    training lines of each direction, plus one for each piece.
    """
    dictionary = Dictionary.load(str(recipe.dictionaries[0]))
    train, test = (np.zeros(len(dictionary), np.int64) for _ in range(2))
    for direction in recipe.directions:
        train += _count_targets(recipe, "train", direction, dictionary)
        test += _count_targets(recipe, subset, direction, dictionary)
    probabilities = (train + 1) / (train + 1).sum()
    return float(-(test * np.log2(probabilities)).sum() / test.sum())


def _count_targets(
    recipe: Recipe, subset: str, direction: str, dictionary: Dictionary
) -> np.ndarray:
    """Return the count of each piece in a direction's targets, ends of sentences included."""
    source, target = parse_direction(direction)
    counts = np.zeros(len(dictionary), np.int64)
    for folder in recipe.data_folders:
        prefix = binary_prefix(folder, sort_pair(source, target), subset, target)
        data = data_utils.load_indexed_dataset(str(prefix), dictionary)
        if data is None:  # the pair has fewer shards, or the direction has no validation set
            continue
        limit = MAX_LINES // len(recipe.data_folders) if subset == "train" else len(data)
        for i in range(min(len(data), limit)):
            counts += np.bincount(data[i], minlength=len(dictionary))
    return counts


def format_outcomes(outcomes: List[Outcome]) -> str:
    """Return a table's cell for several seeds.

    It is the mean loss of those that learn, with * if any of them ignores the source, and the
    numbers of the others: 2D for two that diverged, 1F for one that failed.
    """
    learnt = [o for o in outcomes if o.kind == LEARNS]
    words = []
    if learnt:
        star = "" if all(o.uses_source for o in learnt) else "*"
        words.append(f"{sum(o.nll for o in learnt) / len(learnt):.2f}{star}")
    for kind in (DIVERGED, FAILED):
        count = sum(o.kind == kind for o in outcomes)
        if count:
            words.append(kind[0].upper() if len(outcomes) == 1 else f"{count}{kind[0].upper()}")
    return " ".join(words)

"""The training curves in the --log-file of fairseq-train: losses and learning rate by update."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Tuple

Curve = Dict[int, float]  # by number of updates, in ascending order
Entry = Tuple[str, int, Dict[str, float]]  # kind, updates, statistics

INNER, EPOCH, VALIDATION = "inner", "epoch", "validation"
# fairseq/logging/progress_bar.py; an epoch's mean and a validation look alike in the formats
# simple and tqdm:
#   epoch 001:     50 / 5018 loss=9.2, nll_loss=9.1, num_updates=50
#   epoch 001 | loss 3.4 | nll_loss 2.4 | num_updates 1800
#   epoch 001 | valid on 'valid' subset | loss 5.7 | nll_loss 5.0 | num_updates 300
_INNER = re.compile(r"epoch \d+: +\d+ / \d+ (?P<statistics>.*)")
_MEANS = re.compile(r"epoch \d+ \|(?: valid on '(?P<subset>[^']+)' subset \|)? (?P<statistics>.*)")
_STATISTIC = re.compile(r"(\w+)[= ](\S+?)(?:, | \| |\s*$)")
VALIDATION_SUBSET = "valid"


@dataclass
class TrainingCurves:
    """Losses per token, in bits, as fairseq logs them; a curve that is not in the log is empty."""

    training_loss: Curve = field(default_factory=dict)  # label smoothing included
    training_nll: Curve = field(default_factory=dict)
    validation_loss: Curve = field(default_factory=dict)
    validation_nll: Curve = field(default_factory=dict)
    learning_rate: Curve = field(default_factory=dict)

    @property
    def updates(self) -> int:
        """The last update of any curve, or 0."""
        return max((updates for curve in vars(self).values() for updates in curve), default=0)


def read_curves(log: Optional[Path]) -> TrainingCurves:
    """Read the curves from a log; a missing or empty log gives empty curves.

    If the training was restarted, the later run replaces the updates that both have logged.
    """
    if log is None or not log.is_file():
        return TrainingCurves()
    with log.open(encoding="utf-8", errors="replace") as lines:
        entries = _last_run(entry for entry in map(parse_line, lines) if entry)
    # The format tqdm leaves only means over epochs in a file; beside finer points they would
    # only blur the curve.
    training = INNER if any(kind == INNER for kind, _, _ in entries) else EPOCH

    def curve(kind: str, name: str) -> Curve:
        points: Curve = {}
        for entry_kind, updates, statistics in entries:
            if entry_kind == kind and name in statistics:
                points[updates] = statistics[name]
        return points

    return TrainingCurves(
        training_loss=curve(training, "loss"),
        training_nll=curve(training, "nll_loss"),
        validation_loss=curve(VALIDATION, "loss"),
        validation_nll=curve(VALIDATION, "nll_loss"),
        learning_rate=curve(training, "lr"),
    )


def parse_line(line: str) -> Optional[Entry]:
    """Parse a line of the log; None without statistics of training or validation subset."""
    kind, values = _parse_json(line) if line.startswith("{") else _parse_text(line)
    statistics = {}
    for name, value in values.items():
        number = _to_number(value)
        if number is not None:
            statistics[name] = number
    if kind is None or "num_updates" not in statistics:
        return None
    return kind, int(statistics["num_updates"]), statistics


def _parse_text(line: str) -> Tuple[Optional[str], Dict[str, object]]:
    inner = _INNER.search(line)  # search: a log of the terminal has the time in front
    if inner:
        return INNER, dict(_STATISTIC.findall(inner["statistics"]))
    means = _MEANS.search(line)
    if means is None:
        return None, {}
    kind = {None: EPOCH, VALIDATION_SUBSET: VALIDATION}.get(means["subset"])
    return kind, dict(_STATISTIC.findall(means["statistics"]))


def _parse_json(line: str) -> Tuple[Optional[str], Dict[str, object]]:
    """Parse the format json.

    Names of an epoch's means begin with train_, those of a validation with valid_, and the others
    have no prefix.
    """
    try:
        values = json.loads(line)
    except ValueError:  # the first line of a log: the configuration, as Python prints it
        return None, {}
    for kind, prefix in ((INNER, ""), (EPOCH, "train_"), (VALIDATION, VALIDATION_SUBSET + "_")):
        if prefix + "num_updates" in values:
            named = {name: value for name, value in values.items() if name.startswith(prefix)}
            return kind, {name[len(prefix) :]: value for name, value in named.items()}
    return None, {}


def _to_number(value: object) -> Optional[float]:
    try:
        return float(str(value))
    except ValueError:
        return None


def _last_run(entries: Iterable[Entry]) -> List[Entry]:
    """Order entries by updates; drop those of an earlier run where a later one started again."""
    kept: Dict[Tuple[str, int], Entry] = {}
    last = 0
    for entry in entries:
        kind, updates, _ = entry
        if updates < last:
            kept = {key: old for key, old in kept.items() if key[1] < updates}
        kept[kind, updates] = entry
        last = updates
    return sorted(kept.values(), key=lambda entry: entry[1])

"""What fairseq-train's --log-file tells of a training: losses, learning rate and gradient norm over updates."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterable, Iterator, Optional, Tuple

Curve = Dict[int, float]  # by number of updates, in their order
Entry = Tuple[str, int, Dict[str, float]]  # kind, updates, statistics

INNER, EPOCH, VALIDATION = "inner", "epoch", "validation"
# fairseq/logging/progress_bar.py; an epoch's mean and a validation are written alike in the formats simple and tqdm:
#   epoch 001:     50 / 5018 loss=9.2, nll_loss=9.1, num_updates=50
#   epoch 001 | loss 3.4 | nll_loss 2.4 | num_updates 1800
#   epoch 001 | valid on 'valid' subset | loss 5.7 | nll_loss 5.0 | num_updates 300
_INNER = re.compile(r"epoch \d+: +\d+ / \d+ (?P<statistics>.*)")
_MEANS = re.compile(r"epoch \d+ \|(?: valid on '(?P<subset>[^']+)' subset \|)? (?P<statistics>.*)")
_STATISTIC = re.compile(r"(\w+)[= ](\S+?)(?:, | \| |\s*$)")
VALIDATION_SUBSET = "valid"


@dataclass
class TrainingCurves:
    """Losses are per token, in bits, as fairseq logs them; a curve that the log does not have is empty."""

    training_loss: Curve = field(
        default_factory=dict
    )  # what is minimised, label smoothing included
    training_nll: Curve = field(default_factory=dict)
    validation_loss: Curve = field(default_factory=dict)
    validation_nll: Curve = field(default_factory=dict)
    learning_rate: Curve = field(default_factory=dict)

    @property
    def updates(self) -> int:
        """The last update that anything is known of, or 0."""
        return max((updates for curve in vars(self).values() for updates in curve), default=0)


def read_curves(log: Optional[Path]) -> TrainingCurves:
    """The curves in a log, which may be missing or empty. Of a training that was restarted the later run counts where both logged."""
    if log is None or not log.is_file():
        return TrainingCurves()
    with log.open(encoding="utf-8", errors="replace") as lines:
        entries = list(_last_run(filter(None, map(parse_line, lines))))
    # Means over whole epochs are all that the format tqdm leaves in a file; beside finer points they would only blur.
    training = INNER if any(kind == INNER for kind, _, _ in entries) else EPOCH

    def curve(kind: str, name: str) -> Curve:
        return {
            updates: statistics[name]
            for which, updates, statistics in entries
            if which == kind and name in statistics
        }

    return TrainingCurves(
        training_loss=curve(training, "loss"),
        training_nll=curve(training, "nll_loss"),
        validation_loss=curve(VALIDATION, "loss"),
        validation_nll=curve(VALIDATION, "nll_loss"),
        learning_rate=curve(training, "lr"),
    )


def parse_line(line: str) -> Optional[Entry]:
    """What a line of the log says, or None for any that holds no statistics of the training or of the validation subset."""
    kind, written = _parse_json(line) if line.startswith("{") else _parse_text(line)
    statistics = {
        name: number
        for name, value in written.items()
        for number in [_to_number(value)]
        if number is not None
    }
    if kind is None or "num_updates" not in statistics:
        return None
    return kind, int(statistics["num_updates"]), statistics


def _parse_text(line: str) -> Tuple[Optional[str], Dict[str, object]]:
    inner = _INNER.search(line)  # search: a log of the terminal has the time in front
    means = inner or _MEANS.search(line)
    if means is None:
        return None, {}
    if inner:
        kind: Optional[str] = INNER
    else:
        kind = {None: EPOCH, VALIDATION_SUBSET: VALIDATION}.get(means["subset"])
    return kind, dict(_STATISTIC.findall(means["statistics"]))


def _parse_json(line: str) -> Tuple[Optional[str], Dict[str, object]]:
    """The format json: names of an epoch's means begin with train_, of a validation's with valid_, of the others with nothing."""
    try:
        held = json.loads(line)
    except ValueError:  # the first line of a log: the configuration, as Python writes it
        return None, {}
    for kind, prefix in ((INNER, ""), (EPOCH, "train_"), (VALIDATION, VALIDATION_SUBSET + "_")):
        if prefix + "num_updates" in held:
            return kind, {
                name[len(prefix) :]: value
                for name, value in held.items()
                if name.startswith(prefix)
            }
    return None, {}


def _to_number(written: object) -> Optional[float]:
    try:
        return float(str(written))
    except ValueError:
        return None


def _last_run(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, ordered by updates, without those of an earlier run from where a later one started again."""
    kept: Dict[Tuple[str, int], Entry] = {}
    last = 0
    for entry in entries:
        kind, updates, _ = entry
        if updates < last:
            kept = {key: old for key, old in kept.items() if key[1] < updates}
        kept[kind, updates] = entry
        last = updates
    return iter(sorted(kept.values(), key=lambda entry: entry[1]))

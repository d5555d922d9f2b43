"""One hypothesis file per direction, as plain text: `hypotheses/{source}-{target}.{target}`, line by line what the references are.

Beside each lies a stamp of what it was made from, so that a run that was interrupted goes on where it stood.
"""

import hashlib
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

from deepnet_fairseq.data.layout import count_lines
from deepnet_fairseq.evaluation import EvaluationError
from deepnet_fairseq.evaluation.direction import Direction
from deepnet_fairseq.evaluation.files import write_lines, write_whole
from deepnet_fairseq.evaluation.generate import Generated, run_generate

logger = logging.getLogger(__name__)

Command = Callable[[Direction], List[str]]
# Where it runs does not decide what is translated, but for rounding.
NOT_STAMPED = ("--cpu",)


@dataclass(frozen=True)
class Hypotheses:
    """The translations of one direction's test set."""

    direction: Direction
    path: Path
    lines: int
    skipped: int  # lines too long for the model, translated as empty ones


def decode_all(directions: Sequence[Direction], command_for: Command, checkpoint: Path, corpus: Path, folder: Path) -> List[Hypotheses]:
    """Translate every direction that is not there yet into folder, logging sentences per second and the time left.

    command_for gives a direction's whole fairseq-generate command; corpus is in OPUS-100's layout.
    Raises EvaluationError for references that are not as many as sources, and what `run_generate` raises.
    """
    lines = {direction: _count(direction, corpus) for direction in directions}
    stamps = {d: _make_stamp(command_for(d), checkpoint, d.sources(corpus), lines[d]) for d in directions}
    todo = [d for d in directions if not is_finished(d, folder, stamps[d])]
    if len(todo) < len(directions):
        logger.info("%d of %d directions are translated already", len(directions) - len(todo), len(directions))
    start, done, total = time.monotonic(), 0, sum(lines[d] for d in todo)
    for number, direction in enumerate(todo, start=1):
        before = time.monotonic()
        generated = run_generate(command_for(direction), direction.name, lines[direction], folder / f"{direction.name}.partial")
        _store(direction, folder, generated, stamps[direction])
        now = time.monotonic()
        done += lines[direction]
        rate = lines[direction] / max(now - before, 1e-3)
        left = (total - done) * (now - start) / max(done, 1)
        progress = f"{lines[direction]} sentences, {rate:.1f} a second; {number} of {len(todo)} directions, {_duration(left)} left"
        logger.info("%s: %s", direction.name, progress)
    return [_result(direction, folder) for direction in directions]


def hypothesis_file(direction: Direction, folder: Path) -> Path:
    return folder / f"{direction.name}.{direction.target}"


def is_finished(direction: Direction, folder: Path, stamp: Dict[str, Any]) -> bool:
    """Whether the direction's hypotheses are there, whole, and made from what the stamp says."""
    path = hypothesis_file(direction, folder)
    return path.is_file() and _read_stamp(direction, folder).get("made_from") == stamp and count_lines(path) == stamp["lines"]


def _make_stamp(command: Sequence[str], checkpoint: Path, sources: Path, lines: int) -> Dict[str, Any]:
    """All that the hypotheses follow from, as JSON holds it."""
    state = checkpoint.stat()
    return {
        "command": [word for word in command if word not in NOT_STAMPED],
        "checkpoint": {"bytes": state.st_size, "modified": state.st_mtime_ns},
        "sources": hashlib.sha256(sources.read_bytes()).hexdigest(),
        "lines": lines,
    }


def _store(direction: Direction, folder: Path, generated: Generated, stamp: Dict[str, Any]) -> None:
    """Write hypotheses, then stamp; an older stamp goes first, so that it never vouches for the new hypotheses."""
    if generated.skipped:
        numbers = ", ".join(str(i + 1) for i in generated.skipped)
        logger.warning("%s: too long for the model, left empty: line %s", direction.name, numbers)
    stamp_file = _stamp_file(direction, folder)
    stamp_file.unlink(missing_ok=True)
    write_lines(hypothesis_file(direction, folder), generated.lines)
    write_whole(stamp_file, json.dumps({"made_from": stamp, "skipped": generated.skipped}, indent=1) + "\n")


def _result(direction: Direction, folder: Path) -> Hypotheses:
    stamp = _read_stamp(direction, folder)
    return Hypotheses(direction, hypothesis_file(direction, folder), stamp["made_from"]["lines"], len(stamp["skipped"]))


def _stamp_file(direction: Direction, folder: Path) -> Path:
    return folder / f"{direction.name}.json"


def _read_stamp(direction: Direction, folder: Path) -> Dict[str, Any]:
    try:
        return dict(json.loads(_stamp_file(direction, folder).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _count(direction: Direction, corpus: Path) -> int:
    sources, references = direction.sources(corpus), direction.references(corpus)
    counts = count_lines(sources), count_lines(references)
    if counts[0] != counts[1] or counts[0] == 0:
        raise EvaluationError(f"{sources} has {counts[0]} lines, {references} {counts[1]}; they must be as many, and at least one")
    return counts[0]


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes // 60} h {minutes % 60} min" if minutes >= 100 else f"{minutes} min"

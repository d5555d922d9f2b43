"""One hypothesis file per direction, as plain text: `{source}-{target}.{target}`, line by line what the references are.

Beside each lies a stamp of what it was made from, so that a run that was interrupted goes on where it stood.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Sequence

from deepnet_fairseq.evaluation.decode.direction import Direction
from deepnet_fairseq.io import sha256_of, write_lines, write_text

# Where it runs does not decide what is translated, but for rounding.
NOT_STAMPED = ("--cpu",)


@dataclass
class SpecialLines:
    """Lines, from 0, that are not just translated."""

    empty: List[int] = field(default_factory=list)  # of source and hypothesis
    too_long: List[int] = field(default_factory=list)  # for the model: the hypothesis is empty
    cut: List[int] = field(
        default_factory=list
    )  # the hypothesis has the most tokens that the flags allow
    unknown: List[int] = field(default_factory=list)  # characters that the vocabulary lacks


@dataclass(frozen=True)
class Hypotheses:
    """The translations of one direction's test set."""

    direction: Direction
    path: Path
    lines: int
    special: SpecialLines


def hypothesis_file(direction: Direction, folder: Path) -> Path:
    """Where a direction's hypotheses stand, of this or any other system."""
    return folder / f"{direction.name}.{direction.target}"


def make_stamp(
    command: Sequence[str], checkpoint: Path, sources: Path, lines: int
) -> Dict[str, Any]:
    """All that the hypotheses follow from, as JSON holds it."""
    state = checkpoint.stat()
    return {
        "command": [word for word in command if word not in NOT_STAMPED],
        "checkpoint": {"bytes": state.st_size, "modified": state.st_mtime_ns},
        "sources": sha256_of(sources),
        "lines": lines,
    }


def is_finished(direction: Direction, folder: Path, stamp: Dict[str, Any]) -> bool:
    """Whether the direction's hypotheses are there, whole, and made from what the stamp says."""
    path = hypothesis_file(direction, folder)
    held = _read_stamp(direction, folder)
    return (
        path.is_file() and held.get("made_from") == stamp and held.get("sha256") == sha256_of(path)
    )


def store(
    direction: Direction,
    folder: Path,
    lines: Sequence[str],
    special: SpecialLines,
    stamp: Dict[str, Any],
) -> None:
    """Write hypotheses, then stamp; an older stamp goes first, so that it never vouches for the new hypotheses."""
    stamp_file = _stamp_file(direction, folder)
    stamp_file.unlink(missing_ok=True)
    write_lines(hypothesis_file(direction, folder), lines)
    held = {
        "made_from": stamp,
        "sha256": sha256_of(hypothesis_file(direction, folder)),
        "special": {kind: sorted(numbers) for kind, numbers in asdict(special).items()},
    }
    write_text(stamp_file, json.dumps(held, indent=1) + "\n")


def stored(direction: Direction, folder: Path) -> Hypotheses:
    """What `store` has written."""
    stamp = _read_stamp(direction, folder)
    return Hypotheses(
        direction,
        hypothesis_file(direction, folder),
        stamp["made_from"]["lines"],
        SpecialLines(**stamp["special"]),
    )


def _stamp_file(direction: Direction, folder: Path) -> Path:
    return folder / f"{direction.name}.json"


def _read_stamp(direction: Direction, folder: Path) -> Dict[str, Any]:
    try:
        stamp = dict(json.loads(_stamp_file(direction, folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
    return stamp if "special" in stamp else {}  # of an earlier version

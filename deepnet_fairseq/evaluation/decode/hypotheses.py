"""Hypothesis files: `{source}-{target}.{target}` has one line per line of the references.

A JSON file beside each holds metadata: what it was made from. An interrupted run resumes by it.
"""

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.test_data import Direction
from deepnet_fairseq.io import count_lines, sha256_of, write_lines, write_text

logger = logging.getLogger(__name__)

# The device does not change the hypotheses, except by rounding.
NOT_RECORDED = ("--cpu",)
NAMED = 10  # more files than these are counted, not named


@dataclass
class SpecialLines:
    """0-based line numbers that need a note in the report."""

    empty: List[int] = field(default_factory=list)  # source and hypothesis are empty
    too_long: List[int] = field(default_factory=list)  # for the model; the hypothesis is empty
    cut: List[int] = field(default_factory=list)  # at the maximum length that the flags allow
    unknown: List[int] = field(default_factory=list)  # characters that the vocabulary lacks


@dataclass(frozen=True)
class Hypotheses:
    """The translations of one direction's test set."""

    direction: Direction
    path: Path
    lines: int
    special: SpecialLines


def hypothesis_file(direction: Direction, folder: Path) -> Path:
    """Return the file of a direction's hypotheses, of any system."""
    return folder / f"{direction.name}.{direction.target}"


def make_metadata(
    command: Sequence[str], checkpoint: Path, source: Path, lines: int
) -> Dict[str, Any]:
    """Return all that decides the hypotheses, as JSON holds it."""
    state = checkpoint.stat()
    return {
        "command": [word for word in command if word not in NOT_RECORDED],
        "checkpoint": {"bytes": state.st_size, "modified": state.st_mtime_ns},
        "sources": sha256_of(source),
        "lines": lines,
    }


def is_finished(direction: Direction, folder: Path, metadata: Dict[str, Any]) -> bool:
    """Tell whether the hypotheses are there, complete, and made from what the metadata says."""
    path = hypothesis_file(direction, folder)
    recorded = _read_metadata(direction, folder)
    return (
        path.is_file()
        and recorded.get("made_from") == metadata
        and recorded.get("sha256") == sha256_of(path)
    )


def write_hypotheses(
    direction: Direction,
    folder: Path,
    lines: Sequence[str],
    special: SpecialLines,
    metadata: Dict[str, Any],
) -> None:
    """Write hypotheses, then metadata; earlier metadata is removed before the hypotheses change."""
    metadata_file = _metadata_file(direction, folder)
    metadata_file.unlink(missing_ok=True)
    write_lines(hypothesis_file(direction, folder), lines)
    content = {
        "made_from": metadata,
        "sha256": sha256_of(hypothesis_file(direction, folder)),
        "special": {kind: sorted(numbers) for kind, numbers in asdict(special).items()},
    }
    write_text(metadata_file, json.dumps(content, indent=1) + "\n")


def read_hypotheses(direction: Direction, folder: Path) -> Hypotheses:
    """Return what `write_hypotheses` has written."""
    metadata = _read_metadata(direction, folder)
    return Hypotheses(
        direction,
        hypothesis_file(direction, folder),
        metadata["made_from"]["lines"],
        SpecialLines(**metadata["special"]),
    )


def find_hypotheses(directions: Sequence[Direction], folder: Path) -> List[Hypotheses]:
    """Return another system's hypotheses, and warn of directions without a file.

    Raises:
        EvaluationError: There is no file of any direction.
    """
    files = {direction: hypothesis_file(direction, folder) for direction in directions}
    missing = [path.name for path in files.values() if not path.is_file()]
    if len(missing) == len(files):
        raise EvaluationError(
            f"{folder} has no hypotheses of the config's directions; name them such as {missing[0]}"
        )
    if missing:
        logger.warning(
            "warning: %d of %d directions are left out, their files are not there: %s",
            len(missing),
            len(files),
            ", ".join(missing[:NAMED]) + (", …" if len(missing) > NAMED else ""),
        )
    return [
        Hypotheses(direction, path, count_lines(path), SpecialLines())
        for direction, path in files.items()
        if path.is_file()
    ]


def _metadata_file(direction: Direction, folder: Path) -> Path:
    return folder / f"{direction.name}.json"


def _read_metadata(direction: Direction, folder: Path) -> Dict[str, Any]:
    try:
        text = _metadata_file(direction, folder).read_text(encoding="utf-8")
        metadata = dict(json.loads(text))
    except (OSError, ValueError, TypeError):
        return {}
    return metadata if "special" in metadata else {}  # of an earlier version

"""A few translations to look at."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import List, Sequence

from deepnet_fairseq.evaluation.report.report import Example
from deepnet_fairseq.io import read_lines


@dataclass(frozen=True)
class TranslatedFile:
    """One direction's test set: three files with as many lines."""

    direction: str
    sources: Path
    references: Path
    hypotheses: Path
    lines: int


def pick_examples(files: Sequence[TranslatedFile], count: int) -> List[Example]:
    """One sentence each of count directions spread evenly over all, from different places in their test sets."""
    count = min(count, len(files))
    picked = []
    for number in range(count):
        # middles of equal parts, so that the first and the last direction are not favoured
        chosen = files[(2 * number + 1) * len(files) // (2 * count)]
        line = (2 * number + 1) * chosen.lines // (2 * count)
        sentences = [
            _line_of(path, line) for path in (chosen.sources, chosen.references, chosen.hypotheses)
        ]
        picked.append(Example(chosen.direction, line + 1, *sentences))
    return picked


def _line_of(path: Path, number: int) -> str:
    """A line by its number from 0; what comes after it is not read."""
    return next(islice(read_lines(path), number, None))

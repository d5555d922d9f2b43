"""Test sentences read from plain text and turned into a vocabulary's indices, every line accounted for."""

from dataclasses import dataclass
from pathlib import Path
from typing import List

import numpy as np

from deepnet_fairseq.data.binarize import Encoder
from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.direction import Direction
from deepnet_fairseq.io import count_lines, read_lines


@dataclass(frozen=True)
class Sentence:
    """A sentence to translate: where it stands (line from 0), and its dictionary indices with </s> at the end, without language token."""

    direction: Direction
    line: int
    ids: np.ndarray


@dataclass(frozen=True)
class Sources:
    """The test sentences of one direction. Lines count from 0; every line that is not empty has its sentence."""

    direction: Direction
    lines: int
    sentences: List[Sentence]
    empty: List[int]  # nothing to translate
    unknown: List[int]  # with characters that the vocabulary lacks: they reach the model as <unk>


def read_sources(direction: Direction, corpus: Path, encoder: Encoder) -> Sources:
    """Read and encode a direction's test sentences."""
    lines = [line.encode() for line in read_lines(direction.sources(corpus))]
    indices, lengths = encoder.encode(lines)
    ends = np.cumsum(lengths)
    ids = [indices[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    empty = [number for number, sentence in enumerate(ids) if len(sentence) == 1]  # </s> alone
    sentences = [
        Sentence(direction, number, sentence)
        for number, sentence in enumerate(ids)
        if len(sentence) > 1
    ]
    unknown = [number for number, sentence in enumerate(ids) if encoder.unknown in sentence]
    return Sources(direction, len(lines), sentences, empty, unknown)


def check_lines(direction: Direction, corpus: Path) -> int:
    """The number of sentences on both sides. Raises EvaluationError, naming both files, if they differ, or there are none."""
    sources, references = direction.sources(corpus), direction.references(corpus)
    counts = count_lines(sources), count_lines(references)
    if counts[0] != counts[1] or counts[0] == 0:
        raise EvaluationError(
            f"{sources} has {counts[0]} lines, {references} {counts[1]}; they must be as many, and at least one"
        )
    return counts[0]

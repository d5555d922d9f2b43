"""Directions of translation and their test sentences, with every line accounted for."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Iterable, List, Mapping

import numpy as np

from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT, corpus_file, part_of_test_set
from deepnet_fairseq.data.encoder import Encoder
from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.io import count_lines, read_lines
from deepnet_fairseq.languages import Pair, sort_pair


@dataclass(frozen=True)
class Direction:
    """From one language into another, tested on one test set.

    Args:
        source: The language translated from.
        target: The language translated into.
        zero_shot: Whether training has no text of this pair.
        test_set: A further test set, such as newstest2017; "" is the corpus's own.
    """

    source: str
    target: str
    zero_shot: bool = False
    test_set: str = ""

    @property
    def name(self) -> str:
        """Such as de-en, or newstest2017.de-en for a further test set."""
        pair = f"{self.source}-{self.target}"
        return f"{self.test_set}.{pair}" if self.test_set else pair

    @property
    def subset(self) -> str:
        """The --gen-subset of fairseq-generate."""
        return self.test_set or "test"

    def source_file(self, corpus: Path) -> Path:
        """Return the file of the sentences to translate, as plain text."""
        return self._test_file(corpus, self.source)

    def reference_file(self, corpus: Path) -> Path:
        """Return the file of the reference translations, as plain text."""
        return self._test_file(corpus, self.target)

    def _test_file(self, corpus: Path, language: str) -> Path:
        if self.test_set:
            part = part_of_test_set(self.test_set)
        else:
            part = ZERO_SHOT if self.zero_shot else SUPERVISED
        return corpus_file(corpus, sort_pair(self.source, self.target), "test", language, part)


def both_ways(
    supervised: Iterable[Pair],
    zero_shot: Iterable[Pair],
    test_sets: Mapping[str, Iterable[Pair]] = MappingProxyType({}),
    untested: Iterable[Pair] = (),
) -> List[Direction]:
    """Return both directions of each pair: supervised, then zero-shot, then further test sets.

    Args:
        supervised: The pairs with training text.
        zero_shot: The pairs without.
        test_sets: The pairs of each further test set.
        untested: Supervised pairs without a test set in the corpus; a further set may have them.
    """
    trained, without_test = list(supervised), set(untested)
    sets = [(pair, False, "") for pair in trained if pair not in without_test]
    sets += [(pair, True, "") for pair in zero_shot]
    for name, pairs in sorted(test_sets.items()):
        sets += [(pair, pair not in trained, name) for pair in sorted(pairs)]
    directions = []
    for (one, other), untrained, name in sets:
        directions.append(Direction(one, other, untrained, name))
        directions.append(Direction(other, one, untrained, name))
    return directions


@dataclass(frozen=True)
class Sentence:
    """A sentence to translate.

    Args:
        direction: Its direction.
        line: Its 0-based line number.
        ids: Its dictionary indices with </s> at the end, without a language token.
    """

    direction: Direction
    line: int
    ids: np.ndarray


@dataclass(frozen=True)
class SourceText:
    """The source side of a direction's test set; line numbers are 0-based.

    Args:
        direction: The direction.
        lines: How many there are.
        sentences: One per line that is not empty.
        empty: Lines with nothing to translate.
        unknown: Lines with characters that the vocabulary lacks; the model sees them as <unk>.
    """

    direction: Direction
    lines: int
    sentences: List[Sentence]
    empty: List[int]
    unknown: List[int]


def read_source(direction: Direction, corpus: Path, encoder: Encoder) -> SourceText:
    """Read and encode the source side of a direction's test set."""
    lines = [line.encode() for line in read_lines(direction.source_file(corpus))]
    indices, lengths = encoder.encode(lines)
    ends = np.cumsum(lengths)
    sentences, empty, unknown = [], [], []
    for number, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        ids = indices[end - length : end]
        if length == 1:  # </s> alone
            empty.append(number)
        else:
            sentences.append(Sentence(direction, number, ids))
        if encoder.unknown in ids:
            unknown.append(number)
    return SourceText(direction, len(lines), sentences, empty, unknown)


def count_test_lines(direction: Direction, corpus: Path) -> int:
    """Return the number of lines of a test set.

    Raises:
        EvaluationError: The two sides differ in lines, or have none. The message names both files.
    """
    source, reference = direction.source_file(corpus), direction.reference_file(corpus)
    counts = count_lines(source), count_lines(reference)
    if counts[0] != counts[1] or counts[0] == 0:
        raise EvaluationError(
            f"{source} has {counts[0]} lines, {reference} {counts[1]}; they must be as many, and "
            "at least one"
        )
    return counts[0]

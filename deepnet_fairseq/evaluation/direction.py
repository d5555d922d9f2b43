"""Directions of translation, and the test sentences of each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List

from deepnet_fairseq.data.layout import Pair, corpus_file, sort_pair


@dataclass(frozen=True)
class Direction:
    """From one language into another."""

    source: str
    target: str
    zero_shot: bool = False  # never seen in training

    @property
    def name(self) -> str:
        return f"{self.source}-{self.target}"

    def sources(self, corpus: Path) -> Path:
        """The test sentences to translate, as plain text."""
        return self._test_file(corpus, self.source)

    def references(self, corpus: Path) -> Path:
        """The test sentences to compare with, as plain text."""
        return self._test_file(corpus, self.target)

    def _test_file(self, corpus: Path, language: str) -> Path:
        return corpus_file(corpus, sort_pair(self.source, self.target), "test", language, self.zero_shot)


def both_ways(supervised: Iterable[Pair], zero_shot: Iterable[Pair]) -> List[Direction]:
    """Every pair in both directions, the supervised ones first."""
    pairs = [(pair, False) for pair in supervised] + [(pair, True) for pair in zero_shot]
    return [Direction(s, t, untrained) for (a, b), untrained in pairs for s, t in ((a, b), (b, a))]

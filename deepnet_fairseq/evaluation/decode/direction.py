"""Directions of translation, and the test sentences of each."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Iterable, List, Mapping

from deepnet_fairseq.data.corpus_paths import SUPERVISED, ZERO_SHOT, corpus_file, part_of_test_set
from deepnet_fairseq.languages import Pair, sort_pair


@dataclass(frozen=True)
class Direction:
    """From one language into another, tested on one set."""

    source: str
    target: str
    zero_shot: bool = False  # never seen in training
    test_set: str = (
        ""  # a further test set of the corpus, such as newstest2017; "" is the corpus's own
    )

    @property
    def name(self) -> str:
        """The direction, after the name of its test set if that is not the corpus's own: de-en, newstest2017.de-en."""
        return (
            f"{self.test_set}.{self.source}-{self.target}"
            if self.test_set
            else f"{self.source}-{self.target}"
        )

    @property
    def subset(self) -> str:
        """What fairseq-generate calls it: --gen-subset."""
        return self.test_set or "test"

    def sources(self, corpus: Path) -> Path:
        """The test sentences to translate, as plain text."""
        return self._test_file(corpus, self.source)

    def references(self, corpus: Path) -> Path:
        """The test sentences to compare with, as plain text."""
        return self._test_file(corpus, self.target)

    def _test_file(self, corpus: Path, language: str) -> Path:
        part = (
            part_of_test_set(self.test_set)
            if self.test_set
            else ZERO_SHOT
            if self.zero_shot
            else SUPERVISED
        )
        return corpus_file(corpus, sort_pair(self.source, self.target), "test", language, part)


def both_ways(
    supervised: Iterable[Pair],
    zero_shot: Iterable[Pair],
    test_sets: Mapping[str, Iterable[Pair]] = MappingProxyType({}),
    untested: Iterable[Pair] = (),
) -> List[Direction]:
    """Every pair in both directions, the supervised ones first, those of further test sets last.

    Untested pairs are supervised ones without a test set of the corpus's own; a further set may have them.
    """
    trained, untested = list(supervised), set(untested)
    sets = [(pair, False, "") for pair in trained if pair not in untested] + [
        (pair, True, "") for pair in zero_shot
    ]
    sets += [
        (pair, pair not in trained, name)
        for name, pairs in sorted(test_sets.items())
        for pair in sorted(pairs)
    ]
    return [
        Direction(s, t, untrained, name)
        for (a, b), untrained, name in sets
        for s, t in ((a, b), (b, a))
    ]

"""What the configs of corpora with a single language pair have in common."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Dict, List

from deepnet_fairseq.data.corpora.test_sets import FurtherTests
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair


@dataclass
class OnePairConfig:
    """One supervised pair, with a test set of its own, and further ones on demand."""

    PAIR: ClassVar[Pair]

    further_tests: FurtherTests = field(default_factory=FurtherTests)
    pivot: str = "en"
    seed: int = 1  # nothing is drawn at random here; every corpus has one

    def __post_init__(self) -> None:
        if self.pivot not in self.PAIR:
            raise DataError(f"pivot is {self.pivot!r}; this corpus has {' and '.join(self.PAIR)}")
        self.further_tests.pairs([self.PAIR])

    def resolve_paths(self, folder: Path) -> None:
        """This corpus names no files of the user's."""

    def supervised_pairs(self) -> List[Pair]:
        return [self.PAIR]

    def zero_shot_pairs(self) -> List[Pair]:
        return []

    def untested_pairs(self) -> List[Pair]:
        return []

    def test_sets(self) -> Dict[str, List[Pair]]:
        return self.further_tests.pairs([self.PAIR])

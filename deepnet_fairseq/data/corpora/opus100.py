"""OPUS-100 (Zhang et al. 2020): English and 99 other languages, up to a million training pairs each; 15 zero-shot pairs.

Five languages (an, dz, hy, mn, yo) come with training text alone; 94 pairs, 188 directions, are tested. Some sentences of dev and test
stand in training text, too, and are dropped from it by `cleaning`.
"""

from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from deepnet_fairseq.data.corpora.build import Source, build_parts
from deepnet_fairseq.data.corpora.inputs import Counts, Inputs
from deepnet_fairseq.data.corpora.opus100_files import (
    ARCHIVES,
    TRAIN_ONLY,
    WHOLE,
    ZERO_SHOT_ARCHIVE,
    ZERO_SHOT_LANGUAGES,
)
from deepnet_fairseq.data.corpora.test_sets import FurtherTests
from deepnet_fairseq.data.corpora.unpacked import unpack_members, unpacking
from deepnet_fairseq.data.corpus_paths import SUPERVISED, ZERO_SHOT, corpus_file, splits_of
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name, parse_pair

ARCHIVE_ROOT = "opus-100-corpus/v1.0"
PUBLISHED_AS = ("pairs", "whole")
PIVOT = "en"


@dataclass
class Opus100Config:
    """What `corpus:` holds when its kind is opus100."""

    pairs: Optional[List[str]] = None  # such as [de-en, en-zu]; null = all 99
    zero_shot: Optional[List[str]] = (
        None  # pairs that are only tested; null = those of the published 15 whose languages are there
    )
    archive: str = "pairs"  # one download per pair, with published checksums; or whole: one of all pairs, without
    further_tests: FurtherTests = field(default_factory=FurtherTests)
    pivot: str = PIVOT
    seed: int = 1  # nothing is drawn at random here; every corpus has one

    def __post_init__(self) -> None:
        if self.pivot != PIVOT:
            raise DataError(f"pivot is {self.pivot!r}; this corpus has text with {PIVOT} only")
        if self.archive not in PUBLISHED_AS:
            raise DataError(f"archive is {self.archive!r}; choose one of {', '.join(PUBLISHED_AS)}")
        if self.pairs is not None and not self.pairs:
            raise DataError(
                "pairs is empty; list some, such as [de-en], or leave it out for all 99"
            )
        _check_pairs("pairs", self.pairs, list(ARCHIVES))
        _check_pairs("zero_shot", self.zero_shot, _published_zero_shot())
        trained = {language for pair in self.supervised_pairs() for language in pair}
        untrained = [
            (pair, language)
            for pair in self.zero_shot_pairs()
            for language in pair
            if language not in trained
        ]
        if untrained:
            raise DataError(
                f"zero_shot has {pair_name(untrained[0][0])!r}, but {untrained[0][1]!r} is not one of the languages of pairs"
            )
        self.further_tests.pairs(self.supervised_pairs() + self.zero_shot_pairs())

    def resolve_paths(self, folder: Path) -> None:
        """This corpus names no files of the user's."""

    def supervised_pairs(self) -> List[Pair]:
        return list(ARCHIVES) if self.pairs is None else [parse_pair(name) for name in self.pairs]

    def zero_shot_pairs(self) -> List[Pair]:
        if self.zero_shot is not None:
            return [parse_pair(name) for name in self.zero_shot]
        languages = {language for pair in self.supervised_pairs() for language in pair}
        return [pair for pair in _published_zero_shot() if languages.issuperset(pair)]

    def untested_pairs(self) -> List[Pair]:
        """Pairs that are published with training text alone."""
        return [pair for pair in self.supervised_pairs() if pair in TRAIN_ONLY]

    def test_sets(self) -> Dict[str, List[Pair]]:
        return self.further_tests.pairs(self.supervised_pairs() + self.zero_shot_pairs())

    def fingerprint(self) -> Dict[str, Any]:
        """What the corpus depends on: the config, and which files are taken for the published ones."""
        published = (
            [ARCHIVES[pair] for pair in self.supervised_pairs()]
            if self.archive == "pairs"
            else [WHOLE]
        )
        return {
            **asdict(self),
            "further_tests": self.further_tests.fingerprint(),
            "published": {file.name: file.checksum for file in [*published, ZERO_SHOT_ARCHIVE]},
        }


def _published_zero_shot() -> List[Pair]:
    return list(combinations(ZERO_SHOT_LANGUAGES, 2))


def _check_pairs(key: str, names: Optional[Sequence[str]], known: Sequence[Pair]) -> None:
    pairs = [parse_pair(str(name)) for name in names or ()]
    strangers = [pair_name(pair) for pair in pairs if pair not in known]
    if strangers:
        raise DataError(
            f"{key} has {strangers[0]!r}, which OPUS-100 lacks; it has {', '.join(map(pair_name, known))}"
        )
    if len(set(pairs)) < len(pairs):
        raise DataError(f"{key} is {list(names or ())}; name each pair once")


def build(config: Opus100Config, root: Path, inputs: Inputs) -> Counts:
    """Write the corpus into the folder root; return its counts. Raises DataError for what cannot be fetched or isn't what was published."""
    parts = {SUPERVISED: config.supervised_pairs(), ZERO_SHOT: config.zero_shot_pairs()}
    with unpacking(root) as folder:
        sources = []
        if config.archive == "whole":
            for part, pairs in parts.items():
                sources += _unpack(
                    inputs.downloads.fetch(WHOLE), folder / f"opus100-{part}", part, pairs
                )
        else:
            archives = inputs.downloads.fetch_all([ARCHIVES[pair] for pair in parts[SUPERVISED]])
            for pair, archive in zip(parts[SUPERVISED], archives, strict=True):
                sources += _unpack(
                    archive, folder / f"opus100-{pair_name(pair)}", SUPERVISED, [pair]
                )
            if parts[ZERO_SHOT]:
                sources += _unpack(
                    inputs.downloads.fetch(ZERO_SHOT_ARCHIVE),
                    folder / "opus100-zero-shot",
                    ZERO_SHOT,
                    parts[ZERO_SHOT],
                )
        sources += config.further_tests.sources(
            parts[SUPERVISED] + parts[ZERO_SHOT], inputs.downloads, folder
        )
        return build_parts(root, sources, inputs)


def _unpack(archive: Path, folder: Path, part: str, pairs: Sequence[Pair]) -> List[Source]:
    """Unpack pairs of a part; raises DataError, naming both, for a file that the archive lacks."""
    if not pairs:
        return []
    members = {
        (pair, split, language): str(corpus_file(Path(ARCHIVE_ROOT), pair, split, language, part))
        for pair in pairs
        for split in (("train",) if pair in TRAIN_ONLY and part == SUPERVISED else splits_of(part))
        for language in pair
    }
    files = unpack_members(archive, folder, members)
    splits = dict.fromkeys((pair, split) for pair, split, _ in members)
    return [
        Source(pair, part, split, {language: [files[pair, split, language]] for language in pair})
        for pair, split in splits
    ]

"""OPUS-100 (Zhang et al. 2020): English and 99 other languages, up to 1M training pairs each.

15 pairs are zero-shot ones. Five languages (an, dz, hy, mn, yo) have training text alone; 94
pairs, 188 directions, are tested. Some sentences of dev and test sets are also in training text;
`cleaning` drops them there.
"""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from deepnet_fairseq.data.archives import extract_members
from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT, corpus_file, splits_of
from deepnet_fairseq.data.corpora.base import FileCorpus
from deepnet_fairseq.data.corpora.build import BuildContext, SplitFiles
from deepnet_fairseq.data.corpora.opus100_files import (
    ARCHIVES,
    TRAIN_ONLY,
    WHOLE,
    ZERO_SHOT_ARCHIVE,
    ZERO_SHOT_LANGUAGES,
)
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name, parse_pair

ARCHIVE_ROOT = "opus-100-corpus/v1.0"
PUBLISHED_AS = ("pairs", "whole")
PIVOT = "en"


@dataclass
class Opus100Corpus(FileCorpus):
    """What `corpus:` holds if its kind is opus100."""

    pairs: Optional[List[str]] = None  # such as [de-en, en-zu]; null = all 99
    # Pairs that are only tested; null = those of the published 15 whose languages are in pairs
    zero_shot: Optional[List[str]] = None
    # One download per pair, with published checksums; or whole: one of all pairs, without
    archive: str = "pairs"

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
        for pair in self.zero_shot_pairs():
            for language in pair:
                if language not in trained:
                    raise DataError(
                        f"zero_shot has {pair_name(pair)!r}, "
                        f"but {language!r} is not one of the languages of pairs"
                    )
        self.further_tests.pairs(self.all_pairs())

    def supervised_pairs(self) -> List[Pair]:
        return list(ARCHIVES) if self.pairs is None else [parse_pair(name) for name in self.pairs]

    def zero_shot_pairs(self) -> List[Pair]:
        if self.zero_shot is not None:
            return [parse_pair(name) for name in self.zero_shot]
        languages = {language for pair in self.supervised_pairs() for language in pair}
        return [pair for pair in _published_zero_shot() if languages.issuperset(pair)]

    def untested_pairs(self) -> List[Pair]:
        """Return the pairs that are published with training text alone."""
        return [pair for pair in self.supervised_pairs() if pair in TRAIN_ONLY]

    def fingerprint(self) -> Dict[str, Any]:
        if self.archive == "pairs":
            published = [ARCHIVES[pair] for pair in self.supervised_pairs()]
        else:
            published = [WHOLE]
        checksums = {file.name: file.checksum for file in [*published, ZERO_SHOT_ARCHIVE]}
        return {**super().fingerprint(), "published": checksums}

    def split_files(self, context: BuildContext, folder: Path) -> List[SplitFiles]:
        supervised, zero_shot = self.supervised_pairs(), self.zero_shot_pairs()
        downloads = context.downloads
        splits: List[SplitFiles] = []
        if self.archive == "whole":
            for part, pairs in ((SUPERVISED, supervised), (ZERO_SHOT, zero_shot)):
                archive = downloads.fetch(WHOLE)
                splits += _unpack(archive, folder / f"opus100-{part}", part, pairs)
            return splits
        archives = downloads.fetch_all([ARCHIVES[pair] for pair in supervised])
        for pair, archive in zip(supervised, archives, strict=True):
            splits += _unpack(archive, folder / f"opus100-{pair_name(pair)}", SUPERVISED, [pair])
        if zero_shot:
            archive = downloads.fetch(ZERO_SHOT_ARCHIVE)
            splits += _unpack(archive, folder / "opus100-zero-shot", ZERO_SHOT, zero_shot)
        return splits


def _published_zero_shot() -> List[Pair]:
    return list(combinations(ZERO_SHOT_LANGUAGES, 2))


def _check_pairs(key: str, names: Optional[Sequence[str]], known: Sequence[Pair]) -> None:
    pairs = [parse_pair(str(name)) for name in names or ()]
    unknown = [pair_name(pair) for pair in pairs if pair not in known]
    if unknown:
        raise DataError(
            f"{key} has {unknown[0]!r}, which OPUS-100 lacks; "
            f"it has {', '.join(map(pair_name, known))}"
        )
    if len(set(pairs)) < len(pairs):
        raise DataError(f"{key} is {list(names or ())}; name each pair once")


def _unpack(archive: Path, folder: Path, part: str, pairs: Sequence[Pair]) -> List[SplitFiles]:
    """Unpack pairs of a part. Raise DataError, naming both, for a file that the archive lacks."""
    if not pairs:
        return []
    splits = []
    members = {}
    for pair in pairs:
        is_train_only = pair in TRAIN_ONLY and part == SUPERVISED
        for split in ("train",) if is_train_only else splits_of(part):
            splits.append((pair, split))
            for language in pair:
                path = corpus_file(Path(ARCHIVE_ROOT), pair, split, language, part)
                members[pair, split, language] = str(path)
    paths = extract_members(archive, folder, members)
    return [
        SplitFiles(pair, part, split, {code: [paths[pair, split, code]] for code in pair})
        for pair, split in splits
    ]

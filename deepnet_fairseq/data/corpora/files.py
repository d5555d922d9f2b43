"""The user's own parallel files, cleaned and copied into OPUS-100's layout.

Dropped from the training data: pairs with an empty side, pairs with a side that stands in any dev or test set of its language, and repeated
pairs. From dev: pairs with a side that stands in a test set. Test sets stay as they are.
"""

import hashlib
import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set, Tuple

from deepnet_fairseq.data.layout import DataError, Pair, count_lines, normalise_spaces, pair_name, parse_pair, read_lines, write_pair

logger = logging.getLogger(__name__)

HeldOut = Dict[str, Set[str]]  # language -> its dev and test sentences


@dataclass
class PairFiles:
    """One supervised pair. Each split maps its two languages to a path, or to a list of paths that are read one after another."""

    train: Dict[str, Any] = field(default_factory=dict)
    dev: Dict[str, Any] = field(default_factory=dict)
    test: Dict[str, Any] = field(default_factory=dict)


@dataclass
class ZeroShotFiles:
    """One pair that is only tested."""

    test: Dict[str, Any] = field(default_factory=dict)


@dataclass
class FilesConfig:
    """What `corpus:` holds when its kind is files. Paths name plain or gzip-compressed (.gz) UTF-8 text, one sentence a line."""

    pairs: Dict[str, PairFiles] = field(default_factory=dict)  # supervised pairs, such as en-de
    zero_shot: Dict[str, ZeroShotFiles] = field(default_factory=dict)  # pairs that are only tested
    pivot: str = "en"  # the language that the report's averages (to it, from it) are about
    seed: int = 1  # nothing is drawn at random here; every corpus has one

    def __post_init__(self) -> None:
        if not self.pairs:
            raise DataError("pairs is empty; give at least one pair with its train, dev and test files")
        names = [pair_name(pair) for pair in self.supervised_pairs() + self.zero_shot_pairs()]
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise DataError(f"{repeated[0]} stands more than once in pairs and zero_shot; merge its blocks")
        if self.pivot not in self.all_languages():
            raise DataError(f"pivot is {self.pivot!r}, but the pairs' languages are {', '.join(self.all_languages())}")
        for key, pair, sides in self.sides():
            if sorted(sides) != sorted(pair):
                raise DataError(f"{key} has {sorted(sides)}; it needs the files of {pair[0]} and {pair[1]}")
            for language, paths in sides.items():
                sides[language] = _as_paths(f"{key}.{language}", paths)

    def resolve_paths(self, folder: Path) -> None:
        """Take relative paths as relative to the folder, which is the config file's."""
        for _, _, sides in self.sides():
            for language, paths in sides.items():
                sides[language] = [str((Path(folder) / path).resolve()) for path in paths]

    def supervised_pairs(self) -> List[Pair]:
        return [parse_pair(name) for name in self.pairs]

    def zero_shot_pairs(self) -> List[Pair]:
        return [parse_pair(name) for name in self.zero_shot]

    def all_languages(self) -> List[str]:
        return sorted({language for pair in self.supervised_pairs() + self.zero_shot_pairs() for language in pair})

    def fingerprint(self) -> Dict[str, Any]:
        """What the corpus depends on: the config, and each file's size and time of change. Raises DataError for a missing file."""
        self.check_existence()
        files = sorted({path for _, _, sides in self.sides() for paths in sides.values() for path in paths})
        return {**asdict(self), "files": [[path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns] for path in files]}

    def check_existence(self) -> None:
        """Raise DataError, naming the key, for a missing file."""
        for key, pair, sides in self.sides():
            for language in pair:
                for path in sides[language]:
                    if not Path(path).is_file():
                        raise DataError(f"corpus.{key}.{language}: there is no file {path}")

    def check_lengths(self) -> None:
        """Raise DataError for two sides of different length."""
        for key, pair, sides in self.sides():
            lines = [sum(count_lines(Path(path)) for path in sides[language]) for language in pair]
            if lines[0] != lines[1]:
                first, second = (" + ".join(sides[language]) for language in pair)
                raise DataError(
                    f"corpus.{key}: {first} has {lines[0]} lines but {second} has {lines[1]}; line n of one must translate line n of "
                    "the other"
                )

    def sides(self) -> Iterator[Tuple[str, Pair, Dict[str, Any]]]:
        """Every split of every pair: its key in the config, the pair, and the files of its two languages."""
        for name, pair_files in self.pairs.items():
            for split in ("train", "dev", "test"):
                yield f"pairs.{name}.{split}", parse_pair(name), getattr(pair_files, split)
        for name, test_files in self.zero_shot.items():
            yield f"zero_shot.{name}.test", parse_pair(name), test_files.test


def _as_paths(key: str, value: Any) -> List[str]:
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) and path for path in paths):
        raise DataError(f"{key} is {value!r}; give a path, or a list of paths")
    return list(paths)


def build(config: FilesConfig, root: Path) -> None:
    """Write the corpus into the folder root. Raises DataError for missing, unequal or malformed files, and for a pair left without text."""
    config.check_existence()
    config.check_lengths()
    tests: HeldOut = {language: set() for language in config.all_languages()}
    held_out: HeldOut = {language: set() for language in config.all_languages()}
    for key, pair, sides in config.sides():
        if key.endswith(".train"):
            continue
        for sentences in read_pair(pair, sides):
            for language, sentence in zip(pair, sentences, strict=True):
                # An empty line isn't a sentence that training could leak.
                if sentence:
                    held_out[language].add(sentence)
                    if key.endswith(".test"):
                        tests[language].add(sentence)
    for name, files in config.pairs.items():
        pair = parse_pair(name)
        write_pair(root, pair, "test", read_pair(pair, files.test))
        _write_filtered(root, pair, "dev", read_pair(pair, files.dev), tests)
        _write_filtered(root, pair, "train", read_pair(pair, files.train), held_out)
    for name, files in config.zero_shot.items():
        pair = parse_pair(name)
        write_pair(root, pair, "test", read_pair(pair, files.test), zero_shot=True)


def read_pair(pair: Pair, sides: Dict[str, List[str]]) -> Iterator[Tuple[str, str]]:
    """Aligned sentences, with one plain space between words; the files must be equally long."""
    left, right = (chain.from_iterable(read_lines(Path(path)) for path in sides[language]) for language in pair)
    return ((normalise_spaces(a), normalise_spaces(b)) for a, b in zip(left, right, strict=True))


def _write_filtered(root: Path, pair: Pair, split: str, sentences: Iterator[Tuple[str, str]], held_out: HeldOut) -> None:
    """Write a pair's train or dev without what doesn't belong there, and log how much that was."""
    dropped: Counter = Counter()
    kept = write_pair(root, pair, split, _filtered(pair, split, sentences, held_out, dropped))
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items())) or "none"
    logger.info("files %s %s: %d pairs of %d kept; dropped: %s", pair_name(pair), split, kept, kept + sum(dropped.values()), counts)
    if not kept:
        raise DataError(f"corpus.pairs.{pair_name(pair)}.{split}: no sentences are left; dropped: {counts}")


def _filtered(
    pair: Pair, split: str, sentences: Iterator[Tuple[str, str]], held_out: HeldOut, dropped: Counter
) -> Iterator[Tuple[str, str]]:
    seen: Set[bytes] = set()
    left, right = (held_out[language] for language in pair)
    for a, b in sentences:
        if a in left or b in right:
            dropped["in dev or test" if split == "train" else "in test"] += 1
        elif split == "dev":
            yield a, b
        elif not a or not b:
            dropped["with an empty side"] += 1
        else:
            # Eight bytes a pair rather than its text: the corpus may be larger than memory.
            digest = hashlib.blake2b(f"{a}\n{b}".encode(), digest_size=8).digest()
            if digest in seen:
                dropped["repeated"] += 1
                continue
            seen.add(digest)
            yield a, b

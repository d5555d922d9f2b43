"""The user's own parallel files, named in the config pair by pair."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT
from deepnet_fairseq.data.corpora.base import FileCorpus
from deepnet_fairseq.data.corpora.build import BuildContext, SplitFiles
from deepnet_fairseq.data.manifest import file_record
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import count_lines
from deepnet_fairseq.languages import Pair, pair_name, parse_pair

Sides = Dict[str, Any]  # language -> a path, or a list of paths that are read one after another


@dataclass
class PairFiles:
    """The files of one supervised pair."""

    train: Sides = field(default_factory=dict)
    dev: Sides = field(default_factory=dict)
    test: Sides = field(default_factory=dict)


@dataclass
class ZeroShotFiles:
    """The files of one pair that is only tested."""

    test: Sides = field(default_factory=dict)


@dataclass
class FilesCorpus(FileCorpus):
    """What `corpus:` holds if its kind is files.

    Paths name plain or gzip-compressed (.gz) UTF-8 text, one sentence per line.
    """

    pairs: Dict[str, PairFiles] = field(default_factory=dict)  # supervised pairs, such as en-de
    zero_shot: Dict[str, ZeroShotFiles] = field(default_factory=dict)  # pairs that are only tested

    def __post_init__(self) -> None:
        if not self.pairs:
            raise DataError(
                "pairs is empty; give at least one pair with its train, dev and test files"
            )
        names = Counter(map(pair_name, self.all_pairs()))
        repeated = [name for name, count in names.items() if count > 1]
        if repeated:
            raise DataError(
                f"{repeated[0]} is more than once in pairs and zero_shot; merge its blocks"
            )
        if self.pivot not in self.all_languages():
            languages = ", ".join(self.all_languages())
            raise DataError(f"pivot is {self.pivot!r}, but the pairs' languages are {languages}")
        for key, pair, sides in self.sides():
            if sorted(sides) != sorted(pair):
                given = f"files of {', '.join(sorted(map(str, sides)))}" if sides else "no files"
                raise DataError(f"{key} has {given}; it needs files of {pair[0]} and {pair[1]}")
            for language, paths in sides.items():
                sides[language] = _as_paths(f"{key}.{language}", paths)
        self.further_tests.pairs(self.all_pairs())

    def resolve_paths(self, folder: Path) -> None:
        for _, _, sides in self.sides():
            for language, paths in sides.items():
                sides[language] = [str((Path(folder) / path).resolve()) for path in paths]

    def supervised_pairs(self) -> List[Pair]:
        return [parse_pair(name) for name in self.pairs]

    def zero_shot_pairs(self) -> List[Pair]:
        return [parse_pair(name) for name in self.zero_shot]

    def fingerprint(self) -> Dict[str, Any]:
        """Return what the corpus depends on: the config, and each file's size and time of change.

        Raises:
            DataError: A file is missing.
        """
        self.check_existence()
        paths = {path for _, _, sides in self.sides() for side in sides.values() for path in side}
        files = []
        for path in sorted(paths):
            state = Path(path).stat()
            files.append([path, state.st_size, state.st_mtime_ns])
        return {**super().fingerprint(), "files": files}

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
                    f"corpus.{key}: {first} has {lines[0]} lines but {second} has {lines[1]}; "
                    "line n of one must translate line n of the other"
                )

    def sides(self) -> Iterator[Tuple[str, Pair, Sides]]:
        """Yield every split of every pair: its key in the config, the pair, and its files."""
        for name, pair_files in self.pairs.items():
            for split in ("train", "dev", "test"):
                yield f"pairs.{name}.{split}", parse_pair(name), getattr(pair_files, split)
        for name, test_files in self.zero_shot.items():
            yield f"zero_shot.{name}.test", parse_pair(name), test_files.test

    def split_files(self, context: BuildContext, folder: Path) -> List[SplitFiles]:
        self.check_existence()
        self.check_lengths()
        splits = []
        paths: Dict[Path, None] = {}  # each once, in order
        for key, pair, sides in self.sides():
            block, _, split = key.split(".")
            part = SUPERVISED if block == "pairs" else ZERO_SHOT
            files = {language: [Path(path) for path in side] for language, side in sides.items()}
            splits.append(SplitFiles(pair, part, split, files))
            for side in files.values():
                paths.update(dict.fromkeys(side))
        context.downloads.records += [file_record(path) for path in paths]
        return splits


def _as_paths(key: str, value: Any) -> List[str]:
    paths = [value] if isinstance(value, str) else value
    is_list = isinstance(paths, list) and paths
    if not is_list or not all(isinstance(path, str) and path for path in paths):
        raise DataError(f"{key} is {value!r}; give a path, or a list of paths")
    return list(paths)

"""The user's own parallel files, named in the config pair by pair, cleaned as `cleaning` says and written in OPUS-100's layout."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from deepnet_fairseq.data.corpora.build import Source, build_parts
from deepnet_fairseq.data.corpora.inputs import Counts, Inputs
from deepnet_fairseq.data.corpora.test_sets import FurtherTests
from deepnet_fairseq.data.corpora.unpacked import unpacking
from deepnet_fairseq.data.corpus_paths import SUPERVISED, ZERO_SHOT
from deepnet_fairseq.data.manifest import file_record
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import count_lines
from deepnet_fairseq.languages import Pair, pair_name, parse_pair


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
    further_tests: FurtherTests = field(default_factory=FurtherTests)
    pivot: str = "en"  # the language that the report's averages (to it, from it) are about
    seed: int = 1  # nothing is drawn at random here; every corpus has one

    def __post_init__(self) -> None:
        if not self.pairs:
            raise DataError(
                "pairs is empty; give at least one pair with its train, dev and test files"
            )
        names = [pair_name(pair) for pair in self.supervised_pairs() + self.zero_shot_pairs()]
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise DataError(
                f"{repeated[0]} stands more than once in pairs and zero_shot; merge its blocks"
            )
        if self.pivot not in self.all_languages():
            raise DataError(
                f"pivot is {self.pivot!r}, but the pairs' languages are {', '.join(self.all_languages())}"
            )
        for key, pair, sides in self.sides():
            if sorted(sides) != sorted(pair):
                raise DataError(
                    f"{key} has {sorted(sides)}; it needs the files of {pair[0]} and {pair[1]}"
                )
            for language, paths in sides.items():
                sides[language] = _as_paths(f"{key}.{language}", paths)
        self.further_tests.pairs(self.supervised_pairs() + self.zero_shot_pairs())

    def resolve_paths(self, folder: Path) -> None:
        """Take relative paths as relative to the folder, which is the config file's."""
        for _, _, sides in self.sides():
            for language, paths in sides.items():
                sides[language] = [str((Path(folder) / path).resolve()) for path in paths]

    def supervised_pairs(self) -> List[Pair]:
        return [parse_pair(name) for name in self.pairs]

    def zero_shot_pairs(self) -> List[Pair]:
        return [parse_pair(name) for name in self.zero_shot]

    def untested_pairs(self) -> List[Pair]:
        return []

    def test_sets(self) -> Dict[str, List[Pair]]:
        return self.further_tests.pairs(self.supervised_pairs() + self.zero_shot_pairs())

    def all_languages(self) -> List[str]:
        return sorted(
            {
                language
                for pair in self.supervised_pairs() + self.zero_shot_pairs()
                for language in pair
            }
        )

    def fingerprint(self) -> Dict[str, Any]:
        """What the corpus depends on: the config, and each file's size and time of change. Raises DataError for a missing file."""
        self.check_existence()
        files = sorted(
            {path for _, _, sides in self.sides() for paths in sides.values() for path in paths}
        )
        further = self.further_tests.fingerprint()
        return {
            **asdict(self),
            "further_tests": further,
            "files": [
                [path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns] for path in files
            ],
        }

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
    if (
        not isinstance(paths, list)
        or not paths
        or not all(isinstance(path, str) and path for path in paths)
    ):
        raise DataError(f"{key} is {value!r}; give a path, or a list of paths")
    return list(paths)


def build(config: FilesConfig, root: Path, inputs: Inputs) -> Counts:
    """Write the corpus into the folder root; return its counts.

    Raises DataError for missing, unequal or malformed files, and for a pair left without text.
    """
    config.check_existence()
    config.check_lengths()
    sources = []
    for key, pair, sides in config.sides():
        kind, _, split = key.split(".")
        files = {language: [Path(path) for path in paths] for language, paths in sides.items()}
        sources.append(Source(pair, SUPERVISED if kind == "pairs" else ZERO_SHOT, split, files))
    paths = dict.fromkeys(
        path for source in sources for side in source.files.values() for path in side
    )
    inputs.downloads.records += [file_record(path) for path in paths]
    with unpacking(root) as folder:
        sources += config.further_tests.sources(
            config.supervised_pairs() + config.zero_shot_pairs(), inputs.downloads, folder
        )
        return build_parts(root, sources, inputs)

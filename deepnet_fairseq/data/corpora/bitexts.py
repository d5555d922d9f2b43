"""Many-to-many text in M2M-100's form (Fan et al. 2021): a list of bitexts between any two languages, as many per pair as there are.

A list is a tab-separated file, one bitext a line: `de-fr<TAB>ccmatrix.de-fr.de.gz<TAB>ccmatrix.de-fr.fr.gz`, the files in the order of the
two languages. Paths are relative to the list; empty lines and those that begin with # are passed over. DeepNet's 102 languages are 1,932
directions in 966 pairs; the list of them was not published.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from deepnet_fairseq.data.bitext import Files
from deepnet_fairseq.data.corpora.build import Source, build_parts
from deepnet_fairseq.data.corpora.inputs import Counts, Inputs
from deepnet_fairseq.data.corpora.test_sets import FurtherTests
from deepnet_fairseq.data.corpora.unpacked import unpacking
from deepnet_fairseq.data.corpus_paths import SUPERVISED, ZERO_SHOT
from deepnet_fairseq.data.manifest import file_record
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair, pair_name, parse_pair

SPLITS = ("train", "dev", "test")


@dataclass
class BitextsConfig:
    """What `corpus:` holds when its kind is bitexts. train, dev and test name lists; a pair without training text is a zero-shot one."""

    train: str = ""
    dev: Optional[str] = None  # pairs that it lacks are trained, but not validated
    test: Optional[str] = (
        None  # pairs that it lacks are trained, but not tested on a set of the corpus's own
    )
    further_tests: FurtherTests = field(default_factory=FurtherTests)
    pivot: str = "en"  # the language that the report's averages (to it, from it) are about
    seed: int = 1  # nothing is drawn at random here; every corpus has one

    def __post_init__(self) -> None:
        if not self.train:
            raise DataError(
                "train is missing; name a list of bitexts, one `de-fr<TAB>file.de<TAB>file.fr` a line"
            )
        self.bitexts: Dict[str, Dict[Pair, Files]] = {}

    def resolve_paths(self, folder: Path) -> None:
        """Take relative paths as relative to the folder, which is the config file's, and read the lists that are there already."""
        for split in SPLITS:
            if getattr(self, split) is not None:
                setattr(self, split, str((Path(folder) / getattr(self, split)).resolve()))
                self.bitexts[split] = read_list(Path(getattr(self, split)), split)
        self._check()

    def _check(self) -> None:
        trained = self.bitexts["train"]
        if not trained:
            raise DataError(f"train: {self.train} lists no bitext")
        strangers = [pair for pair in self.bitexts.get("dev", {}) if pair not in trained]
        if strangers:
            raise DataError(
                f"dev: {self.dev} has {pair_name(strangers[0])}, for which {self.train} has no training text; leave it out"
            )
        languages = sorted(
            {language for pair in [*trained, *self.zero_shot_pairs()] for language in pair}
        )
        if self.pivot not in languages:
            raise DataError(
                f"pivot is {self.pivot!r}, but the pairs' languages are {', '.join(languages)}"
            )
        self.further_tests.pairs(self.supervised_pairs() + self.zero_shot_pairs())

    def supervised_pairs(self) -> List[Pair]:
        return list(self.bitexts["train"])

    def zero_shot_pairs(self) -> List[Pair]:
        return [pair for pair in self.bitexts.get("test", {}) if pair not in self.bitexts["train"]]

    def untested_pairs(self) -> List[Pair]:
        return [pair for pair in self.bitexts["train"] if pair not in self.bitexts.get("test", {})]

    def test_sets(self) -> Dict[str, List[Pair]]:
        return self.further_tests.pairs(self.supervised_pairs() + self.zero_shot_pairs())

    def fingerprint(self) -> Dict[str, Any]:
        """What the corpus depends on: the lists, and each file's size and time of change. Raises DataError for a missing file."""
        state = {}
        for path in self.files():
            if not path.is_file():
                raise DataError(f"corpus: there is no file {path}, which a list of bitexts names")
            state[str(path)] = [path.stat().st_size, path.stat().st_mtime_ns]
        lists = {
            split: {pair_name(pair): _as_text(files) for pair, files in pairs.items()}
            for split, pairs in self.bitexts.items()
        }
        return {
            **asdict(self),
            "further_tests": self.further_tests.fingerprint(),
            "lists": lists,
            "files": sorted(state.items()),
        }

    def files(self) -> Iterator[Path]:
        """Every file that a list names, each once."""
        every = (
            path
            for pairs in self.bitexts.values()
            for files in pairs.values()
            for paths in files.values()
            for path in paths
        )
        return iter(dict.fromkeys(every))


def _as_text(files: Files) -> Dict[str, List[str]]:
    return {language: [str(path) for path in paths] for language, paths in files.items()}


def read_list(path: Path, key: str) -> Dict[Pair, Files]:
    """The files of each pair in a list, pairs in alphabetical order. Raises DataError, naming the line, for one that isn't a bitext."""
    if not path.is_file():
        raise DataError(f"{key}: there is no file {path}")
    bitexts: Dict[Pair, Files] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        pair, files = _parse(line, f"{path}, line {number}")
        for language, file in files.items():
            bitexts.setdefault(pair, {code: [] for code in pair})[language].append(
                path.parent / file
            )
    return dict(sorted(bitexts.items()))


def _parse(line: str, where: str) -> Tuple[Pair, Dict[str, str]]:
    cells = line.split("\t")
    if len(cells) != 3 or not all(cells):
        raise DataError(
            f"{where}: {line!r} is not three columns, such as de-fr<TAB>file.de<TAB>file.fr"
        )
    try:
        pair = parse_pair(cells[0])
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    return pair, dict(zip(cells[0].split("-"), cells[1:], strict=True))


def build(config: BitextsConfig, root: Path, inputs: Inputs) -> Counts:
    """Write the corpus into the folder root; return its counts. Raises DataError for missing, unequal or malformed files."""
    inputs.downloads.records += [file_record(path) for path in config.files()]
    zero_shot = config.zero_shot_pairs()
    sources = [
        Source(pair, ZERO_SHOT if pair in zero_shot else SUPERVISED, split, files)
        for split, pairs in config.bitexts.items()
        for pair, files in pairs.items()
    ]
    with unpacking(root) as folder:
        sources += config.further_tests.sources(
            config.supervised_pairs() + zero_shot, inputs.downloads, folder
        )
        return build_parts(root, sources, inputs)

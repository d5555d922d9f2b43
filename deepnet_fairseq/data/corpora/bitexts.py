"""Many-to-many text in M2M-100's form (Fan et al. 2021): a list of bitexts between any languages.

A list is a tab-separated file with one bitext per line, any number of them per pair:
`de-fr<TAB>ccmatrix.de-fr.de.gz<TAB>ccmatrix.de-fr.fr.gz`, the files in the order of the two
languages. Paths are relative to the list; empty lines and lines that begin with # are ignored.
DeepNet's 102 languages are 1,932 directions in 966 pairs; the list of them was not published.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT, Files
from deepnet_fairseq.data.corpora.base import FileCorpus
from deepnet_fairseq.data.corpora.build import BuildContext, SplitFiles
from deepnet_fairseq.data.manifest import file_record
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair, pair_name, parse_direction, sort_pair

SPLITS = ("train", "dev", "test")


@dataclass
class BitextsCorpus(FileCorpus):
    """What `corpus:` holds if its kind is bitexts.

    train, dev and test name lists. A pair without training text is a zero-shot one.
    """

    train: str = ""
    dev: Optional[str] = None  # pairs that it lacks are trained, but not validated
    # Pairs that it lacks are trained, but not tested on a set of the corpus's own.
    test: Optional[str] = None

    def __post_init__(self) -> None:
        if not self.train:
            raise DataError(
                "train is missing; "
                "name a list of bitexts, one `de-fr<TAB>file.de<TAB>file.fr` a line"
            )
        self.bitexts: Dict[str, Dict[Pair, Files]] = {}  # by split

    def resolve_paths(self, folder: Path) -> None:
        """Make the lists' paths relative to the config's folder, and read the lists."""
        for split in SPLITS:
            if getattr(self, split) is not None:
                setattr(self, split, str((Path(folder) / getattr(self, split)).resolve()))
                self.bitexts[split] = read_list(Path(getattr(self, split)), split)
        self._check()

    def _check(self) -> None:
        trained = self.bitexts["train"]
        if not trained:
            raise DataError(f"train: {self.train} lists no bitext")
        untrained = [pair for pair in self.bitexts.get("dev", {}) if pair not in trained]
        if untrained:
            raise DataError(
                f"dev: {self.dev} has {pair_name(untrained[0])}, "
                f"for which {self.train} has no training text; leave it out"
            )
        languages = self.all_languages()
        if self.pivot not in languages:
            raise DataError(
                f"pivot is {self.pivot!r}, but the pairs' languages are {', '.join(languages)}"
            )
        self.further_tests.pairs(self.all_pairs())

    def supervised_pairs(self) -> List[Pair]:
        return list(self.bitexts["train"])

    def zero_shot_pairs(self) -> List[Pair]:
        return [pair for pair in self.bitexts.get("test", {}) if pair not in self.bitexts["train"]]

    def untested_pairs(self) -> List[Pair]:
        return [pair for pair in self.bitexts["train"] if pair not in self.bitexts.get("test", {})]

    def fingerprint(self) -> Dict[str, Any]:
        """Return what the corpus depends on: the lists, and each file's size and time of change.

        Raises:
            DataError: A file is missing.
        """
        state = {}
        for path in self.listed_files():
            if not path.is_file():
                raise DataError(f"corpus: there is no file {path}, which a list of bitexts names")
            state[str(path)] = [path.stat().st_size, path.stat().st_mtime_ns]
        lists = {
            split: {pair_name(pair): _as_text(files) for pair, files in pairs.items()}
            for split, pairs in self.bitexts.items()
        }
        return {**super().fingerprint(), "lists": lists, "files": sorted(state.items())}

    def listed_files(self) -> List[Path]:
        """Return every file that a list names, each once."""
        paths: Dict[Path, None] = {}
        for pairs in self.bitexts.values():
            for files in pairs.values():
                for side in files.values():
                    paths.update(dict.fromkeys(side))
        return list(paths)

    def split_files(self, context: BuildContext, folder: Path) -> List[SplitFiles]:
        context.downloads.records += [file_record(path) for path in self.listed_files()]
        return list(self._split_files())

    def _split_files(self) -> Iterator[SplitFiles]:
        zero_shot = self.zero_shot_pairs()
        for split, pairs in self.bitexts.items():
            for pair, files in pairs.items():
                part = ZERO_SHOT if pair in zero_shot else SUPERVISED
                yield SplitFiles(pair, part, split, files)


def _as_text(files: Files) -> Dict[str, List[str]]:
    return {language: [str(path) for path in paths] for language, paths in files.items()}


def read_list(path: Path, key: str) -> Dict[Pair, Files]:
    """Return the files of each pair in a list, pairs in alphabetical order.

    Raises:
        DataError: There is no list, or a line is not a bitext; names the line.
    """
    if not path.is_file():
        raise DataError(f"{key}: there is no file {path}")
    bitexts: Dict[Pair, Files] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        pair, names = _parse(line, f"{path}, line {number}")
        files = bitexts.setdefault(pair, {language: [] for language in pair})
        for language, name in names.items():
            files[language].append(path.parent / name)
    return dict(sorted(bitexts.items()))


def _parse(line: str, where: str) -> Tuple[Pair, Dict[str, str]]:
    """Return the pair of a line, and the file of each language."""
    cells = line.split("\t")
    if len(cells) != 3 or not all(cells):
        raise DataError(
            f"{where}: {line!r} is not three columns, such as de-fr<TAB>file.de<TAB>file.fr"
        )
    try:
        first, second = parse_direction(cells[0])
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    return sort_pair(first, second), {first: cells[1], second: cells[2]}

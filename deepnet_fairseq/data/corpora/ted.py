"""TED talks in up to 59 languages (Qi et al. 2018), the TED test set of M2M-100.

The published text is tokenized with Moses and escaped as XML, and is detokenized here, with
sacremoses, as M2M-100's authors ask for. A pair has the sentences that both of its languages have,
so the scores of two pairs are not on the same sentences.
"""

import logging
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Sequence

from deepnet_fairseq.data.archives import extract_members
from deepnet_fairseq.data.bitext import Files
from deepnet_fairseq.data.corpora.build import SplitFiles
from deepnet_fairseq.data.corpora.test_sets import PublishedTestSet
from deepnet_fairseq.data.download import Downloads, RemoteFile
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines, write_lines
from deepnet_fairseq.languages import Pair, pair_name

logger = logging.getLogger(__name__)

# Size and checksum are those of TensorFlow Datasets. The address has been seen to answer with a web
# page; then only a copy of the file helps.
ARCHIVE = RemoteFile(
    name="ted_talks.tar.gz",
    urls=("http://phontron.com/data/ted_talks.tar.gz",),
    size=352222045,
    checksum="sha256:03457b9ebc6d60839f1a48c5a03c940266aff78b81fcda4c6d9e2a5a7fb670ae",
)
MEMBER = "all_talks_test.tsv"
# What a talk without a translation has instead; the second is the first, tokenized.
NULLS = ("__NULL__", "_ _ NULL _ _")
DETOKENIZER = "sacremoses"

_COLUMNS = (
    "ar az be bg bn bs cs da de el en eo es et eu fa fi fr gl he hi hr hu hy id it ja ka kk ko ku "
    "lt mk mn mr ms my nb nl pl pt ro ru sk sl sq sr sv ta th tr uk ur vi"
).split()
TED_CODES: Dict[str, str] = {
    **{code: code for code in _COLUMNS},
    **{
        "no": "nb",
        "zh": "zh-cn",
        "zh_CN": "zh-cn",
        "zh_TW": "zh-tw",
        "pt_BR": "pt-br",
        "fr_CA": "fr-ca",
    },
}


@dataclass
class TedTestSet(PublishedTestSet):
    """What `ted:` holds."""

    NAME: ClassVar[str] = "ted"
    CODES: ClassVar[Mapping[str, str]] = TED_CODES

    def fingerprint(self) -> Dict[str, Any]:
        """Return the config, and the version of the detokenizer.

        Raises:
            DataError: The detokenizer is missing.
        """
        try:
            return {**super().fingerprint(), DETOKENIZER: version(DETOKENIZER)}
        except PackageNotFoundError:
            raise _missing_package() from None

    def split_files(
        self, pairs: Sequence[Pair], downloads: Downloads, folder: Path
    ) -> List[SplitFiles]:
        codes = {language: self.code(language) for pair in pairs for language in pair}
        detokenizers = {language: _detokenizer(code) for language, code in codes.items()}
        archive = downloads.fetch(ARCHIVE)
        table = extract_members(archive, folder / self.NAME, {"test": MEMBER})["test"]
        talks = {}
        for language, column in _read_columns(table, codes, f"{self.NAME}.codes").items():
            detokenize = detokenizers[language].detokenize
            talks[language] = [detokenize(text.split()) if text else "" for text in column]
            count = sum(map(bool, column))
            logger.info("ted: %s detokenized, %d sentences of %d", language, count, len(column))
        splits = []
        for pair in pairs:
            sides = zip(talks[pair[0]], talks[pair[1]], strict=True)
            sentences = [(left, right) for left, right in sides if left and right]
            if not sentences:
                raise DataError(
                    f"{archive.name} has no sentence in both {pair[0]} and {pair[1]}; "
                    f"leave the pair out of {self.NAME}.pairs"
                )
            files: Files = {}
            for side, language in enumerate(pair):
                path = folder / f"{self.NAME}-pairs" / f"{pair_name(pair)}.{language}"
                write_lines(path, (sentence[side] for sentence in sentences))
                files[language] = [path]
            splits.append(SplitFiles(pair, self.part, "test", files))
        return splits


def _read_columns(path: Path, codes: Mapping[str, str], key: str) -> Dict[str, List[str]]:
    """Return each language's sentences, "" for each one that it lacks.

    Raises:
        DataError: A column is missing, or a row is broken.
    """
    lines = read_lines(path)
    header = next(lines, "").split("\t")
    for language, code in codes.items():
        if code not in header:
            raise DataError(
                f"{path.name} has no column {code}; "
                f"give {language!r} one of these in {key}: {' '.join(header[1:])}"
            )
    indices = {language: header.index(code) for language, code in codes.items()}
    columns: Dict[str, List[str]] = {language: [] for language in codes}
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {number}: {len(cells)} columns where the first line has "
                f"{len(header)}; fetch the archive again"
            )
        for language, index in indices.items():
            text = cells[index]
            is_null = any(null in text for null in NULLS)
            columns[language].append("" if is_null else text.strip())
    return columns


def _detokenizer(code: str) -> Any:
    try:
        from sacremoses import MosesDetokenizer
    except ImportError:
        raise _missing_package() from None
    return MosesDetokenizer(lang=code[:2])


def _missing_package() -> DataError:
    install = f"pip install '{DETOKENIZER}>=0.1,<0.2'"
    return DataError(f"ted needs the package {DETOKENIZER}; install it with: {install}")

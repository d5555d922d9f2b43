"""TED talks in up to 59 languages (Qi et al. 2018), the TED test set of M2M-100; only tested.

The published text is tokenised with Moses and escaped as XML, so that it is detokenised here, with sacremoses, as M2M-100's authors ask
for. Pairs have the sentences that both languages have, so that two pairs' scores are not on the same sentences.
"""

import logging
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Sequence, Tuple

from deepnet_fairseq.data.corpora.build import Source
from deepnet_fairseq.data.corpora.published_test_set import PublishedTestSet
from deepnet_fairseq.data.corpora.unpacked import unpack_members
from deepnet_fairseq.data.download import Downloads, RemoteFile
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair

logger = logging.getLogger(__name__)

# Size and checksum as TensorFlow Datasets has them. The address has been seen to answer with a web page: then only a copy helps.
ARCHIVE = RemoteFile(
    name="ted_talks.tar.gz",
    urls=("http://phontron.com/data/ted_talks.tar.gz",),
    size=352222045,
    checksum="sha256:03457b9ebc6d60839f1a48c5a03c940266aff78b81fcda4c6d9e2a5a7fb670ae",
)
MEMBER = "all_talks_test.tsv"
NULLS = (
    "__NULL__",
    "_ _ NULL _ _",
)  # what stands where a talk has no translation; the second is the first, tokenised
DETOKENISER = "sacremoses"

_COLUMNS = (
    "ar az be bg bn bs cs da de el en eo es et eu fa fi fr gl he hi hr hu hy id it ja ka kk ko ku lt mk mn mr ms my nb nl pl pt ro ru sk "
    "sl sq sr sv ta th tr uk ur vi"
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
class TedConfig(PublishedTestSet):
    """What `ted:` holds."""

    NAME: ClassVar[str] = "ted"
    CODES: ClassVar[Mapping[str, str]] = TED_CODES

    def fingerprint(self) -> Dict[str, Any]:
        """The settings, and the version of the detokeniser. Raises DataError when it is missing."""
        try:
            return {**super().fingerprint(), DETOKENISER: version(DETOKENISER)}
        except PackageNotFoundError:
            raise _missing_package() from None

    def sources(self, pairs: Sequence[Pair], downloads: Downloads, folder: Path) -> List[Source]:
        """Files of the sentences that both languages of a pair have. Raises DataError for a pair without any."""
        detokenisers = {
            language: _detokeniser(self.code(language)) for pair in pairs for language in pair
        }
        archive = downloads.fetch(ARCHIVE)
        table = unpack_members(archive, folder / self.NAME, {"test": MEMBER})["test"]
        columns = _read_columns(
            table,
            {language: self.code(language) for language in detokenisers},
            f"{self.NAME}.codes",
        )
        talks = {}
        for language, column in columns.items():
            detokenise = detokenisers[language].detokenize
            talks[language] = [detokenise(text.split()) if text else "" for text in column]
            logger.info(
                "ted: %s detokenised, %d sentences of %d",
                language,
                sum(map(bool, column)),
                len(column),
            )
        sources = []
        for pair in pairs:
            both = [
                (a, b)
                for a, b in zip(*(talks[language] for language in pair), strict=True)
                if a and b
            ]
            if not both:
                raise DataError(
                    f"{archive.name} has no sentence in both {pair[0]} and {pair[1]}; leave the pair out of {self.NAME}.pairs"
                )
            sources.append(
                Source(pair, self.part, "test", _write(folder / f"{self.NAME}-pairs", pair, both))
            )
        return sources


def _read_columns(path: Path, codes: Mapping[str, str], key: str) -> Dict[str, List[str]]:
    """Each language's sentences, "" where there is none. Raises DataError for a column that isn't there, and for a broken row."""
    lines = read_lines(path)
    header = next(lines, "").split("\t")
    for language, code in codes.items():
        if code not in header:
            raise DataError(
                f"{path.name} has no column {code}; give {language!r} one of these in {key}: {' '.join(header[1:])}"
            )
    places = {language: header.index(code) for language, code in codes.items()}
    columns: Dict[str, List[str]] = {language: [] for language in codes}
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {number}: {len(cells)} columns where the first line has {len(header)}; fetch the archive again"
            )
        for language, place in places.items():
            text = cells[place]
            columns[language].append("" if any(null in text for null in NULLS) else text.strip())
    return columns


def _write(folder: Path, pair: Pair, sentences: Sequence[Tuple[str, str]]) -> Dict[str, List[Path]]:
    """Write a pair's two sides."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for side, language in enumerate(pair):
        path = folder / f"{pair[0]}-{pair[1]}.{language}"
        path.write_text(
            "".join(f"{sentence[side]}\n" for sentence in sentences), encoding="utf-8", newline="\n"
        )
        files[language] = [path]
    return files


def _detokeniser(code: str) -> Any:
    try:
        from sacremoses import MosesDetokenizer
    except ImportError:
        raise _missing_package() from None
    return MosesDetokenizer(lang=code[:2])


def _missing_package() -> DataError:
    return DataError(
        f"ted needs the package {DETOKENISER}; install it with: pip install '{DETOKENISER}>=0.1,<0.2'"
    )

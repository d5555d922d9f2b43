"""WMT 2017 English-German, built as by fairseq's prepare-wmt14en2de.sh with its defaults.

Training: Europarl v7, Common Crawl, News Commentary v12. Tests, as sacreBLEU defines them:
newstest2014, all 3,003 sentences (sacreBLEU's wmt14/full, which fairseq's script takes) as `test`,
and newstest2017 as a further set, since DeepNet's paper does not say which one it reports.
Validation: newstest2013 or, as in that script, every hundredth pair of the training text.

Unlike in the script, nothing is tokenized and no punctuation is replaced: SentencePiece learns
from raw text, and detokenized BLEU is scored on the published references, byte for byte.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Dict, List

from sacrebleu.dataset import DATASETS

from deepnet_fairseq.data.archives import extract_members
from deepnet_fairseq.data.bitext import SUPERVISED, Files, part_of_test_set
from deepnet_fairseq.data.corpora.base import SinglePairCorpus
from deepnet_fairseq.data.corpora.build import BuildContext, SplitFiles, split_off_validation
from deepnet_fairseq.data.corpora.sgml import write_segments
from deepnet_fairseq.data.download import Downloads, RemoteFile
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, parse_direction

PAIR: Pair = ("de", "en")
DIRECTION = "en-de"  # its sides are source and reference in sacreBLEU's definitions


@dataclass(frozen=True)
class TrainingPart:
    """One part of the training text: its archive, and its members without the language's suffix."""

    archive: RemoteFile
    member: str


# Sizes and checksums are those of TensorFlow Datasets.
TRAINING: Dict[str, TrainingPart] = {
    "europarl-v7": TrainingPart(
        RemoteFile(
            name="training-parallel-europarl-v7.tgz",
            urls=("http://www.statmt.org/wmt13/training-parallel-europarl-v7.tgz",),
            size=657632379,
            checksum="sha256:0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7",
        ),
        "training/europarl-v7.de-en",
    ),
    "commoncrawl": TrainingPart(
        RemoteFile(
            name="training-parallel-commoncrawl.tgz",
            urls=("http://www.statmt.org/wmt13/training-parallel-commoncrawl.tgz",),
            size=918311367,
            checksum="sha256:c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5",
        ),
        "commoncrawl.de-en",
    ),
    "news-commentary-v12": TrainingPart(
        RemoteFile(
            name="training-parallel-nc-v12.tgz",
            urls=("http://data.statmt.org/wmt17/translation-task/training-parallel-nc-v12.tgz",),
            size=168591139,
            checksum="sha256:2b45f30ef1d550d302fd17dd3a5cbe19134ccc4c2cf50c2dae534aee600101a2",
        ),
        "training/news-commentary-v12.de-en",
    ),
}
# The names that sacreBLEU has for them.
NEWS_SETS = {"newstest2013": "wmt13", "newstest2014": "wmt14/full", "newstest2017": "wmt17"}
TEST, FURTHER_TEST = "newstest2014", "newstest2017"
VALIDATION = ("newstest2013", "held-out")
VALIDATION_EVERY = 100


@dataclass
class Wmt17Corpus(SinglePairCorpus):
    """What `corpus:` holds if its kind is wmt17."""

    PAIR: ClassVar[Pair] = PAIR

    training: List[str] = field(default_factory=lambda: list(TRAINING))  # the parts, in this order
    # or held-out: every hundredth pair of the training text, as in fairseq's script
    validation: str = "newstest2013"

    def __post_init__(self) -> None:
        unknown = [name for name in self.training if name not in TRAINING]
        if unknown or not self.training or len(set(self.training)) < len(self.training):
            raise DataError(
                f"training is {self.training}; name one or more of {', '.join(TRAINING)}, each once"
            )
        if self.validation not in VALIDATION:
            choices = ", ".join(VALIDATION)
            raise DataError(f"validation is {self.validation!r}; choose one of {choices}")
        super().__post_init__()

    def test_sets(self) -> Dict[str, List[Pair]]:
        return {FURTHER_TEST: [PAIR], **super().test_sets()}

    def fingerprint(self) -> Dict[str, Any]:
        files = [TRAINING[name].archive for name in self.training]
        files += [_news_archive(name) for name in NEWS_SETS]
        published = {file.name: file.checksum for file in files}
        return {**super().fingerprint(), "published": published}

    def split_files(self, context: BuildContext, folder: Path) -> List[SplitFiles]:
        train: Files = {language: [] for language in PAIR}
        for name in self.training:
            archive = context.downloads.fetch(TRAINING[name].archive)
            members = {language: f"{TRAINING[name].member}.{language}" for language in PAIR}
            for language, path in extract_members(archive, folder / name, members).items():
                train[language].append(path)
        if self.validation == "held-out":
            train, dev = split_off_validation(
                PAIR, train, folder / "held-out", VALIDATION_EVERY, context.cleaning, count_all=True
            )
        else:
            dev = _news_files(self.validation, context.downloads, folder)
        test, further_test = (
            _news_files(name, context.downloads, folder) for name in (TEST, FURTHER_TEST)
        )
        return [
            SplitFiles(PAIR, SUPERVISED, "train", train),
            SplitFiles(PAIR, SUPERVISED, "dev", dev),
            SplitFiles(PAIR, SUPERVISED, "test", test),
            SplitFiles(PAIR, part_of_test_set(FURTHER_TEST), "test", further_test),
        ]


def _news_archive(name: str) -> RemoteFile:
    """Return the archive of a newstest, under its name in sacreBLEU's own cache."""
    dataset = DATASETS[NEWS_SETS[name]]
    file_name = f"{dataset.name.replace('/', '_')}.{dataset.data[0].rpartition('/')[2]}"
    return RemoteFile(file_name, tuple(dataset.data), checksum=f"md5:{dataset.md5[0]}")


def _news_files(name: str, downloads: Downloads, folder: Path) -> Files:
    """Return the two sides of a newstest as plain text."""
    archive = downloads.fetch(_news_archive(name))
    source_and_reference = DATASETS[NEWS_SETS[name]].langpairs[DIRECTION]
    members = dict(zip(parse_direction(DIRECTION), source_and_reference, strict=True))
    return {
        language: [write_segments(path, folder / f"{name}.{language}")]
        for language, path in extract_members(archive, folder / name, members).items()
    }

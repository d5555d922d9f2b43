"""WMT 2017 English-German, put together as fairseq's prepare-wmt14en2de.sh does by default: Europarl v7, Common Crawl, News Commentary v12.

Tests, by sacreBLEU's own definitions: newstest2014, all 3,003 sentences (sacreBLEU's wmt14/full, what fairseq's script takes) as `test`,
and newstest2017 as a further set, for DeepNet's paper doesn't say which one it reports. Validation: newstest2013, or, as in that script,
every hundredth pair of the training text.

Unlike the script, nothing is tokenised and no punctuation is replaced: SentencePiece learns from raw text, and detokenised BLEU is scored
on the published references, byte by byte.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Dict, List

from sacrebleu.dataset import DATASETS

from deepnet_fairseq.data.corpora.build import Source, build_parts
from deepnet_fairseq.data.corpora.inputs import Counts, Inputs
from deepnet_fairseq.data.corpora.one_pair import OnePairConfig
from deepnet_fairseq.data.corpora.sgml import write_segments
from deepnet_fairseq.data.corpora.unpacked import unpack_members, unpacking
from deepnet_fairseq.data.corpora.validation_split import split_off_validation
from deepnet_fairseq.data.corpus_paths import SUPERVISED, part_of_test_set
from deepnet_fairseq.data.download import Downloads, RemoteFile
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair

PAIR: Pair = ("de", "en")
DIRECTION = "en-de"  # whose sides are source and reference in sacreBLEU's definitions


@dataclass(frozen=True)
class TrainingText:
    """One part of the training text: the archive, and its members but for the language at the end."""

    archive: RemoteFile
    member: str


# Sizes and checksums as TensorFlow Datasets has them.
TRAINING: Dict[str, TrainingText] = {
    "europarl-v7": TrainingText(
        RemoteFile(
            name="training-parallel-europarl-v7.tgz",
            urls=("http://www.statmt.org/wmt13/training-parallel-europarl-v7.tgz",),
            size=657632379,
            checksum="sha256:0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7",
        ),
        "training/europarl-v7.de-en",
    ),
    "commoncrawl": TrainingText(
        RemoteFile(
            name="training-parallel-commoncrawl.tgz",
            urls=("http://www.statmt.org/wmt13/training-parallel-commoncrawl.tgz",),
            size=918311367,
            checksum="sha256:c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5",
        ),
        "commoncrawl.de-en",
    ),
    "news-commentary-v12": TrainingText(
        RemoteFile(
            name="training-parallel-nc-v12.tgz",
            urls=("http://data.statmt.org/wmt17/translation-task/training-parallel-nc-v12.tgz",),
            size=168591139,
            checksum="sha256:2b45f30ef1d550d302fd17dd3a5cbe19134ccc4c2cf50c2dae534aee600101a2",
        ),
        "training/news-commentary-v12.de-en",
    ),
}
NEWS_SETS = {
    "newstest2013": "wmt13",
    "newstest2014": "wmt14/full",
    "newstest2017": "wmt17",
}  # sacreBLEU's names
TEST, FURTHER_TEST = "newstest2014", "newstest2017"
VALIDATION = ("newstest2013", "held-out")
HELD_OUT_EVERY = 100


@dataclass
class Wmt17Config(OnePairConfig):
    """What `corpus:` holds when its kind is wmt17."""

    PAIR: ClassVar[Pair] = PAIR

    training: List[str] = field(default_factory=lambda: list(TRAINING))  # the parts, in this order
    validation: str = "newstest2013"  # or held-out: every hundredth pair of the training text, as fairseq's script has it

    def __post_init__(self) -> None:
        unknown = [name for name in self.training if name not in TRAINING]
        if unknown or not self.training or len(set(self.training)) < len(self.training):
            raise DataError(
                f"training is {self.training}; name one or more of {', '.join(TRAINING)}, each once"
            )
        if self.validation not in VALIDATION:
            raise DataError(
                f"validation is {self.validation!r}; choose one of {', '.join(VALIDATION)}"
            )
        super().__post_init__()

    def test_sets(self) -> Dict[str, List[Pair]]:
        return {FURTHER_TEST: [PAIR], **super().test_sets()}

    def fingerprint(self) -> Dict[str, Any]:
        """What the corpus depends on: the config, and which files are taken for the published ones."""
        files = [TRAINING[name].archive for name in self.training] + [
            _news_archive(name) for name in NEWS_SETS
        ]
        return {
            **asdict(self),
            "further_tests": self.further_tests.fingerprint(),
            "published": {file.name: file.checksum for file in files},
        }


def build(config: Wmt17Config, root: Path, inputs: Inputs) -> Counts:
    """Write the corpus into the folder root; return its counts. Raises DataError for what cannot be fetched or isn't what was published."""
    with unpacking(root) as folder:
        train: Dict[str, List[Path]] = {language: [] for language in PAIR}
        for name in config.training:
            archive = inputs.downloads.fetch(TRAINING[name].archive)
            members = {language: f"{TRAINING[name].member}.{language}" for language in PAIR}
            for language, path in unpack_members(archive, folder / name, members).items():
                train[language].append(path)
        if config.validation == "held-out":
            train, dev = split_off_validation(
                PAIR, train, folder / "held-out", HELD_OUT_EVERY, inputs.cleaning, count_all=True
            )
        else:
            dev = _news_files(config.validation, inputs.downloads, folder)
        sources = [
            Source(PAIR, SUPERVISED, "train", train),
            Source(PAIR, SUPERVISED, "dev", dev),
            Source(PAIR, SUPERVISED, "test", _news_files(TEST, inputs.downloads, folder)),
            Source(
                PAIR,
                part_of_test_set(FURTHER_TEST),
                "test",
                _news_files(FURTHER_TEST, inputs.downloads, folder),
            ),
            *config.further_tests.sources([PAIR], inputs.downloads, folder),
        ]
        return build_parts(root, sources, inputs)


def _news_archive(name: str) -> RemoteFile:
    """The archive of a newstest, under the name that it has in sacreBLEU's own cache."""
    dataset = DATASETS[NEWS_SETS[name]]
    file_name = f"{dataset.name.replace('/', '_')}.{dataset.data[0].rpartition('/')[2]}"
    return RemoteFile(file_name, tuple(dataset.data), checksum=f"md5:{dataset.md5[0]}")


def _news_files(name: str, downloads: Downloads, folder: Path) -> Dict[str, List[Path]]:
    """The two sides of a newstest as plain text."""
    archive = downloads.fetch(_news_archive(name))
    source_and_reference = DATASETS[NEWS_SETS[name]].langpairs[DIRECTION]
    sgml = unpack_members(
        archive, folder / name, dict(zip(DIRECTION.split("-"), source_and_reference, strict=True))
    )
    return {
        language: [write_segments(path, folder / f"{name}.{language}")]
        for language, path in sgml.items()
    }

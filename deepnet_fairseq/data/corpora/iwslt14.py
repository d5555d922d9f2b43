"""IWSLT 2014 German-English (TED talks), put together as fairseq's prepare-iwslt14.sh does.

The training text is lower-cased, with titles and descriptions of the talks as sentences among it; every 23rd pair within the limits of
length becomes validation text; five older sets together, 6,750 sentences, are the test set, lower-cased too.

Unlike the script, nothing is tokenised: SentencePiece learns from raw text, BLEU is scored on detokenised (lower-cased) text, and
`cleaning`, which the script's limits go into (ratio 1.5, 1 to 175 words), counts words between spaces. The script keeps 160,239 pairs of
174,443 for training and 7,283 for validation.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, ClassVar, Dict, Iterator, Optional

from deepnet_fairseq.data.corpora.build import Source, build_parts
from deepnet_fairseq.data.corpora.inputs import Counts, Inputs
from deepnet_fairseq.data.corpora.one_pair import OnePairConfig
from deepnet_fairseq.data.corpora.sgml import segments
from deepnet_fairseq.data.corpora.unpacked import unpack_members, unpacking
from deepnet_fairseq.data.corpora.validation_split import split_off_validation
from deepnet_fairseq.data.corpus_paths import SUPERVISED
from deepnet_fairseq.data.download import RemoteFile
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair

PAIR: Pair = ("de", "en")
ARCHIVE = RemoteFile(
    name="de-en.tgz", urls=("http://dl.fbaipublicfiles.com/fairseq/data/iwslt14/de-en.tgz",)
)  # no checksum is published
TRAIN_MEMBER = "de-en/train.tags.de-en.{language}"
TEST_MEMBER = "de-en/IWSLT14.{name}.de-en.{language}.xml"
TESTS = (
    "TED.dev2010",
    "TEDX.dev2012",
    "TED.tst2010",
    "TED.tst2011",
    "TED.tst2012",
)  # in the script's order
VALIDATION_EVERY = 23
CASES = ("lower", "kept")
# Lines about a talk, which are no sentences; and tags around such that are.
METADATA = (
    "<url>",
    "<talkid>",
    "<keywords>",
    "<speaker>",
    "<reviewer",
    "<translator",
    "<doc",
    "</doc>",
)
TAGS = ("<title>", "</title>", "<description>", "</description>")


@dataclass
class Iwslt14Config(OnePairConfig):
    """What `corpus:` holds when its kind is iwslt14."""

    PAIR: ClassVar[Pair] = PAIR

    case: str = "lower"  # as in fairseq's script; or kept

    def __post_init__(self) -> None:
        if self.case not in CASES:
            raise DataError(f"case is {self.case!r}; choose one of {', '.join(CASES)}")
        super().__post_init__()

    def fingerprint(self) -> Dict[str, Any]:
        """What the corpus depends on: the config."""
        return {**asdict(self), "further_tests": self.further_tests.fingerprint()}


def build(config: Iwslt14Config, root: Path, inputs: Inputs) -> Counts:
    """Write the corpus into the folder root; return its counts. Raises DataError for what cannot be fetched or isn't what was published."""
    with unpacking(root) as folder:
        members = {("train", language): TRAIN_MEMBER.format(language=language) for language in PAIR}
        members |= {
            (name, language): TEST_MEMBER.format(name=name, language=language)
            for name in TESTS
            for language in PAIR
        }
        published = unpack_members(inputs.downloads.fetch(ARCHIVE), folder / "published", members)
        text = {key: folder / f"{'.'.join(key)}" for key in published}
        for (name, language), path in published.items():
            sentences = talk_lines(path) if name == "train" else evaluation_sentences(path)
            _write(text[name, language], sentences, str.lower if config.case == "lower" else None)
        train = {language: [text["train", language]] for language in PAIR}
        train, dev = split_off_validation(
            PAIR, train, folder / "split", VALIDATION_EVERY, inputs.cleaning, count_all=False
        )
        sources = [
            Source(PAIR, SUPERVISED, "train", train),
            Source(PAIR, SUPERVISED, "dev", dev),
            Source(
                PAIR,
                SUPERVISED,
                "test",
                {language: [text[name, language] for name in TESTS] for language in PAIR},
            ),
            *config.further_tests.sources([PAIR], inputs.downloads, folder),
        ]
        return build_parts(root, sources, inputs)


def talk_lines(path: Path) -> Iterator[str]:
    """The sentences, titles and descriptions in a file of training text."""
    for line in read_lines(path):
        if line.lstrip().startswith(METADATA):
            continue
        for tag in TAGS:
            line = line.replace(tag, "")
        yield line


def evaluation_sentences(path: Path) -> Iterator[str]:
    """The sentences of a test set, with plain apostrophes, as the script has them."""
    for sentence in segments(path):
        yield sentence.replace("’", "'")


def _write(path: Path, sentences: Iterator[str], change: Optional[Callable[[str], str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{change(sentence) if change else sentence}\n" for sentence in sentences)

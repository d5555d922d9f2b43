"""IWSLT 2014 German-English (TED talks), built as by fairseq's prepare-iwslt14.sh.

The training text is lower-cased and includes the talks' titles and descriptions as sentences;
every 23rd pair within the length limits becomes validation text; the test set is five older sets
together, 6,750 sentences, also lower-cased.

Unlike in the script, nothing is tokenized: SentencePiece learns from raw text, BLEU is scored on
detokenized (lower-cased) text, and `cleaning`, which takes the script's limits (ratio 1.5, 1 to
175 words), counts words between spaces. The script keeps 160,239 pairs of 174,443 for training
and 7,283 for validation.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Iterator, List

from deepnet_fairseq.data.archives import extract_members
from deepnet_fairseq.data.bitext import SUPERVISED
from deepnet_fairseq.data.corpora.base import SinglePairCorpus
from deepnet_fairseq.data.corpora.build import BuildContext, SplitFiles, split_off_validation
from deepnet_fairseq.data.corpora.sgml import segments
from deepnet_fairseq.data.download import RemoteFile
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair

PAIR: Pair = ("de", "en")
# No checksum is published.
ARCHIVE = RemoteFile(
    name="de-en.tgz", urls=("http://dl.fbaipublicfiles.com/fairseq/data/iwslt14/de-en.tgz",)
)
TRAIN_MEMBER = "de-en/train.tags.de-en.{language}"
TEST_MEMBER = "de-en/IWSLT14.{name}.de-en.{language}.xml"
# In the script's order
TESTS = ("TED.dev2010", "TEDX.dev2012", "TED.tst2010", "TED.tst2011", "TED.tst2012")
VALIDATION_EVERY = 23
CASES = ("lower", "kept")
# Lines about a talk, which are not sentences, and tags around lines which are.
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
class Iwslt14Corpus(SinglePairCorpus):
    """What `corpus:` holds if its kind is iwslt14."""

    PAIR: ClassVar[Pair] = PAIR

    case: str = "lower"  # as in fairseq's script; or kept

    def __post_init__(self) -> None:
        if self.case not in CASES:
            raise DataError(f"case is {self.case!r}; choose one of {', '.join(CASES)}")
        super().__post_init__()

    def split_files(self, context: BuildContext, folder: Path) -> List[SplitFiles]:
        members = {("train", language): TRAIN_MEMBER.format(language=language) for language in PAIR}
        for name in TESTS:
            for language in PAIR:
                members[name, language] = TEST_MEMBER.format(name=name, language=language)
        archive = context.downloads.fetch(ARCHIVE)
        published = extract_members(archive, folder / "published", members)
        text = {}
        for (name, language), path in published.items():
            sentences = talk_lines(path) if name == "train" else evaluation_sentences(path)
            text[name, language] = folder / f"{name}.{language}"
            self._write(text[name, language], sentences)
        train, dev = split_off_validation(
            PAIR,
            {language: [text["train", language]] for language in PAIR},
            folder / "split",
            VALIDATION_EVERY,
            context.cleaning,
            count_all=False,
        )
        test = {language: [text[name, language] for name in TESTS] for language in PAIR}
        return [
            SplitFiles(PAIR, SUPERVISED, split, files)
            for split, files in (("train", train), ("dev", dev), ("test", test))
        ]

    def _write(self, path: Path, sentences: Iterator[str]) -> None:
        with open(path, "w", encoding="utf-8", newline="\n") as stream:
            for sentence in sentences:
                stream.write(f"{sentence.lower() if self.case == 'lower' else sentence}\n")


def talk_lines(path: Path) -> Iterator[str]:
    """Yield the sentences, titles and descriptions of a file of training text."""
    for line in read_lines(path):
        if line.lstrip().startswith(METADATA):
            continue
        for tag in TAGS:
            line = line.replace(tag, "")
        yield line


def evaluation_sentences(path: Path) -> Iterator[str]:
    """Yield the sentences of a test set, with plain apostrophes, as in the script."""
    for sentence in segments(path):
        yield sentence.replace("’", "'")

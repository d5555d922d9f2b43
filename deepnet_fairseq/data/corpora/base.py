"""What all corpora have in common: pairs, test sets, a fingerprint, and how they are built."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional, Sequence

from deepnet_fairseq.data.archives import scratch_folder
from deepnet_fairseq.data.corpora.build import BuildContext, Counts, SplitFiles, build_parts
from deepnet_fairseq.data.corpora.flores200 import Flores200TestSet
from deepnet_fairseq.data.corpora.ted import TedTestSet
from deepnet_fairseq.data.corpora.test_sets import PublishedTestSet
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair


@dataclass
class Corpus:
    """A kind of corpus. Its fields are the keys of `corpus:` in a config; subclasses add more."""

    pivot: str = "en"  # the report averages over directions to and from this language
    seed: int = 1  # used where sentences are sampled; accepted by all kinds

    def resolve_paths(self, folder: Path) -> None:
        """Make relative paths of the user's files relative to the config's folder."""

    def supervised_pairs(self) -> List[Pair]:
        """Return the pairs with training text."""
        raise NotImplementedError

    def zero_shot_pairs(self) -> List[Pair]:
        """Return the pairs that are only tested."""
        return []

    def untested_pairs(self) -> List[Pair]:
        """Return the supervised pairs without a test set of the corpus's own."""
        return []

    def test_sets(self) -> Dict[str, List[Pair]]:
        """Return the pairs of each further test set."""
        return {}

    def all_pairs(self) -> List[Pair]:
        """Return the supervised and the zero-shot pairs."""
        return self.supervised_pairs() + self.zero_shot_pairs()

    def all_languages(self) -> List[str]:
        """Return the languages of all pairs, sorted."""
        return sorted({language for pair in self.all_pairs() for language in pair})

    def fingerprint(self) -> Dict[str, Any]:
        """Return what the corpus depends on, as JSON."""
        return asdict(self)

    def build(self, root: Path, context: BuildContext) -> Counts:
        """Write the corpus into the folder `root` and return its counts.

        Raises:
            DataError: The config and the text do not fit together, or files cannot be fetched or
                are not what was published.
        """
        raise NotImplementedError


@dataclass
class FurtherTests:
    """What `further_tests:` holds: `{flores200: {}}` adds FLORES-200 for the corpus's pairs."""

    flores200: Optional[Flores200TestSet] = None
    ted: Optional[TedTestSet] = None

    def by_name(self) -> Dict[str, PublishedTestSet]:
        """Return the requested sets by name."""
        return {name: test_set for name, test_set in vars(self).items() if test_set is not None}

    def pairs(self, corpus_pairs: Sequence[Pair]) -> Dict[str, List[Pair]]:
        """Return the pairs of each set. Raise DataError for a language that a set lacks."""
        return {
            name: test_set.select_pairs(corpus_pairs) for name, test_set in self.by_name().items()
        }

    def split_files(
        self, corpus_pairs: Sequence[Pair], downloads: Downloads, folder: Path
    ) -> List[SplitFiles]:
        """Return the files of all sets; `folder` is for what has to be unpacked."""
        pairs = self.pairs(corpus_pairs)
        splits: List[SplitFiles] = []
        for name, test_set in self.by_name().items():
            splits += test_set.split_files(pairs[name], downloads, folder)
        return splits

    def fingerprint(self) -> Dict[str, Any]:
        """Return what the sets depend on."""
        return {name: test_set.fingerprint() for name, test_set in self.by_name().items()}


@dataclass
class FileCorpus(Corpus):
    """A corpus built from files, of the user or published."""

    further_tests: FurtherTests = field(default_factory=FurtherTests)

    def test_sets(self) -> Dict[str, List[Pair]]:
        return self.further_tests.pairs(self.all_pairs())

    def fingerprint(self) -> Dict[str, Any]:
        return {**super().fingerprint(), "further_tests": self.further_tests.fingerprint()}

    def split_files(self, context: BuildContext, folder: Path) -> List[SplitFiles]:
        """Return the corpus's own files; `folder` is for what has to be unpacked."""
        raise NotImplementedError

    def build(self, root: Path, context: BuildContext) -> Counts:
        with scratch_folder(root) as folder:
            splits = self.split_files(context, folder)
            splits += self.further_tests.split_files(self.all_pairs(), context.downloads, folder)
            return build_parts(root, splits, context)


@dataclass
class SinglePairCorpus(FileCorpus):
    """A corpus of one supervised pair, with a test set of its own."""

    PAIR: ClassVar[Pair]

    def __post_init__(self) -> None:
        if self.pivot not in self.PAIR:
            raise DataError(f"pivot is {self.pivot!r}; this corpus has {' and '.join(self.PAIR)}")
        self.further_tests.pairs([self.PAIR])

    def supervised_pairs(self) -> List[Pair]:
        return [self.PAIR]

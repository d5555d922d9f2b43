"""What published test sets have in common: their language codes, and the pairs they cover."""

from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Sequence

from deepnet_fairseq.data.bitext import part_of_test_set
from deepnet_fairseq.data.corpora.build import SplitFiles
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name, parse_pair, sort_pair

MISSING = ("error", "skip")


@dataclass
class PublishedTestSet:
    """A test set that any corpus can use besides its own, for the pairs of its config."""

    NAME: ClassVar[str]  # the set's key in a config, and its name in the corpus
    CODES: ClassVar[Mapping[str, str]]  # language -> the set's own code for it

    # corpus = its supervised and zero-shot pairs; all = all pairs of its languages; or a list such
    # as [de-fr]
    pairs: Any = "corpus"
    # language -> another of the set's codes than usual, such as {zh: zho_Hant}
    codes: Dict[str, str] = field(default_factory=dict)
    # What happens with a language that the set lacks: error, or skip to leave its pairs out
    missing: str = "error"

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            choices = ", ".join(MISSING)
            raise DataError(f"{self.NAME}.missing is {self.missing!r}; choose one of {choices}")
        is_list = isinstance(self.pairs, list) and self.pairs
        if self.pairs not in ("corpus", "all") and not is_list:
            raise DataError(
                f"{self.NAME}.pairs is {self.pairs!r}; "
                "write corpus, all, or a list such as [de-en, de-fr]"
            )

    def select_pairs(self, corpus_pairs: Sequence[Pair]) -> List[Pair]:
        """Return the pairs that the set is used for, sorted.

        Raises:
            DataError: The set or the corpus lacks a language, or no pair is left.
        """
        requested = self._requested_pairs(corpus_pairs)
        languages = {language for pair in requested for language in pair}
        missing = sorted(language for language in languages if not self.code(language))
        if missing and self.missing == "error":
            raise DataError(
                f"{self.NAME} has no text in {', '.join(missing)} that is known here; give the "
                f"set's codes as {self.NAME}.codes, or leave the pairs out with "
                f"{self.NAME}.missing: skip"
            )
        # Two languages may be one to the set, such as no and nb.
        pairs = [
            (a, b)
            for a, b in requested
            if a not in missing and b not in missing and self.code(a) != self.code(b)
        ]
        if not pairs:
            names = ", ".join(map(pair_name, requested))
            raise DataError(f"{self.NAME} has none of the pairs that are asked for: {names}")
        return sorted(pairs)

    def code(self, language: str) -> str:
        """Return the set's own code for a language, "" if there is none."""
        return self.codes.get(language) or self.CODES.get(language, "")

    def fingerprint(self) -> Dict[str, Any]:
        """Return what the text depends on besides the corpus's pairs."""
        return asdict(self)

    def split_files(
        self, pairs: Sequence[Pair], downloads: Downloads, folder: Path
    ) -> List[SplitFiles]:
        """Return the files of the pairs; `folder` is for what has to be unpacked.

        Raises:
            DataError: The set lacks a pair, or its files cannot be fetched.
        """
        raise NotImplementedError

    @property
    def part(self) -> str:
        """The part of a corpus that holds the set."""
        return part_of_test_set(self.NAME)

    def _requested_pairs(self, corpus_pairs: Sequence[Pair]) -> List[Pair]:
        languages = sorted({language for pair in corpus_pairs for language in pair})
        if self.pairs == "corpus":
            return sorted(set(corpus_pairs))
        if self.pairs == "all":
            return [sort_pair(*pair) for pair in combinations(languages, 2)]
        pairs = [parse_pair(str(name)) for name in self.pairs]
        unknown = sorted({language for pair in pairs for language in pair} - set(languages))
        if unknown:
            raise DataError(
                f"{self.NAME}.pairs has {unknown[0]!r}, "
                f"but the corpus's languages are {', '.join(languages)}"
            )
        return sorted(set(pairs))

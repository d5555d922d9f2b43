"""What published sets that are only tested have in common: which pairs of a corpus they are taken for, and their codes of languages."""

from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Sequence

from deepnet_fairseq.data.corpora.build import Source
from deepnet_fairseq.data.corpus_paths import part_of_test_set
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name, parse_pair, sort_pair

MISSING = ("error", "skip")


@dataclass
class PublishedTestSet:
    """Which pairs a test set is taken for. Each kind adds where its text comes from."""

    NAME: ClassVar[str]  # the kind's key in a config, and the test set's name in the corpus
    CODES: ClassVar[Mapping[str, str]]  # language -> the set's own code for it

    pairs: Any = "corpus"  # corpus = its supervised and zero-shot pairs; all = any two of its languages; or a list such as [de-fr]
    codes: Dict[str, str] = field(
        default_factory=dict
    )  # language -> another code of the set's than usual, such as {zh: zho_Hant}
    missing: str = (
        "error"  # what a language is that the set lacks; or skip, which leaves its pairs out
    )

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            raise DataError(
                f"{self.NAME}.missing is {self.missing!r}; choose one of {', '.join(MISSING)}"
            )
        if self.pairs not in ("corpus", "all") and not (
            isinstance(self.pairs, list) and self.pairs
        ):
            raise DataError(
                f"{self.NAME}.pairs is {self.pairs!r}; write corpus, all, or a list such as [de-en, de-fr]"
            )

    def chosen_pairs(self, corpus_pairs: Sequence[Pair]) -> List[Pair]:
        """The pairs of the test set, sorted. Raises DataError for a language that the set or the corpus lacks, and if none are left."""
        chosen = self._wanted(corpus_pairs)
        lacking = sorted(
            {language for pair in chosen for language in pair if not self.code(language)}
        )
        if lacking and self.missing == "error":
            raise DataError(
                f"{self.NAME} has no text in {', '.join(lacking)} that is known here; give the set's codes as {self.NAME}.codes, or leave "
                f"the pairs out with {self.NAME}.missing: skip"
            )
        # Two languages may be one to the set, such as no and nb.
        pairs = sorted(
            p for p in chosen if not {*p} & {*lacking} and self.code(p[0]) != self.code(p[1])
        )
        if not pairs:
            raise DataError(
                f"{self.NAME} has none of the pairs that are asked for: {', '.join(map(pair_name, chosen))}"
            )
        return pairs

    def code(self, language: str) -> str:
        """The set's own code for a language, "" if there is none."""
        return self.codes.get(language) or self.CODES.get(language, "")

    def fingerprint(self) -> Dict[str, Any]:
        """What the text depends on beside the corpus's pairs."""
        return asdict(self)

    def sources(self, pairs: Sequence[Pair], downloads: Downloads, folder: Path) -> List[Source]:
        """The files of the pairs; the folder is for what has to be made of the published ones. Raises DataError for what is not there."""
        raise NotImplementedError

    @property
    def part(self) -> str:
        return part_of_test_set(self.NAME)

    def _wanted(self, corpus_pairs: Sequence[Pair]) -> List[Pair]:
        languages = sorted({language for pair in corpus_pairs for language in pair})
        if self.pairs == "corpus":
            return sorted(set(corpus_pairs))
        if self.pairs == "all":
            return [sort_pair(*pair) for pair in combinations(languages, 2)]
        chosen = [parse_pair(str(name)) for name in self.pairs]
        strangers = sorted({language for pair in chosen for language in pair} - set(languages))
        if strangers:
            raise DataError(
                f"{self.NAME}.pairs has {strangers[0]!r}, but the corpus's languages are {', '.join(languages)}"
            )
        return sorted(set(chosen))

"""The sentences of dev and test sets, which training must not see."""

from hashlib import blake2b
from itertools import islice
from typing import Dict, Iterable, List, Sequence, Set, Tuple

from deepnet_fairseq.data.normalize import comparison_forms, normalize_spaces
from deepnet_fairseq.errors import DataError

BATCH = 2000  # sentences
# Of 400,000 sentences of a language, 8 bytes each, one matches a wrong sentence by chance in 2^64 / 400,000 = 5e13 lookups.
DIGEST_BYTES = 8
# split -> the splits whose sentences it must not hold
FORBIDDEN = {"train": ("test", "dev"), "dev": ("test",)}


class HeldOut:
    """Dev and test sentences by language, as digests of their comparison forms (about 100 bytes each in memory); can be pickled."""

    def __init__(self) -> None:
        self._digests: Dict[str, Dict[str, Set[bytes]]] = {"dev": {}, "test": {}}

    def add(self, language: str, sentence: str, split: str) -> None:
        """Add a sentence of a dev or test set; an empty one gives nothing away and is passed over."""
        self.add_all(language, [sentence], split)

    def add_all(self, language: str, sentences: Iterable[str], split: str) -> None:
        """Add the sentences of a dev or test set. Raises DataError for another split."""
        if split not in self._digests:
            raise DataError(f"split is {split!r}; only sentences of dev and test are held out")
        known = self._digests[split].setdefault(language, set())
        lines = filter(None, map(normalize_spaces, sentences))
        while batch := list(islice(lines, BATCH)):
            known.update(_digests(batch))

    def contains(self, language: str, sentence: str, split: str = "train") -> bool:
        """Whether a sentence must not stand in the split: of train, any dev or test sentence; of dev, any test sentence."""
        return self.contains_each(language, [normalize_spaces(sentence)], split)[0]

    def contains_each(
        self, language: str, sentences: Sequence[str], split: str = "train"
    ) -> List[bool]:
        """`contains` for many sentences whose spaces are plain."""
        forbidden = [
            digests for name in FORBIDDEN[split] if (digests := self._digests[name].get(language))
        ]
        if not forbidden:
            return [False] * len(sentences)
        if len(forbidden) == 1:
            return [digest in forbidden[0] for digest in _digests(sentences)]
        one, other = forbidden
        return [digest in one or digest in other for digest in _digests(sentences)]

    def restricted_to(self, languages: Iterable[str]) -> "HeldOut":
        """The part that a job on these languages needs; shares its sets."""
        part = HeldOut()
        wanted = set(languages)
        for split, by_language in self._digests.items():
            part._digests[split] = {
                language: digests for language, digests in by_language.items() if language in wanted
            }
        return part

    def count(self, language: str) -> Tuple[int, int]:
        """How many different sentences of dev and of test are known in a language."""
        return len(self._digests["dev"].get(language, ())), len(
            self._digests["test"].get(language, ())
        )


def _digests(sentences: Sequence[str]) -> List[bytes]:
    return [
        blake2b(form, digest_size=DIGEST_BYTES).digest() for form in comparison_forms(sentences)
    ]

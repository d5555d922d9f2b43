"""Test-set contamination: sentences of dev and test sets, which training text must not contain."""

from hashlib import blake2b
from itertools import islice
from typing import Dict, Iterable, List, Sequence, Set, Tuple

from deepnet_fairseq.data.normalize import comparison_forms, normalize_spaces
from deepnet_fairseq.errors import DataError

BATCH = 2000  # sentences
# Among 400,000 sentences of a language, a digest of 8 bytes matches a wrong one by chance once in
# 2^64 / 400,000 = 5e13 lookups.
DIGEST_BYTES = 8
# split -> the splits whose sentences it must not contain
FORBIDDEN = {"train": ("test", "dev"), "dev": ("test",)}


class ContaminationIndex:
    """Dev and test sentences by language, as digests of their comparison forms.

    An index takes about 100 bytes of memory per sentence and can be pickled.
    """

    def __init__(self) -> None:
        self._digests: Dict[str, Dict[str, Set[bytes]]] = {"dev": {}, "test": {}}

    def add(self, language: str, sentences: Iterable[str], split: str) -> None:
        """Add the sentences of a dev or test set, except empty ones.

        Raises:
            DataError: The split is another one.
        """
        if split not in self._digests:
            raise DataError(f"split is {split!r}; only sentences of dev and test are held out")
        known = self._digests[split].setdefault(language, set())
        lines = filter(None, map(normalize_spaces, sentences))
        while batch := list(islice(lines, BATCH)):
            known.update(_digests(batch))

    def overlaps(self, language: str, sentences: Sequence[str], split: str) -> List[bool]:
        """Return for each sentence of a split, with normalized spaces, whether it must be dropped.

        Training text must not contain dev and test sentences, and dev sets no test sentences.
        """
        forbidden = [
            digests for name in FORBIDDEN[split] if (digests := self._digests[name].get(language))
        ]
        if not forbidden:
            return [False] * len(sentences)
        if len(forbidden) == 1:
            return [digest in forbidden[0] for digest in _digests(sentences)]
        first, second = forbidden
        return [digest in first or digest in second for digest in _digests(sentences)]

    def restricted_to(self, languages: Iterable[str]) -> "ContaminationIndex":
        """Return the part that a job on these languages needs; it shares this index's sets."""
        part = ContaminationIndex()
        for language in set(languages):
            for split, digests in self._digests.items():
                if language in digests:
                    part._digests[split][language] = digests[language]
        return part

    def count(self, language: str) -> Tuple[int, int]:
        """Return how many different dev and test sentences of a language are known."""
        dev, test = (self._digests[split].get(language, ()) for split in ("dev", "test"))
        return len(dev), len(test)


def _digests(sentences: Sequence[str]) -> List[bytes]:
    forms = comparison_forms(sentences)
    return [blake2b(form, digest_size=DIGEST_BYTES).digest() for form in forms]

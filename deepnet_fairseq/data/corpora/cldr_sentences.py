"""Sentences of the cldr corpus.

A content is a kind of sentence and a number, the same for all languages; rendering it gives the
sentence of one language.
"""

import random
from dataclasses import dataclass
from math import prod
from typing import Dict, Iterator, List, Set, Tuple

from deepnet_fairseq.data.corpora.cldr_phrasebook import Phrasebook
from deepnet_fairseq.data.corpora.cldr_phrases import join

# Contents of a kind that are shuffled as a list; of more, numbers are sampled until one is new.
MAX_LISTED = 100000


@dataclass(frozen=True)
class Kind:
    """A sentence pattern: an optional topic, a colon, and a list of phrases."""

    topic: Tuple[str, ...]  # at most one phrase type
    body: Tuple[str, ...]  # phrase types
    style: str  # of the list: standard ("a, b, and c") or or ("a, b, or c")

    @property
    def slots(self) -> Tuple[str, ...]:
        return self.topic + self.body


KINDS: Dict[str, Kind] = {
    # Monday, March 3, 2014: Chad and Peru
    "visit": Kind(("date",), ("country", "country"), "standard"),
    # May 2014: Chad, Peru, and Japan
    "tour": Kind(("month",), ("country", "country", "country"), "standard"),
    # Chad, Peru, or Japan
    "choice": Kind((), ("country", "country", "country"), "or"),
    # Monday, March 3, 2014 or in 5 weeks
    "deadline": Kind((), ("date", "moment"), "or"),
    # 3 liters, 40 kilograms, and 90 euros
    "goods": Kind((), ("quantity", "quantity", "price"), "standard"),
    # Monday, March 3, 2014: 3 liters, 2 hours, and 9 euros
    "delivery": Kind(("date",), ("quantity", "quantity", "price"), "standard"),
    # 3 days ago: 25 kilometers and 6 hours
    "journey": Kind(("moment",), ("quantity", "quantity"), "standard"),
    # Chad: 20 euros or 23 US dollars
    "offer": Kind(("country",), ("price", "price"), "or"),
    # May 2014: 20 euros and 8 kilograms
    "budget": Kind(("month",), ("price", "quantity"), "standard"),
    # Chad: Arabic, French, and Thai
    "speakers": Kind(("country",), ("language", "language", "language"), "standard"),
    # Monday, March 3, 2014: Arabic or French
    "lesson": Kind(("date",), ("language", "language"), "or"),
}


class Sentences:
    """All contents of some kinds, numbered from 0 per kind, in every language of a phrasebook."""

    def __init__(self, phrasebook: Phrasebook, kinds: List[str]) -> None:
        self.phrasebook = phrasebook
        self.kinds = {name: KINDS[name] for name in kinds}

    def count(self, kind: str) -> int:
        """Return the number of contents of a kind; no phrase occurs twice in a sentence."""
        return prod(self._slot_sizes(self.kinds[kind]))

    def render(self, language: str, kind: str, number: int) -> str:
        """Return the sentence of a content in a language."""
        pattern = self.kinds[kind]
        numbers = self._phrase_numbers(pattern, number)
        phrases = [
            self.phrasebook.render(language, phrase_type, n)
            for phrase_type, n in zip(pattern.slots, numbers, strict=True)
        ]
        topics = len(pattern.topic)
        body = join(phrases[topics:], pattern.style, self.phrasebook.locales[language])
        return ": ".join([*phrases[:topics], body])

    def shuffled(self, seed: str) -> Iterator[Tuple[str, int]]:
        """Yield all contents in random order, one of each kind in turn until a kind runs out."""
        # A seed of text is hashed by SHA-512, the same in every process.
        orders = [
            (kind, _random_order(self.count(kind), random.Random(f"{seed}/{kind}")))
            for kind in self.kinds
        ]
        while orders:
            remaining = []
            for kind, order in orders:
                number = next(order, None)
                if number is not None:
                    remaining.append((kind, order))
                    yield kind, number
            orders = remaining

    def _slot_sizes(self, pattern: Kind) -> List[int]:
        """Return the number of choices for each slot, given those before it."""
        types = self.phrasebook.types
        return [
            max(0, types[phrase_type].size - pattern.slots[:slot].count(phrase_type))
            for slot, phrase_type in enumerate(pattern.slots)
        ]

    def _phrase_numbers(self, pattern: Kind, number: int) -> List[int]:
        """Split a content's number into a phrase number per slot.

        A slot's digit counts only phrases that no earlier slot uses.
        """
        numbers: List[int] = []
        for slot, size in enumerate(self._slot_sizes(pattern)):
            number, digit = divmod(number, size)
            same_type = (
                n
                for n, phrase_type in zip(numbers, pattern.slots, strict=False)
                if phrase_type == pattern.slots[slot]
            )
            for used in sorted(same_type):
                digit += used <= digit
            numbers.append(digit)
        return numbers


def _random_order(count: int, rng: random.Random) -> Iterator[int]:
    """Yield the numbers below `count` in random order, without a list of them if they are many."""
    if count <= MAX_LISTED:
        yield from rng.sample(range(count), count)
        return
    seen: Set[int] = set()
    while len(seen) < count:
        number = rng.randrange(count)
        if number not in seen:
            seen.add(number)
            yield number

"""Sentences of the cldr corpus: a content is a kind and a number, the same for all languages; saying it gives a language's sentence."""

from dataclasses import dataclass
from math import prod
from typing import Dict, List, Tuple

from deepnet_fairseq.data.corpora.cldr_phrases import Phrasebook, join


@dataclass(frozen=True)
class Kind:
    """A pattern of sentences: an optional topic, a colon, and a list of phrases joined by "and" (style standard) or "or"."""

    topic: Tuple[str, ...]  # at most one sort of phrase
    body: Tuple[str, ...]  # sorts of phrases
    style: str

    @property
    def slots(self) -> Tuple[str, ...]:
        return self.topic + self.body


KINDS: Dict[str, Kind] = {
    "visit": Kind(
        ("date",), ("country", "country"), "standard"
    ),  # Monday, March 3, 2014: Chad and Peru
    "tour": Kind(
        ("month",), ("country", "country", "country"), "standard"
    ),  # May 2014: Chad, Peru, and Japan
    "choice": Kind((), ("country", "country", "country"), "or"),  # Chad, Peru, or Japan
    "deadline": Kind((), ("date", "moment"), "or"),  # Monday, March 3, 2014 or in 5 weeks
    "goods": Kind(
        (), ("quantity", "quantity", "price"), "standard"
    ),  # 3 liters, 40 kilograms, and 90 euros
    "delivery": Kind(
        ("date",), ("quantity", "quantity", "price"), "standard"
    ),  # Monday, March 3, 2014: 3 liters, 2 hours, and 9 euros
    "journey": Kind(
        ("moment",), ("quantity", "quantity"), "standard"
    ),  # 3 days ago: 25 kilometers and 6 hours
    "offer": Kind(("country",), ("price", "price"), "or"),  # Chad: 20 euros or 23 US dollars
    "budget": Kind(
        ("month",), ("price", "quantity"), "standard"
    ),  # May 2014: 20 euros and 8 kilograms
    "speakers": Kind(
        ("country",), ("language", "language", "language"), "standard"
    ),  # Chad: Arabic, French, and Thai
    "lesson": Kind(
        ("date",), ("language", "language"), "or"
    ),  # Monday, March 3, 2014: Arabic or French
}


class Sentences:
    """All contents of the chosen kinds, numbered from 0 within a kind, and how each language says them."""

    def __init__(self, phrasebook: Phrasebook, kinds: List[str]) -> None:
        self.phrasebook = phrasebook
        self.kinds = {name: KINDS[name] for name in kinds}

    def count(self, kind: str) -> int:
        """How many contents a kind has: no phrase stands twice in a sentence."""
        return prod(self._slot_sizes(self.kinds[kind]))

    def say(self, language: str, kind: str, number: int) -> str:
        """The sentence of a content in a language."""
        pattern = self.kinds[kind]
        numbers = self._phrase_numbers(pattern, number)
        phrases = [
            self.phrasebook.say(language, sort, n)
            for sort, n in zip(pattern.slots, numbers, strict=True)
        ]
        topics = len(pattern.topic)
        body = join(phrases[topics:], pattern.style, self.phrasebook.locales[language])
        return ": ".join([*phrases[:topics], body])

    def _slot_sizes(self, pattern: Kind) -> List[int]:
        """The choices that remain for each slot, given those before it."""
        sorts = self.phrasebook.sorts
        return [
            max(0, sorts[sort].size - pattern.slots[:slot].count(sort))
            for slot, sort in enumerate(pattern.slots)
        ]

    def _phrase_numbers(self, pattern: Kind, number: int) -> List[int]:
        """Take a content's number apart, one digit per slot; a digit counts only phrases that no slot before it has used."""
        chosen: List[int] = []
        for slot, size in enumerate(self._slot_sizes(pattern)):
            number, digit = divmod(number, size)
            for used in sorted(
                n
                for n, sort in zip(chosen, pattern.slots, strict=False)
                if sort == pattern.slots[slot]
            ):
                digit += used <= digit
            chosen.append(digit)
        return chosen

"""Which pairs don't belong into a corpus: the settings, and the filters that they ask for in the order in which pairs pass through them.

A filter looks at a batch of pairs, whose sides it gets as two lists, and tells which to drop. The cheap ones come before the costly, and
those that know before those that guess: empty, identical, too short, too long, of too different lengths, held out, in another language.
Repeated pairs are told last (deduplicate.py), since this takes the whole corpus.
"""

from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from operator import eq
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from deepnet_fairseq.data.contamination import HeldOut
from deepnet_fairseq.data.language_identification import (
    PACKAGE,
    UNDETERMINED,
    Identifier,
    base_language,
    check_installed,
    same_language,
)
from deepnet_fairseq.data.normalize import INVISIBLE, UNICODE_FORMS
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair

LENGTH_UNITS = ("characters", "words")
# Their scripts put no spaces between words: a length in words means nothing.
WITHOUT_SPACES = {"bo", "dz", "ja", "km", "lo", "my", "th", "wuu", "yue", "zh"}

Batch = Sequence[str]
Filter = Tuple[
    str, Callable[[Batch, Batch], List[bool]]
]  # why pairs are dropped, and which of a batch are


@dataclass
class CleaningConfig:
    """What `cleaning:` holds. All but unicode_form and remove_control is about train; drop_held_out is about dev, too."""

    unicode_form: str = "NFC"  # of train and dev: NFC, NFKC (also replaces full-width letters, ligatures, superscripts ...), or none
    remove_control: bool = True  # of train and dev: control characters, soft hyphens, marks of direction; what spelling needs stays
    drop_identical: bool = False  # pairs whose two sides are the same
    length_unit: str = (
        "characters"  # or words; sides in a language written without spaces then pass
    )
    min_length: int = 1  # of either side
    max_length: Optional[int] = None  # of either side; null = any
    max_length_ratio: Optional[float] = None  # longer side to shorter side; null = any
    drop_held_out: bool = True  # pairs with a side that stands, but for case and punctuation, in a dev or test set of its language
    identify_languages: bool = (
        False  # drop pairs with a side that is surely in another language; needs py3langid
    )
    identify_min_characters: int = 20  # shorter sides are too often mistaken, and pass
    identify_min_confidence: float = 0.5  # how sure is sure
    drop_repeated: bool = True  # pairs that have come before, to the letter

    def __post_init__(self) -> None:
        for name, allowed in (("unicode_form", UNICODE_FORMS), ("length_unit", LENGTH_UNITS)):
            if getattr(self, name) not in allowed:
                raise DataError(
                    f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}"
                )
        for name, least in (
            ("min_length", 1),
            ("max_length", self.min_length),
            ("max_length_ratio", 1),
            ("identify_min_characters", 0),
        ):
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise DataError(f"{name} is {value}; it must be at least {least}")
        if not 0 <= self.identify_min_confidence < 1:
            raise DataError(
                f"identify_min_confidence is {self.identify_min_confidence}; it must be at least 0 and below 1"
            )

    def check_packages(self) -> None:
        """Raise DataError when a package is missing that these settings need."""
        if self.identify_languages:
            check_installed()

    def fingerprint(self) -> Dict[str, Any]:
        """What the result depends on."""
        return {**asdict(self), **({PACKAGE: version(PACKAGE)} if self.identify_languages else {})}


def filters_of(
    pair: Pair, split: str, config: CleaningConfig, held_out: HeldOut, notes: List[str]
) -> List[Filter]:
    """The filters of a split, in their order; adds to the notes what they cannot check. Raises DataError for another split."""
    if split not in ("train", "dev", "test"):
        raise DataError(f"split is {split!r}; it must be train, dev or test")
    if split == "test":
        return []
    filters: List[Filter] = [("with an empty side", _empty)]
    if split == "train" and config.drop_identical:
        filters.append(("with identical sides", lambda left, right: list(map(eq, left, right))))
    if split == "train":
        filters += _length_filters(pair, config, notes)
    if config.drop_held_out:
        filters.append(
            (
                "in dev or test" if split == "train" else "in test",
                partial(_held_out, pair, split, held_out),
            )
        )
    if split == "train" and config.identify_languages:
        filters.append(("in another language", _language_filter(pair, config, notes)))
    return filters


def _empty(left: Batch, right: Batch) -> List[bool]:
    return [
        not a.strip(INVISIBLE) or not b.strip(INVISIBLE) for a, b in zip(left, right, strict=True)
    ]


def _held_out(pair: Pair, split: str, held_out: HeldOut, left: Batch, right: Batch) -> List[bool]:
    sides = [
        held_out.contains_each(language, lines, split)
        for language, lines in zip(pair, (left, right), strict=True)
    ]
    return [a or b for a, b in zip(*sides, strict=True)]


def _length_filters(pair: Pair, config: CleaningConfig, notes: List[str]) -> List[Filter]:
    unmeasured = [
        side
        for side, language in enumerate(pair)
        if config.length_unit == "words" and base_language(language) in WITHOUT_SPACES
    ]
    # Spaces have been normalised, and no side is empty.
    measure = len if config.length_unit == "characters" else lambda line: line.count(" ") + 1
    least, most, ratio = config.min_length, config.max_length, config.max_length_ratio

    def outside(wrong: Callable[[int], bool], left: Batch, right: Batch) -> List[bool]:
        sides = [
            [wrong(measure(line)) for line in lines]
            for side, lines in enumerate((left, right))
            if side not in unmeasured
        ]
        return [any(side) for side in zip(*sides, strict=True)] if sides else [False] * len(left)

    def uneven(left: Batch, right: Batch) -> List[bool]:
        lengths = zip(map(measure, left), map(measure, right), strict=True)
        return [a > ratio * b or b > ratio * a for a, b in lengths]

    filters: List[Filter] = []
    if least > 1:
        filters.append(("too short", partial(outside, lambda length: length < least)))
    if most is not None:
        filters.append(("too long", partial(outside, lambda length: length > most)))
    if ratio is not None and not unmeasured:
        filters.append(("of too different lengths", uneven))
    if unmeasured and (filters or ratio is not None):
        languages = " and ".join(pair[side] for side in unmeasured)
        notes.append(
            f"{languages} has no spaces between words: its sides pass the limits of length in words"
        )
    return filters


def _language_filter(
    pair: Pair, config: CleaningConfig, notes: List[str]
) -> Callable[[Batch, Batch], List[bool]]:
    identifier = Identifier(config.identify_min_confidence)
    unknown = [language for language in pair if not identifier.knows(language)]
    notes += [
        f"the language identifier doesn't know {language}: its sides pass" for language in unknown
    ]

    def mistaken(language: str, lines: Batch) -> List[bool]:
        result = [False] * len(lines)
        if language in unknown:
            return result
        long = [
            number
            for number, line in enumerate(lines)
            if len(line) >= config.identify_min_characters
        ]
        for number, found in zip(
            long, identifier.identify([lines[number] for number in long]), strict=True
        ):
            result[number] = found != UNDETERMINED and not same_language(found, language)
        return result

    return lambda left, right: [
        a or b for a, b in zip(mistaken(pair[0], left), mistaken(pair[1], right), strict=True)
    ]

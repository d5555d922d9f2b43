"""Which sentence pairs a corpus drops: the config, and its filters in the order they are applied.

A filter gets both sides of a batch as two lists and returns which pairs to drop. Cheap filters
come before costly ones, and certain ones before guesses. Repeated pairs are dropped last (see
deduplicate.py), since that needs the whole corpus.
"""

from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from operator import eq
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from deepnet_fairseq.data.contamination import ContaminationIndex
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
Predicate = Callable[[Batch, Batch], List[bool]]
Filter = Tuple[str, Predicate]  # the reason in the counts, and which pairs are dropped


@dataclass
class CleaningConfig:
    """What `cleaning:` holds.

    Everything is about training text; unicode_form, remove_control and drop_held_out also apply
    to dev sets.
    """

    # NFC, NFKC (also replaces full-width letters, ligatures, superscripts, …), or none
    unicode_form: str = "NFC"
    # control characters, soft hyphens, marks of direction; what spelling needs stays
    remove_control: bool = True
    drop_identical: bool = False  # pairs whose two sides are the same
    # characters, or words: sides in a language written without spaces are then not measured
    length_unit: str = "characters"
    min_length: int = 1  # of either side
    max_length: Optional[int] = None  # of either side; null = any
    max_length_ratio: Optional[float] = None  # longer side to shorter side; null = any
    # pairs with a side that is, ignoring case and punctuation, in a dev or test set
    drop_held_out: bool = True
    # pairs with a side that is certainly in another language; needs py3langid
    identify_languages: bool = False
    identify_min_characters: int = 20  # shorter sides are too often mistaken, and are kept
    identify_min_confidence: float = 0.5  # what counts as certain
    drop_repeated: bool = True  # exact copies of an earlier pair

    def __post_init__(self) -> None:
        for name, allowed in (("unicode_form", UNICODE_FORMS), ("length_unit", LENGTH_UNITS)):
            value = getattr(self, name)
            if value not in allowed:
                raise DataError(f"{name} is {value!r}; choose one of {', '.join(allowed)}")
        minimums = {
            "min_length": 1,
            "max_length": self.min_length,
            "max_length_ratio": 1,
            "identify_min_characters": 0,
        }
        for name, minimum in minimums.items():
            value = getattr(self, name)
            if value is not None and not value >= minimum:
                raise DataError(f"{name} is {value}; it must be at least {minimum}")
        confidence = self.identify_min_confidence
        if not 0 <= confidence < 1:
            raise DataError(
                f"identify_min_confidence is {confidence}; it must be at least 0 and below 1"
            )

    def check_packages(self) -> None:
        """Raise DataError if a package that this config needs is missing."""
        if self.identify_languages:
            check_installed()

    def fingerprint(self) -> Dict[str, Any]:
        """Return what the cleaned text depends on."""
        return {**asdict(self), **({PACKAGE: version(PACKAGE)} if self.identify_languages else {})}


def make_filters(
    pair: Pair, split: str, config: CleaningConfig, index: ContaminationIndex, notes: List[str]
) -> List[Filter]:
    """Return the filters of a split in their order.

    Args:
        pair: The languages of the two sides.
        split: train, dev or test; a test set has no filters.
        config: Which filters to apply.
        index: The sentences of dev and test sets.
        notes: Receives a note on each thing that the filters cannot check.

    Raises:
        DataError: The split is another one.
    """
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
        reason = "in dev or test" if split == "train" else "in test"
        filters.append((reason, partial(_contaminated, pair, split, index)))
    if split == "train" and config.identify_languages:
        filters.append(("in another language", _language_filter(pair, config, notes)))
    return filters


def _empty(left: Batch, right: Batch) -> List[bool]:
    pairs = zip(left, right, strict=True)
    return [not a.strip(INVISIBLE) or not b.strip(INVISIBLE) for a, b in pairs]


def _either(left: List[bool], right: List[bool]) -> List[bool]:
    return [a or b for a, b in zip(left, right, strict=True)]


def _contaminated(
    pair: Pair, split: str, index: ContaminationIndex, left: Batch, right: Batch
) -> List[bool]:
    return _either(index.overlaps(pair[0], left, split), index.overlaps(pair[1], right, split))


def _length_filters(pair: Pair, config: CleaningConfig, notes: List[str]) -> List[Filter]:
    unmeasured = [
        side
        for side, language in enumerate(pair)
        if config.length_unit == "words" and base_language(language) in WITHOUT_SPACES
    ]
    # Spaces have been normalized, and no side is empty.
    measure = len if config.length_unit == "characters" else lambda line: line.count(" ") + 1
    minimum, maximum, ratio = config.min_length, config.max_length, config.max_length_ratio

    def outside(is_wrong: Callable[[int], bool], left: Batch, right: Batch) -> List[bool]:
        sides = [
            [is_wrong(measure(line)) for line in lines]
            for side, lines in enumerate((left, right))
            if side not in unmeasured
        ]
        return [any(side) for side in zip(*sides, strict=True)] if sides else [False] * len(left)

    def uneven(left: Batch, right: Batch) -> List[bool]:
        lengths = zip(map(measure, left), map(measure, right), strict=True)
        return [a > ratio * b or b > ratio * a for a, b in lengths]

    filters: List[Filter] = []
    if minimum > 1:
        filters.append(("too short", partial(outside, lambda length: length < minimum)))
    if maximum is not None:
        filters.append(("too long", partial(outside, lambda length: length > maximum)))
    if ratio is not None and not unmeasured:
        filters.append(("of too different lengths", uneven))
    if unmeasured and (filters or ratio is not None):
        languages = " and ".join(pair[side] for side in unmeasured)
        notes.append(
            f"{languages} has no spaces between words: its sides pass the limits of length in words"
        )
    return filters


def _language_filter(pair: Pair, config: CleaningConfig, notes: List[str]) -> Predicate:
    identifier = Identifier(config.identify_min_confidence)
    unknown = [language for language in pair if not identifier.knows(language)]
    for language in unknown:
        notes.append(f"the language identifier doesn't know {language}: its sides pass")

    def is_other(language: str, lines: Batch) -> List[bool]:
        result = [False] * len(lines)
        if language in unknown:
            return result
        minimum = config.identify_min_characters
        long = [number for number, line in enumerate(lines) if len(line) >= minimum]
        identified = identifier.identify([lines[number] for number in long])
        for number, code in zip(long, identified, strict=True):
            result[number] = code != UNDETERMINED and not same_language(code, language)
        return result

    return lambda left, right: _either(is_other(pair[0], left), is_other(pair[1], right))

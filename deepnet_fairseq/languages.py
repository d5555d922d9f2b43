"""Language codes, pairs and directions, and how they are written: `de-en`."""

from typing import Tuple

from deepnet_fairseq.errors import DataError

Pair = Tuple[str, str]  # in alphabetical order, as OPUS-100 names its files


def parse_direction(name: str) -> Pair:
    """Return source and target of a direction such as `de-en`.

    Raises:
        DataError: `name` is not two different codes with a hyphen between them.
    """
    codes = name.split("-")
    if len(codes) != 2 or not all(codes) or codes[0] == codes[1]:
        raise DataError(
            f"{name!r} is not a language pair; "
            "write two different codes with a hyphen between them, such as de-en"
        )
    return codes[0], codes[1]


def parse_pair(name: str) -> Pair:
    """Return the pair of `b-a` or `a-b` in alphabetical order, (a, b).

    Raises:
        DataError: As `parse_direction`.
    """
    return sort_pair(*parse_direction(name))


def sort_pair(one: str, other: str) -> Pair:
    """Return two languages in OPUS-100's alphabetical order."""
    return (one, other) if one < other else (other, one)


def pair_name(pair: Pair) -> str:
    """Return the pair as it is written: `de-en`."""
    return f"{pair[0]}-{pair[1]}"

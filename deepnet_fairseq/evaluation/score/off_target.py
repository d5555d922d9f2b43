"""How many translations are in another language than they should be: the usual failure of zero-shot translation."""

from functools import lru_cache
from typing import Optional, Sequence

from deepnet_fairseq.data.language_identification import (
    PACKAGE,
    UNDETERMINED,
    Identifier,
    check_installed,
    same_language,
)
from deepnet_fairseq.errors import DataError

NAME = "off-target"  # in what is left out
CONFIDENCE = 0.5  # of the identifier, from which its answer counts
NO_LANGUAGE = "zxx"  # ISO 639-3's code for numbers, addresses and the like
NOT_ANOTHER_LANGUAGE = (UNDETERMINED, NO_LANGUAGE)


def off_target_rate(
    sentences: Sequence[str], target: str, identifier: Identifier
) -> Optional[float]:
    """The percentage of all sentences that are surely in another language; None if the identifier doesn't know the target language.

    Sentences that are empty, undetermined or in no language count among all, but not as another language: the rate is a lower bound, and
    systems that translate the same test set divide by the same number. Members of a macrolanguage are one language, see
    data.language_identification.
    """
    if not identifier.knows(target):
        return None
    found = identifier.identify([sentence for sentence in sentences if sentence.strip()])
    wrong = sum(
        language not in NOT_ANOTHER_LANGUAGE and not same_language(language, target)
        for language in found
    )
    return 100 * wrong / len(sentences)


@lru_cache(maxsize=1)
def load_identifier() -> Identifier:
    """The identifier, loaded once per process. Raises DataError when its package is missing."""
    return Identifier(CONFIDENCE)


def what_is_wrong() -> str:
    """Why languages cannot be identified and what to do, in one line, or nothing."""
    try:
        check_installed()
    except DataError:
        return f"needs the package {PACKAGE}: pip install -e '.[langid]'"
    return ""

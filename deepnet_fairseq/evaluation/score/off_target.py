"""Off-target output, the usual failure of zero-shot translation: text in another language."""

from functools import lru_cache
from typing import Optional, Sequence

from deepnet_fairseq.data.language_identification import (
    PACKAGE,
    REQUIREMENT,
    UNDETERMINED,
    Identifier,
    check_installed,
    same_language,
)
from deepnet_fairseq.errors import DataError

NAME = "off-target"  # in what is left out
CONFIDENCE = 0.5  # of the identifier; less confident answers do not count
NO_LANGUAGE = "zxx"  # ISO 639-3's code for numbers, addresses and the like
NOT_ANOTHER_LANGUAGE = (UNDETERMINED, NO_LANGUAGE)


def off_target_rate(
    sentences: Sequence[str], target: str, identifier: Identifier
) -> Optional[float]:
    """Return the percentage of sentences that are surely in another language than the target.

    Sentences that are empty, undetermined or in no language count as sentences, but not as another
    language. So the rate is a lower bound, and has the same denominator for every system. Members
    of a macrolanguage are one language; see data.language_identification.

    Returns:
        The percentage, or None if the identifier does not know the target language.
    """
    if not identifier.knows(target):
        return None
    languages = identifier.identify([sentence for sentence in sentences if sentence.strip()])
    wrong = sum(
        language not in NOT_ANOTHER_LANGUAGE and not same_language(language, target)
        for language in languages
    )
    return 100 * wrong / len(sentences)


@lru_cache(maxsize=1)
def load_identifier() -> Identifier:
    """Load the identifier, once per process. Raises DataError if its package is missing."""
    return Identifier(CONFIDENCE)


def find_problem() -> str:
    """Return why languages cannot be identified and what to do, in one line, or ""."""
    try:
        check_installed()
    except DataError:
        return f'needs the package {PACKAGE}: pip install "{REQUIREMENT}"'
    return ""

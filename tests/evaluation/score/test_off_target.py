"""The rate of translations in another language, counted by hand."""

from typing import List, Optional

import pytest

from deepnet_fairseq.data.language_identification import Identifier
from deepnet_fairseq.evaluation.score.off_target import (
    find_problem,
    load_identifier,
    off_target_rate,
)

GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."
ENGLISH = "All human beings are born free and equal in dignity and rights."
CROATIAN = "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima."
EXAMPLES = {
    "all right": (["de"], [GERMAN] * 4, 0.0),
    "one of four": (["de"], [GERMAN, ENGLISH, GERMAN, GERMAN], 25.0),
    "all wrong": (["de"], [ENGLISH, CROATIAN], 100.0),
    # empty, blank, a number and an abbreviation count among the eight, but not as another language
    "what is in no language": (
        ["en"],
        [ENGLISH, GERMAN, "", "  ", "12,345.6", "OK", ENGLISH, CROATIAN],
        25.0,
    ),
    "regions and macrolanguages": (["de_AT", "de-CH"], [GERMAN, ENGLISH], 50.0),
    "Serbo-Croatian": (["sh", "hr", "bs", "sr"], [CROATIAN, GERMAN], 50.0),
    "a language that the identifier doesn't know": (["li", "yi"], [GERMAN, ENGLISH], None),
}


@pytest.mark.parametrize(("targets", "sentences", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_rate_is_as_counted_by_hand(
    targets: List[str], sentences: List[str], expected: Optional[float]
) -> None:
    assert [off_target_rate(sentences, target, load_identifier()) for target in targets] == [
        expected
    ] * len(targets)


def test_text_in_no_language_is_not_in_another_one() -> None:
    class Answers(Identifier):
        def __init__(self) -> None:
            self.languages = frozenset({"de"})

        def identify(self, sentences: List[str]) -> List[str]:
            return ["zxx", "und", "fr"]

    assert off_target_rate(["1", "2", "3"], "de", Answers()) == pytest.approx(100 / 3)


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_problem() == ""
    monkeypatch.setattr("deepnet_fairseq.data.language_identification.find_spec", lambda name: None)
    assert find_problem() == 'needs the package py3langid: pip install "py3langid>=0.4,<0.5"'

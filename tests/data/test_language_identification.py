"""Languages of sentences, groups of them that count as one, and a missing package."""

import pytest

from deepnet_fairseq.data.language_identification import (
    REQUIREMENT,
    SAME_LANGUAGE,
    UNDETERMINED,
    Identifier,
    _model,
    same_language,
)
from deepnet_fairseq.errors import DataError

# The first sentence of the Universal Declaration of Human Rights' first article.
ARTICLE = {
    "ar": "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "en": "All human beings are born free and equal in dignity and rights.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "nb": "Alle mennesker er født frie og med samme menneskeverd og menneskerettigheter.",
    "nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "sh": "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima.",
    "zh": "人人生而自由,在尊严和权利上一律平等。",
}


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    return Identifier()


def test_sentences_are_named_by_opus100s_codes(identifier: Identifier) -> None:
    results = dict(zip(ARTICLE, identifier.identify(list(ARTICLE.values())), strict=True))
    assert [code for code in ARTICLE if not same_language(results[code], code)] == []
    # the answers are languages of their own, not one group that everything is the same as
    assert len(set(results.values())) == len(ARTICLE)


def test_too_little_text_is_undetermined_rather_than_guessed(identifier: Identifier) -> None:
    assert identifier.identify(["", "OK", "7"]) == [UNDETERMINED] * 3
    assert Identifier(min_confidence=0.0).identify(["OK"]) != [UNDETERMINED]


def test_languages_of_a_group_pool_their_probability(identifier: Identifier) -> None:
    # no single one of Croatian, Bosnian and Serbian reaches 0.5
    _, confidence = _model().classify(ARTICLE["sh"])
    assert confidence < identifier.min_confidence
    assert identifier.identify([ARTICLE["sh"]])[0] in ("hr", "bs", "sr")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("no", "nb", True),
        ("nn", "no", True),
        ("no", "da", False),
        ("sh", "hr", True),
        ("sr", "bs", True),
        ("hr", "sl", False),
        ("id", "ms", True),
        ("pt_BR", "pt", True),
        ("zh-Hans", "yue", True),
        ("en", "de", False),
        ("und", "de", False),
    ],
)
def test_members_of_a_macrolanguage_are_the_same_and_neighbours_are_not(
    one: str, other: str, expected: bool
) -> None:
    assert same_language(one, other) == same_language(other, one) == expected


def test_no_language_is_in_two_groups() -> None:
    members = [code for group in SAME_LANGUAGE for code in group]
    assert len(members) == len(set(members))


def test_the_identifier_says_which_of_opus100s_languages_it_knows(identifier: Identifier) -> None:
    codes = (
        "af am an ar as az be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fr fy ga gd gl "
        "gu ha he hi hr hu hy id ig is it ja ka "
        "kk km kn ko ku ky li lt lv mg mk ml mn mr ms mt my nb ne nl nn no oc or pa pl ps pt ro ru "
        "rw se sh si sk sl sq sr sv ta te tg th "
        "tk tr tt ug uk ur uz vi wa xh yi yo zh zu"
    ).split()
    assert [code for code in codes if not identifier.knows(code)] == ["li", "yi"]


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepnet_fairseq.data.language_identification.find_spec", lambda name: None)
    with pytest.raises(
        DataError, match="needs the package py3langid; install it with: pip install"
    ) as error:
        Identifier()
    assert REQUIREMENT in str(error.value)

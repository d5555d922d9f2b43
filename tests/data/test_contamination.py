"""Held-out sentences are found again, in the right language and for the right split."""

import pickle

import pytest

from deepnet_fairseq.data.contamination import BATCH, HeldOut
from deepnet_fairseq.errors import DataError


@pytest.fixture
def held_out() -> HeldOut:
    held_out = HeldOut()
    held_out.add("de", "Ein Test.", "test")
    held_out.add("de", "Die Entwicklung", "dev")
    held_out.add("en", "only  dev", "dev")
    return held_out


@pytest.mark.parametrize(
    ("language", "sentence", "in_train", "in_dev"),
    [
        ("de", "Ein Test.", True, True),
        ("de", "»ein TEST«", True, True),
        ("de", "Ein  Test", True, True),
        ("de", "Die Entwicklung!", True, False),
        ("de", "Ein Tests", False, False),
        ("en", "Ein Test.", False, False),
        ("en", "Only dev", True, False),
        ("fr", "Ein Test.", False, False),
        ("de", "", False, False),
    ],
)
def test_train_must_not_hold_dev_or_test_sentences_and_dev_no_test_sentences(
    held_out: HeldOut, language: str, sentence: str, in_train: bool, in_dev: bool
) -> None:
    for known in (
        held_out,
        pickle.loads(pickle.dumps(held_out)),
        held_out.restricted_to(["de", "en"]),
    ):
        assert known.contains(language, sentence, "train") == in_train
        assert known.contains(language, sentence, "dev") == in_dev


def test_a_restricted_copy_knows_its_languages_only(held_out: HeldOut) -> None:
    part = held_out.restricted_to(("en", "fr"))
    assert part.contains("en", "only dev") and not part.contains("de", "Ein Test.")
    assert (
        held_out.count("de") == (1, 1) and part.count("de") == (0, 0) and part.count("en") == (1, 0)
    )


def test_empty_lines_hold_nothing_out(held_out: HeldOut) -> None:
    held_out.add_all("fr", ["", " \u3000", "?"], "test")
    assert held_out.count("fr") == (0, 1)
    assert (
        held_out.contains("fr", "?")
        and not held_out.contains("fr", "!")
        and not held_out.contains("fr", "")
    )


def test_more_sentences_than_a_batch_are_all_known() -> None:
    held_out = HeldOut()
    held_out.add_all("de", (f"Satz {number}" for number in range(BATCH + 3)), "dev")
    assert held_out.count("de") == (BATCH + 3, 0)
    assert held_out.contains_each("de", ["satz 0", f"satz {BATCH + 2}", f"satz {BATCH + 3}"]) == [
        True,
        True,
        False,
    ]


def test_training_sentences_cannot_be_held_out() -> None:
    with pytest.raises(
        DataError, match="split is 'train'; only sentences of dev and test are held out"
    ):
        HeldOut().add("de", "Satz", "train")

"""Dev and test sentences are recognized, in the right language and for the right split."""

import pickle

import pytest

from deepnet_fairseq.data.contamination import BATCH, ContaminationIndex
from deepnet_fairseq.errors import DataError


@pytest.fixture
def index() -> ContaminationIndex:
    index = ContaminationIndex()
    index.add("de", ["Ein Test."], "test")
    index.add("de", ["Die Entwicklung"], "dev")
    index.add("en", ["only  dev"], "dev")
    return index


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
    index: ContaminationIndex, language: str, sentence: str, in_train: bool, in_dev: bool
) -> None:
    for known in (
        index,
        pickle.loads(pickle.dumps(index)),
        index.restricted_to(["de", "en"]),
    ):
        assert known.overlaps(language, [sentence], "train") == [in_train]
        assert known.overlaps(language, [sentence], "dev") == [in_dev]


def test_a_restricted_copy_knows_its_languages_only(index: ContaminationIndex) -> None:
    part = index.restricted_to(("en", "fr"))
    assert part.overlaps("en", ["only dev"], "train") == [True] and part.overlaps(
        "de", ["Ein Test."], "train"
    ) == [False]
    assert index.count("de") == (1, 1) and part.count("de") == (0, 0) and part.count("en") == (1, 0)


def test_empty_lines_match_nothing(index: ContaminationIndex) -> None:
    index.add("fr", ["", " \u3000", "?"], "test")
    assert index.count("fr") == (0, 1)
    assert (
        index.overlaps("fr", ["?"], "train") == [True]
        and index.overlaps("fr", ["!"], "train") == [False]
        and index.overlaps("fr", [""], "train") == [False]
    )


def test_more_sentences_than_a_batch_are_all_known() -> None:
    index = ContaminationIndex()
    index.add("de", (f"Satz {number}" for number in range(BATCH + 3)), "dev")
    assert index.count("de") == (BATCH + 3, 0)
    assert index.overlaps("de", ["satz 0", f"satz {BATCH + 2}", f"satz {BATCH + 3}"], "train") == [
        True,
        True,
        False,
    ]


def test_training_sentences_cannot_be_held_out() -> None:
    with pytest.raises(
        DataError, match="split is 'train'; only sentences of dev and test are held out"
    ):
        ContaminationIndex().add("de", ["Satz"], "train")

"""Parallel text in OPUS-100's layout: names, reading, atomic writing and checks."""

from pathlib import Path

import pytest

from deepnet_fairseq.data.bitext import (
    SUPERVISED,
    ZERO_SHOT,
    check_pair,
    corpus_file,
    part_of_test_set,
    write_pair,
)
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines


@pytest.mark.parametrize(
    ("pair", "split", "language", "part", "expected"),
    [  # names as in OPUS-100's own archive
        (("el", "en"), "train", "el", SUPERVISED, "supervised/el-en/opus.el-en-train.el"),
        (("en", "zu"), "dev", "en", SUPERVISED, "supervised/en-zu/opus.en-zu-dev.en"),
        (("de", "fr"), "test", "fr", ZERO_SHOT, "zero-shot/de-fr/opus.de-fr-test.fr"),
        (
            ("de", "en"),
            "test",
            "de",
            part_of_test_set("newstest2017"),
            "test-sets/newstest2017/de-en/opus.de-en-test.de",
        ),
    ],
)
def test_corpus_file_is_named_as_in_opus100(
    pair: tuple, split: str, language: str, part: str, expected: str
) -> None:
    assert corpus_file(Path("root"), pair, split, language, part) == Path("root") / expected


def test_corpus_file_refuses_a_language_outside_the_pair() -> None:
    with pytest.raises(DataError, match="'fr' is not a language of the pair de-en"):
        corpus_file(Path("root"), ("de", "en"), "train", "fr")


def test_a_written_pair_reads_back_and_leaves_nothing_beside(tmp_path: Path) -> None:
    assert write_pair(tmp_path, ("de", "en"), "dev", [("Tag", "day"), ("Nacht", "night")]) == 2
    assert list(read_lines(corpus_file(tmp_path, ("de", "en"), "dev", "en"))) == ["day", "night"]
    assert check_pair(tmp_path, ("de", "en"), "dev") == 2
    assert sorted(path.name for path in (tmp_path / "supervised/de-en").iterdir()) == [
        "opus.de-en-dev.de",
        "opus.de-en-dev.en",
    ]


def test_an_interrupted_pair_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    def sentences() -> object:
        yield "Tag", "day"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pair(tmp_path, ("de", "en"), "dev", sentences())
    with pytest.raises(DataError, match="is missing"):
        check_pair(tmp_path, ("de", "en"), "dev")


def test_a_line_break_inside_a_sentence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sentence 2: a sentence must not hold a line break"):
        write_pair(tmp_path, ("de", "en"), "dev", [("a", "b"), ("a\n", "b")])


def test_sides_of_different_length_are_named_with_their_counts(tmp_path: Path) -> None:
    write_pair(tmp_path, ("de", "en"), "dev", [("Tag", "day"), ("Nacht", "night")])
    corpus_file(tmp_path, ("de", "en"), "dev", "en").write_text("day\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"opus\.de-en-dev\.de has 2 lines but .*opus\.de-en-dev\.en has 1"
    ):
        check_pair(tmp_path, ("de", "en"), "dev")

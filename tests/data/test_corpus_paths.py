"""The OPUS-100 layout: names, pairs, reading and atomic writing."""

import gzip
from pathlib import Path

import pytest

from deepnet_fairseq.data.bitext import check_pair, write_pair
from deepnet_fairseq.data.corpus_paths import SUPERVISED, ZERO_SHOT, corpus_file, part_of_test_set
from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import count_lines, read_lines
from deepnet_fairseq.languages import parse_pair


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


def test_a_pair_is_alphabetical_whichever_way_it_is_written() -> None:
    assert parse_pair("en-de") == parse_pair("de-en") == ("de", "en")


@pytest.mark.parametrize("name", ["de", "de-de", "-en", "de-en-fr", ""])
def test_a_malformed_pair_is_named(name: str) -> None:
    with pytest.raises(DataError, match=f"{name!r} is not a language pair"):
        parse_pair(name)


def test_only_newlines_end_a_line(tmp_path: Path) -> None:
    text = "one\u2028still one\x85\ntwo\r\n\nfour without newline"
    plain, packed = tmp_path / "a.txt", tmp_path / "a.txt.gz"
    plain.write_bytes(text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    expected = ["one\u2028still one\x85", "two", "", "four without newline"]
    for path in (plain, packed):
        assert list(read_lines(path)) == expected
        assert count_lines(path) == len(expected)


def test_every_kind_of_white_space_becomes_one_space() -> None:
    assert normalize_spaces("\u3000a\u00a0\u202fb\tc\u2028d ") == "a b c d"


def test_bytes_which_are_not_utf8_are_located(tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"fine\nM\xfcnchen\n")
    with pytest.raises(DataError, match=r"latin1\.txt, line 2: not UTF-8"):
        list(read_lines(path))


@pytest.mark.parametrize(
    "content",
    [b"plain text\n", gzip.compress(b"cut short\n" * 100)[:-12]],
    ids=["not gzip", "truncated"],
)
def test_a_broken_gzip_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.gz: not a whole gzip file"):
        list(read_lines(path))


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

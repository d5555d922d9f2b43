"""TED talks as a further test set: columns, gaps, and text as people write it."""

import sys
from pathlib import Path
from typing import Any

import pytest
from support.published_files import (
    Published,
    counted,
    counts_of,
    make_context,
    read_pair,
    tar_gz,
    ted_table,
)
from support.web_server import Answer

from deepnet_fairseq.data.corpora import ted
from deepnet_fairseq.data.corpora.base import FurtherTests
from deepnet_fairseq.data.corpora.bitexts import BitextsCorpus
from deepnet_fairseq.data.corpora.ted import ARCHIVE, TED_CODES, TedTestSet
from deepnet_fairseq.errors import DataError

COLUMNS = {
    "en": [
        "Hello , world !",
        "It &apos;s R &amp; D .",
        "( Laughter )",
        "__NULL__",
        "the &quot; end &quot;",
    ],
    "de": [
        "Hallo , Welt !",
        "_ _ NULL _ _",
        "",
        "Ohne Englisch .",
        "das „ Ende “ &#91; Applaus &#93;",
    ],
    "fr": [
        "__NULL__ salut",
        "C&apos; est R &amp; D .",
        "( Rires )",
        "sans anglais",
        "la «  fin  »",
    ],
    "zh-cn": ["你好 世界", "是 研发", "__NULL__", "__NULL__", "结束"],
    "nb": ["Hei", "Det er F &amp; U .", "__NULL__", "__NULL__", "__NULL__"],
    "be": ["__NULL__"] * 5,
}


@pytest.fixture(autouse=True)
def archive(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_table(published, monkeypatch, ted_table(COLUMNS))


def replace_table(published: Published, monkeypatch: pytest.MonkeyPatch, table: bytes) -> None:
    members = {
        "all_talks_dev.tsv": b"x\n",
        "all_talks_test.tsv": table,
        "all_talks_train.tsv": b"x\n",
    }
    monkeypatch.setattr(ted, "ARCHIVE", published.add(ARCHIVE, tar_gz(members)))


@pytest.fixture
def make_corpus(tmp_path: Path) -> Any:
    """Makes a corpus of the given pairs with a sentence of TED's in its training text.

    Takes the pairs, and the values of its `ted:`.
    """

    def make(*pairs: str, **values: Any) -> BitextsCorpus:
        (tmp_path / "left").write_text("something\nhello world\n")
        (tmp_path / "right").write_text("etwas\ngepflanzt\n")
        (tmp_path / "list.tsv").write_text("".join(f"{pair}\tleft\tright\n" for pair in pairs))
        config = BitextsCorpus(
            train="list.tsv", further_tests=FurtherTests(ted=TedTestSet(**values))
        )
        config.resolve_paths(tmp_path)
        return config

    return make


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("en-de", [("Hallo, Welt!", "Hello, world!"), ("das „Ende“ [Applaus]", 'the "end"')]),
        (
            "en-zh",
            [("Hello, world!", "你好世界"), ("It's R & D.", "是研发"), ('the "end"', "结束")],
        ),
        (
            "en-zh_CN",
            [("Hello, world!", "你好世界"), ("It's R & D.", "是研发"), ('the "end"', "结束")],
        ),
        ("en-no", [("Hello, world!", "Hei"), ("It's R & D.", "Det er F & U.")]),
    ],
)
def test_pairs_have_the_sentences_that_both_languages_have_without_tokens(
    make_corpus: Any, tmp_path: Path, pair: str, expected: list
) -> None:
    counts = make_corpus(pair).build(tmp_path / "corpus", make_context(tmp_path))
    first, second = sorted(pair.split("-"))
    assert read_pair(tmp_path / "corpus", (first, second), "test", "test-sets/ted") == expected
    assert counts_of(counts, f"test-sets/ted/{first}-{second}") == {
        "test": counted(len(expected), len(expected))
    }


def test_its_sentences_are_held_out_as_people_write_them(make_corpus: Any, tmp_path: Path) -> None:
    counts = make_corpus("en-de").build(tmp_path / "corpus", make_context(tmp_path))
    assert counts_of(counts, "supervised/de-en") == {"train": counted(2, 1, in_dev_or_test=1)}
    assert read_pair(tmp_path / "corpus", ("de", "en"), "train") == [("etwas", "something")]


def test_each_pair_has_sentences_of_its_own(make_corpus: Any, tmp_path: Path) -> None:
    counts = make_corpus("en-de", "en-fr", pairs="all").build(
        tmp_path / "corpus", make_context(tmp_path)
    )
    tested = {
        name: splits["test"]["kept"]
        for name, splits in counts.items()
        if name.startswith("test-sets")
    }
    assert tested == {"test-sets/ted/de-en": 2, "test-sets/ted/de-fr": 2, "test-sets/ted/en-fr": 3}


def test_a_pair_without_common_sentences_is_refused(make_corpus: Any, tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"ted_talks\.tar\.gz has no sentence in both be and en; "
        r"leave the pair out of ted\.pairs",
    ):
        make_corpus("be-en").build(tmp_path / "corpus", make_context(tmp_path))


def test_a_column_that_the_table_lacks_is_named_with_those_it_has(
    make_corpus: Any, tmp_path: Path
) -> None:
    with pytest.raises(
        DataError,
        match=r"all_talks_test\.tsv has no column xx; "
        r"give 'de' one of these in ted\.codes: en de fr zh-cn nb be$",
    ):
        make_corpus("en-de", codes={"de": "xx"}).build(tmp_path / "corpus", make_context(tmp_path))


def test_a_broken_row_is_named(
    make_corpus: Any, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    replace_table(published, monkeypatch, ted_table(COLUMNS) + b"talk_5\tcut sh")
    with pytest.raises(
        DataError,
        match=r"all_talks_test\.tsv, line 7: 2 columns where the first line has 7; "
        "fetch the archive again",
    ):
        make_corpus("en-de").build(tmp_path / "corpus", make_context(tmp_path))


def test_an_archive_fetched_by_other_means_needs_no_network(
    make_corpus: Any, published: Published, tmp_path: Path
) -> None:
    """The address may answer with a web page."""
    given = published.go_offline(tmp_path / "given")
    published.server.add("data/ted_talks.tar.gz", Answer(b"<html>moved</html>"))
    with pytest.raises(
        DataError,
        match=r"^ted_talks\.tar\.gz: no address gave it .*has 18 bytes, "
        "but was published with .* --source-dir",
    ):
        make_corpus("en-de").build(tmp_path / "online", make_context(tmp_path))
    make_corpus("en-de").build(tmp_path / "corpus", make_context(tmp_path, given))
    assert len(read_pair(tmp_path / "corpus", ("de", "en"), "test", "test-sets/ted")) == 2


def test_the_detokenizer_is_asked_for_before_any_work(
    make_corpus: Any, monkeypatch: pytest.MonkeyPatch, published: Published, tmp_path: Path
) -> None:
    assert (
        make_corpus("en-de").fingerprint()["further_tests"]["ted"]["sacremoses"].startswith("0.1")
    )
    monkeypatch.setattr(ted, "DETOKENIZER", "no-such-package")
    with pytest.raises(
        DataError, match="ted needs the package no-such-package; install it with: pip install"
    ):
        make_corpus("en-de").fingerprint()
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    with pytest.raises(DataError, match="ted needs the package"):
        make_corpus("en-de").build(tmp_path / "corpus", make_context(tmp_path))
    assert published.server.requests == []


@pytest.mark.parametrize(
    ("language", "code"),
    [("no", "nb"), ("nb", "nb"), ("zh", "zh-cn"), ("zh_TW", "zh-tw"), ("pt", "pt"), ("af", "")],
)
def test_languages_have_teds_codes(language: str, code: str) -> None:
    assert TedTestSet().code(language) == code
    assert TedTestSet(codes={language: "xx"}).code(language) == "xx"


def test_all_of_teds_languages_are_known() -> None:
    """The table's columns except calv, which is no language, and zh, which has almost nothing."""
    columns = (
        "en es pt-br fr ru he ar ko zh-cn it ja zh-tw nl ro tr de vi pl pt bg el fa sr hu hr uk cs "
        "id th sv sk sq lt da my sl mk fr-ca fi "
        "hy hi nb ka mn et ku gl mr ur eo ms az ta bn kk be eu bs"
    )
    assert set(TED_CODES.values()) == set(columns.split())


def test_a_language_without_talks_is_refused_or_left_out() -> None:
    pairs = [("af", "en"), ("de", "en")]
    with pytest.raises(DataError, match="ted has no text in af that is known here"):
        TedTestSet().select_pairs(pairs)
    assert TedTestSet(missing="skip").select_pairs(pairs) == [("de", "en")]

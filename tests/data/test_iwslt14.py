"""IWSLT 2014 German-English from its published archive, as in fairseq's script without tokens."""

from pathlib import Path
from typing import Any, Dict, List

import pytest
from support.published_files import (
    Published,
    corpus_files,
    counted,
    counts_of,
    iwslt_tags,
    iwslt_xml,
    make_context,
    prepare_all,
    read_pair,
    tar_gz,
)

from deepnet_fairseq.data.corpora import iwslt14
from deepnet_fairseq.data.corpora.iwslt14 import (
    ARCHIVE,
    PAIR,
    TESTS,
    Iwslt14Corpus,
    talk_lines,
)
from deepnet_fairseq.errors import DataError

SCRIPT_LIMITS = {"length_unit": "words", "max_length": 175, "max_length_ratio": 1.5}
UNEVEN, LONG = 3, 30  # sentences of the second talk that are outside of the script's limits
# title, description and sentences of two talks
TALKS = {
    "de": [
        (
            "Al Gore: \u00dcber Klima",
            "Mit dem Humor",
            ["Vielen Dank, CHRIS.", "", "Das ist  ein Satz aus tst2011."],
        ),
        ("Zweiter", "Beschreibung", [f"Dies ist der Satz {number}" for number in range(60)]),
    ],
    "en": [
        (
            "Al Gore: On climate",
            "With the humor",
            ["Thank you so much, Chris.", "Empty", "This English one is planted here."],
        ),
        ("Second", "Description", [f"This is the sentence {number}" for number in range(60)]),
    ],
}
TALKS["de"][1][2][UNEVEN] = "Zu kurz"
TALKS["de"][1][2][LONG] = "lang " * 176
TALKS["en"][1][2][LONG] = "long " * 176
SETS = {
    name: {
        "de": [
            f"Satz {number} von {name} f\u00fcr\u2019s \u00d6hr &amp; R&D" for number in range(2)
        ],
        "en": [f"It\u2019s sentence {number} of {name} \u2018quoted\u2018" for number in range(2)],
    }
    for name in TESTS
}
SETS["TED.tst2011"]["de"][0] = "Das ist ein Satz aus tst2011."


def archive() -> bytes:
    members = {f"de-en/train.tags.de-en.{code}": iwslt_tags(code, TALKS[code]) for code in PAIR}
    for name, texts in reversed(SETS.items()):
        members |= {
            f"de-en/IWSLT14.{name}.de-en.{code}.xml": iwslt_xml(code, texts[code]) for code in PAIR
        }
    return tar_gz({**members, "de-en/README": b"", "de-en/train.en": b"not to be taken\n"})


@pytest.fixture(autouse=True)
def published_archive(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iwslt14, "ARCHIVE", published.add(ARCHIVE, archive()))


def by_the_script(case: str) -> Dict[str, List[tuple]]:
    """The same in lists, as in fairseq's prepare-iwslt14.sh: clean, lower-cased, every 23rd out."""
    lines = {
        code: [
            line for title, description, talk in TALKS[code] for line in (title, description, *talk)
        ]
        for code in PAIR
    }
    pairs = [
        tuple(" ".join(side.split()) for side in pair)
        for pair in zip(lines["de"], lines["en"], strict=True)
    ]
    lengths = [sorted(len(side.split()) for side in pair) for pair in pairs]
    clean = [
        pair
        for pair, (short, long) in zip(pairs, lengths, strict=True)
        if 1 <= short and long <= 175 and long <= 1.5 * short
    ]
    cased = [tuple(map(str.lower, pair)) if case == "lower" else pair for pair in clean]
    return {
        "train": [pair for number, pair in enumerate(cased, start=1) if number % 23],
        "dev": [pair for number, pair in enumerate(cased, start=1) if number % 23 == 0],
    }


@pytest.mark.parametrize("case", ["lower", "kept"])
def test_training_and_validation_text_are_those_of_the_script(tmp_path: Path, case: str) -> None:
    Iwslt14Corpus(case=case).build(
        tmp_path,
        make_context(tmp_path, **SCRIPT_LIMITS, drop_held_out=False),
    )
    expected = by_the_script(case)
    assert len(expected["dev"]) == 2
    assert read_pair(tmp_path, PAIR, "train") == expected["train"]
    assert read_pair(tmp_path, PAIR, "dev") == expected["dev"]


def test_what_is_dropped_is_counted(tmp_path: Path) -> None:
    counts = Iwslt14Corpus().build(tmp_path, make_context(tmp_path, **SCRIPT_LIMITS))
    assert ("das ist ein satz aus tst2011.", "this english one is planted here.") not in read_pair(
        tmp_path, PAIR, "train"
    )
    assert counts_of(counts, "supervised/de-en") == {
        "train": counted(
            65, 60, with_an_empty_side=1, too_long=1, of_too_different_lengths=2, in_dev_or_test=1
        ),
        "dev": counted(2, 2),
        "test": counted(10, 10),
    }


def test_the_test_set_is_five_sets_one_after_another_with_plain_apostrophes(tmp_path: Path) -> None:
    Iwslt14Corpus().build(tmp_path, make_context(tmp_path))
    pairs = read_pair(tmp_path, PAIR, "test")
    names = [
        name
        for name in ("ted.dev2010", "tedx.dev2012", "ted.tst2010", "ted.tst2011", "ted.tst2012")
        for _ in range(2)
    ]
    assert [english for _, english in pairs] == [
        f"it's sentence {n % 2} of {name} \u2018quoted\u2018" for n, name in enumerate(names)
    ]
    assert pairs[0][0] == "satz 0 von ted.dev2010 f\u00fcr's \u00f6hr &amp; r&d"
    assert pairs[6][0] == "das ist ein satz aus tst2011."


def test_the_case_can_be_kept(tmp_path: Path) -> None:
    Iwslt14Corpus(case="kept").build(tmp_path, make_context(tmp_path))
    assert (
        read_pair(tmp_path, PAIR, "test")[0][0]
        == "Satz 0 von TED.dev2010 f\u00fcr's \u00d6hr &amp; R&D"
    )
    assert read_pair(tmp_path, PAIR, "train")[2] == (
        "Vielen Dank, CHRIS.",
        "Thank you so much, Chris.",
    )


def test_lines_about_a_talk_go_and_tags_around_sentences_too(tmp_path: Path) -> None:
    (tmp_path / "tags").write_bytes(
        iwslt_tags("de", [("Titel", "Text: <i>x</i>", ["ein Satz", "", " < 3 > 2"])])
    )
    assert list(talk_lines(tmp_path / "tags")) == [
        "Titel",
        "Text: <i>x</i>",
        "ein Satz",
        "",
        " < 3 > 2",
    ]


def test_an_archive_fetched_by_other_means_needs_no_network(
    published: Published, tmp_path: Path
) -> None:
    Iwslt14Corpus().build(tmp_path / "online", make_context(tmp_path))
    published.server.requests.clear()
    context = make_context(tmp_path / "elsewhere", published.go_offline(tmp_path / "given"))
    Iwslt14Corpus().build(tmp_path / "offline", context)
    assert published.server.requests == []
    assert corpus_files(tmp_path / "offline") == corpus_files(tmp_path / "online")
    assert (
        context.downloads.records == published.records()
    )  # no checksum is published: this is how the file is known afterwards


def test_an_archive_cut_short_is_refused(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(iwslt14, "ARCHIVE", published.add(ARCHIVE, archive()[:-1000]))
    with pytest.raises(
        DataError,
        match=r"downloads/de-en\.tgz: cannot be unpacked: .*; remove it to fetch it again",
    ):
        Iwslt14Corpus().build(tmp_path / "corpus", make_context(tmp_path))
    assert corpus_files(tmp_path / "corpus") == {}


def test_a_file_that_the_archive_lacks_is_named(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        iwslt14, "ARCHIVE", published.add(ARCHIVE, tar_gz({"de-en/train.tags.de-en.de": b"x\n"}))
    )
    with pytest.raises(
        DataError,
        match=r"de-en\.tgz: has no member de-en/train\.tags\.de-en\.en; "
        "it is not what was published",
    ):
        Iwslt14Corpus().build(tmp_path, make_context(tmp_path))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"case": "upper"}, "case is 'upper'; choose one of lower, kept"),
        ({"pivot": "fr"}, "pivot is 'fr'; this corpus has de and en"),
    ],
)
def test_a_wrong_config_is_explained(values: Dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Iwslt14Corpus(**values)


def test_prepare_makes_binary_data_a_report_and_a_manifest_of_it(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = prepare_all(
        tmp_path,
        monkeypatch,
        "{kind: iwslt14}",
        "{length_unit: words, max_length: 175, max_length_ratio: 1.5}",
    )
    assert manifest["corpus"]["sources"] == published.records()
    assert manifest["corpus"]["cleaning"]["max_length"] == 175
    assert manifest["lines"]["de-en"]["test"] == 10 and manifest["lines"]["de-en"]["dev"] == 2

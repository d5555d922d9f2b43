"""WMT 2017 English-German from its archives: the parts of its training text, and newstests."""

import shutil
from pathlib import Path
from typing import Any, Dict, List

import pytest
from sacrebleu.dataset import DATASETS
from support.published_files import (
    Published,
    corpus_files,
    counted,
    counts_of,
    make_context,
    prepare_all,
    read_pair,
    sgml,
    sides,
    tar_gz,
)

from deepnet_fairseq.data.corpora import wmt17
from deepnet_fairseq.data.corpora.sgml import segments
from deepnet_fairseq.data.corpora.wmt17 import PAIR, TRAINING, Wmt17Corpus
from deepnet_fairseq.errors import DataError

EUROPARL = [
    ("Wiederaufnahme der Sitzung", "Resumption of the session"),
    ("", ""),
    ("Vielen  Dank .", "Thank you ."),
]
COMMON_CRAWL = [
    ("Ein Test!", "planted by its German"),
    ("gepflanzt", "A test of 2017"),
    ("Vielen Dank .", "Thank you ."),
]
NEWS = [
    ("Was für eine Nachricht", "What news"),
    ("gepflanzt", "a dev sentence"),
    ("Q & A", "Q & A"),
]
# raw lines of the SGML files by set and language, with bare ampersands, entities and odd spaces
SETS: Dict[str, Dict[str, List[str]]] = {
    "wmt13": {
        "de": ["Ein Dev-Satz", "Noch  einer ", "Ein Test"],
        "en": ["A dev sentence", "Another\u00a0one", "Dev whose German is tested"],
    },
    "wmt14/full": {
        "de": ["Ein Test", "R&D &amp; mehr", "A <b>C</b>", ""],
        "en": [" A test", "R&D &amp; more", "A <b>C</b>", "empty"],
    },
    "wmt17": {
        "de": ["Ein Test von 2017", "\u201eJa\u201c"],
        "en": ["A test of 2017", "\u2018Yes\u2019\u2028here"],
    },
}
MEMBERS = {  # set -> language -> file
    "wmt13": {"de": "test/newstest2013-src.de.sgm", "en": "test/newstest2013-src.en.sgm"},
    "wmt14/full": {
        "de": "test-full/newstest2014-deen-ref.de.sgm",
        "en": "test-full/newstest2014-deen-src.en.sgm",
    },
    "wmt17": {"de": "test/newstest2017-ende-ref.de.sgm", "en": "test/newstest2017-ende-src.en.sgm"},
}
# the same sets the other way round, which are not to be taken
DECOYS = {
    "test-full/newstest2014-deen-ref.en.sgm": b"",
    "test-full/newstest2014-deen-src.de.sgm": b"",
    "test/newstest2017-deen-src.de.sgm": b"",
}


def news_archive(name: str, texts: Dict[str, List[str]]) -> bytes:
    members = {
        path: sgml("refset" if "-ref." in path else "srcset", code, texts[code])
        for code, path in MEMBERS[name].items()
    }
    return tar_gz({**DECOYS, **members})


@pytest.fixture(autouse=True)
def archives(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training text's three archives, with other languages in them, and sacreBLEU's three."""
    other = {"training/europarl-v7.cs-en.cs": b"x\n", "training/europarl-v7.cs-en.en": b"x\n"}
    contents = {
        "europarl-v7": {**other, **sides("training/europarl-v7.de-en", PAIR, EUROPARL)},
        "commoncrawl": {
            **sides("commoncrawl.de-en", PAIR, COMMON_CRAWL),
            "commoncrawl.de-en.annotation": b"\xff\n",
        },
        "news-commentary-v12": sides("training/news-commentary-v12.de-en", PAIR, NEWS),
    }
    replace_training(published, monkeypatch, contents)
    for name, texts in SETS.items():
        published.add_news(monkeypatch, name, news_archive(name, texts))


def replace_training(
    published: Published, monkeypatch: pytest.MonkeyPatch, contents: Dict[str, Dict[str, bytes]]
) -> None:
    for name, members in contents.items():
        text = TRAINING[name]
        monkeypatch.setitem(
            TRAINING,
            name,
            wmt17.TrainingPart(published.add(text.archive, tar_gz(members)), text.member),
        )


def plain(name: str) -> List[tuple]:
    """A set's pairs with plain spaces."""
    return [
        tuple(" ".join(line.split()) for line in lines)
        for lines in zip(SETS[name]["de"], SETS[name]["en"], strict=True)
    ]


def test_the_corpus_is_the_published_text_without_what_is_held_out(tmp_path: Path) -> None:
    counts = Wmt17Corpus().build(tmp_path, make_context(tmp_path))
    assert read_pair(tmp_path, PAIR, "train") == [
        ("Wiederaufnahme der Sitzung", "Resumption of the session"),
        ("Vielen Dank .", "Thank you ."),
        ("Was für eine Nachricht", "What news"),
        ("Q & A", "Q & A"),
    ]
    assert read_pair(tmp_path, PAIR, "dev") == plain("wmt13")[:2]
    assert read_pair(tmp_path, PAIR, "test") == plain("wmt14/full")
    assert read_pair(tmp_path, PAIR, "test", "test-sets/newstest2017") == plain("wmt17")
    assert counts_of(counts, "supervised/de-en") == {
        "train": counted(9, 4, with_an_empty_side=1, in_dev_or_test=3, repeated=1),
        "dev": counted(3, 2, in_test=1),
        "test": counted(4, 4),
    }
    assert counts_of(counts, "test-sets/newstest2017/de-en") == {"test": counted(2, 2)}


def test_the_parts_of_the_training_text_come_in_the_order_asked_for(tmp_path: Path) -> None:
    context = make_context(tmp_path, drop_held_out=False)
    Wmt17Corpus(training=["news-commentary-v12", "commoncrawl"]).build(tmp_path, context)
    assert read_pair(tmp_path, PAIR, "train") == [*NEWS, *COMMON_CRAWL]
    assert "training-parallel-europarl-v7.tgz" not in {
        record["name"] for record in context.downloads.records
    }


@pytest.fixture
def sacrebleu_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sacreBLEU fetches and unpacks its sets to."""
    for name in SETS:
        folder = tmp_path / "sacrebleu" / name
        monkeypatch.setattr(DATASETS[name], "_outdir", str(folder))
        monkeypatch.setattr(DATASETS[name], "_rawdir", str(folder / "raw"))
    return tmp_path / "sacrebleu"


def test_newstests_are_those_of_sacrebleu(tmp_path: Path, sacrebleu_folder: Path) -> None:
    Wmt17Corpus().build(tmp_path, make_context(tmp_path))
    for name, part in (("wmt14/full", "supervised"), ("wmt17", "test-sets/newstest2017")):
        dataset = DATASETS[name]
        sentences = zip(dataset.source("en-de"), dataset.references("en-de"), strict=True)
        theirs = [(reference.rstrip("\n"), source) for source, (reference,) in sentences]
        assert read_pair(tmp_path, PAIR, "test", part) == theirs


def test_archives_from_sacrebleus_cache_can_be_given(
    published: Published, tmp_path: Path, sacrebleu_folder: Path
) -> None:
    for name in SETS:
        DATASETS[name].maybe_download()
    given = published.go_offline(tmp_path / "given")
    for name in SETS:
        [cached] = (sacrebleu_folder / name / "raw").glob("*.tgz")
        assert (given / cached.name).exists()
        shutil.copy(cached, given)
    Wmt17Corpus().build(tmp_path, make_context(tmp_path, given))
    assert read_pair(tmp_path, PAIR, "test") == plain("wmt14/full")


def test_every_hundredth_pair_can_be_the_validation_text(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pairs = [(f"Satz {number}", f"sentence {number}") for number in range(1, 351)]
    pairs[199] = (
        "Satz 200 " + "lang " * 30,
        "sentence 200",
    )  # too long to validate on, and to train on
    parts = {
        "europarl-v7": pairs[:150],
        "commoncrawl": pairs[150:160],
        "news-commentary-v12": pairs[160:],
    }
    replace_training(
        published,
        monkeypatch,
        {name: sides(TRAINING[name].member, PAIR, sentences) for name, sentences in parts.items()},
    )
    counts = Wmt17Corpus(validation="held-out").build(
        tmp_path,
        make_context(tmp_path, max_length=25, length_unit="words"),
    )
    assert read_pair(tmp_path, PAIR, "dev") == [pairs[99], pairs[299]]
    assert read_pair(tmp_path, PAIR, "train") == [
        pair for number, pair in enumerate(pairs, start=1) if number % 100
    ]
    assert counts_of(counts, "supervised/de-en") == {
        "train": counted(348, 347, too_long=1),
        "dev": counted(2, 2),
        "test": counted(4, 4),
    }


def test_archives_fetched_by_other_means_need_no_network(
    published: Published, tmp_path: Path
) -> None:
    Wmt17Corpus().build(tmp_path / "online", make_context(tmp_path))
    published.server.requests.clear()
    context = make_context(tmp_path / "elsewhere", published.go_offline(tmp_path / "given"))
    Wmt17Corpus().build(tmp_path / "offline", context)
    assert published.server.requests == []
    assert corpus_files(tmp_path / "offline") == corpus_files(tmp_path / "online")
    assert (
        sorted(context.downloads.records, key=lambda record: record["name"]) == published.records()
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("training-parallel-commoncrawl.tgz", "sha256"),
        ("wmt14_full.test-full.tgz", "md5"),
        ("wmt17.test.tgz", "md5"),
    ],
)
def test_an_archive_that_is_not_the_published_one_is_refused(
    published: Published, tmp_path: Path, name: str, kind: str
) -> None:
    published.spoil(name)
    with pytest.raises(
        DataError,
        match=f"^{name}: no address gave it .* its {kind} is [0-9a-f]+, "
        f"but {name} was published with",
    ):
        Wmt17Corpus().build(tmp_path / "corpus", make_context(tmp_path))
    assert corpus_files(tmp_path / "corpus") == {}


def test_sides_of_different_length_are_refused(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    published.add_news(
        monkeypatch, "wmt17", news_archive("wmt17", {**SETS["wmt17"], "de": ["Ein Test von 2017"]})
    )
    with pytest.raises(
        DataError, match=r"newstest2017\.de ends after 1 lines, but \S*newstest2017\.en goes on"
    ):
        Wmt17Corpus().build(tmp_path, make_context(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'<refset>\n<seg id="1">Ja</seg>\n<seg id="2">Nein\n',
            r"x\.sgm, line 3: <seg> without </seg>",
        ),
        (b"<html>\n", r"x\.sgm: no line begins with <seg"),
    ],
    ids=["cut short", "no test set"],
)
def test_a_broken_test_set_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.sgm").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(segments(tmp_path / "x.sgm"))


def test_what_is_fetched_is_pinned() -> None:
    for text in TRAINING.values():
        assert text.archive.checksum and text.archive.size


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"training": []},
            r"training is \[\]; "
            "name one or more of europarl-v7, commoncrawl, news-commentary-v12, each once",
        ),
        ({"training": ["commoncrawl", "commoncrawl"]}, "each once"),
        ({"training": ["paracrawl"]}, r"training is \['paracrawl'\]"),
        (
            {"validation": "newstest2012"},
            "validation is 'newstest2012'; choose one of newstest2013, held-out",
        ),
        ({"pivot": "fr"}, "pivot is 'fr'; this corpus has de and en"),
    ],
)
def test_a_wrong_config_is_explained(values: Dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Wmt17Corpus(**values)


def test_prepare_makes_binary_data_a_report_and_a_manifest_of_it(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = prepare_all(tmp_path, monkeypatch, "{kind: wmt17}")
    assert manifest["corpus"]["sources"] == published.records()
    assert manifest["lines"]["de-en"].keys() == {"train", "dev", "test", "newstest2017"}
    assert (
        manifest["lines"]["de-en"]["test"] == 4 and manifest["lines"]["de-en"]["newstest2017"] == 2
    )

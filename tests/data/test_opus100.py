"""OPUS-100 from its archives: all pairs and splits, those only trained or tested among them."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
from support.published_files import (
    Published,
    Sentences,
    corpus_files,
    counted,
    counts_of,
    make_context,
    opus100_members,
    prepare_all,
    read_pair,
    tar_gz,
)

from deepnet_fairseq.data.corpora import opus100
from deepnet_fairseq.data.corpora.opus100 import Opus100Corpus
from deepnet_fairseq.data.corpora.opus100_files import (
    TRAIN_ONLY,
    TRAINING_PAIRS,
    WHOLE,
    ZERO_SHOT_ARCHIVE,
)
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair
from deepnet_fairseq.parallel import Jobs

AR, DE, AN, ZU = ("ar", "en"), ("de", "en"), ("an", "en"), ("en", "zu")
TEXTS: Dict[Tuple[Pair, str], Sentences] = {
    (AR, "train"): [("قطة", "a cat"), ("كلب", "a dog"), ("اختبار", "an Arabic test")],
    (AR, "dev"): [("تطوير", "development")],
    (AR, "test"): [("شيء آخر", "another thing")],
    (DE, "train"): [
        ("Katze", "cat"),
        ("Hund", "dog"),
        ("Hund", "dog"),
        ("ein test!", "something else"),  # German of its own test set
        ("etwas", "Another thing."),  # English of Arabic's test set
        ("Nullschuss", "zero shot"),  # German of the zero-shot test set
        ("", "empty"),
        ("Der Ball", "development."),  # English of Arabic's dev set
        ("مكررة", "Arabic in German"),
    ],
    (DE, "dev"): [("Ein Test", "a test"), ("Entwicklung", "development")],
    (DE, "test"): [("Ein  Test", "a test"), ("", "nothing"), ("Ein Test", "a test")],
    (AN, "train"): [("gato", "a cat"), ("can", "a test")],
    (ZU, "train"): [("a cat", "ikati"), ("a dog", "inja"), ("one more", "okunye")],
    (ZU, "dev"): [("dev of zu", "thuthukisa")],
    (ZU, "test"): [("test of zu", "uvivinyo")],
}
ZERO_SHOT = {
    (("ar", "de"), "test"): [("صفر", "Nullschuss"), ("واحد", "eins")],
    (("de", "fr"), "test"): [("zwei", "deux")],
}
NAMES = ("de-en", "ar-en", "en-zu", "an-en")


@pytest.fixture(autouse=True)
def archives(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """One archive per pair, one of the zero-shot pairs, and the one of all."""
    by_pair: Dict[Pair, Dict] = {
        pair: {key: text for key, text in TEXTS.items() if key[0] == pair} for pair, _ in TEXTS
    }
    for pair, texts in by_pair.items():
        monkeypatch.setitem(
            opus100.ARCHIVES,
            pair,
            published.add(opus100.ARCHIVES[pair], tar_gz(opus100_members(texts))),
        )
    zero_shot = opus100_members(ZERO_SHOT, "zero-shot")
    monkeypatch.setattr(
        opus100, "ZERO_SHOT_ARCHIVE", published.add(ZERO_SHOT_ARCHIVE, tar_gz(zero_shot))
    )
    everything = {
        **opus100_members(TEXTS),
        **zero_shot,
        "opus-100-corpus/v1.0/README": b"read me\n",
    }
    monkeypatch.setattr(opus100, "WHOLE", published.add(WHOLE, tar_gz(everything)))


def make_config(**values: Any) -> Opus100Corpus:
    return Opus100Corpus(**{"pairs": list(NAMES), **values})


@pytest.mark.parametrize("archive", ["pairs", "whole"])
def test_the_corpus_is_the_published_text_without_what_is_held_out(
    tmp_path: Path, archive: str
) -> None:
    counts = make_config(archive=archive).build(tmp_path, make_context(tmp_path))
    assert read_pair(tmp_path, DE, "train") == [
        ("Katze", "cat"),
        ("Hund", "dog"),
        ("مكررة", "Arabic in German"),
    ]
    assert read_pair(tmp_path, DE, "dev") == [("Entwicklung", "development")]
    assert read_pair(tmp_path, DE, "test") == [
        ("Ein Test", "a test"),
        ("", "nothing"),
        ("Ein Test", "a test"),
    ]
    assert read_pair(tmp_path, ("ar", "de"), "test", "zero-shot") == [
        ("صفر", "Nullschuss"),
        ("واحد", "eins"),
    ]
    assert list(counts) == [
        "supervised/de-en",
        "supervised/ar-en",
        "supervised/en-zu",
        "supervised/an-en",
        "zero-shot/ar-de",
    ]
    assert counts_of(counts, "supervised/de-en") == {
        "train": counted(9, 3, with_an_empty_side=1, in_dev_or_test=4, repeated=1),
        "dev": counted(2, 1, in_test=1),
        "test": counted(3, 3),
    }
    assert counts_of(counts, "zero-shot/ar-de") == {"test": counted(2, 2)}


def test_both_forms_of_the_archive_give_the_same_bytes_however_many_processes(
    tmp_path: Path,
) -> None:
    make_config().build(tmp_path / "pairs", make_context(tmp_path))
    make_config(archive="whole").build(
        tmp_path / "whole",
        make_context(tmp_path, jobs=Jobs(workers=2)),
    )
    assert len(corpus_files(tmp_path / "pairs")) == 3 * 6 + 2 + 2
    assert corpus_files(tmp_path / "pairs") == corpus_files(tmp_path / "whole")


def test_a_pair_without_dev_and_test_is_trained_only(tmp_path: Path) -> None:
    counts = make_config().build(tmp_path, make_context(tmp_path))
    assert read_pair(tmp_path, AN, "train") == [
        ("gato", "a cat")
    ]  # English of German's test set is not learned here either
    assert counts_of(counts, "supervised/an-en") == {"train": counted(2, 1, in_dev_or_test=1)}
    assert sorted(path.name for path in (tmp_path / "supervised" / "an-en").iterdir()) == [
        "opus.an-en-train.an",
        "opus.an-en-train.en",
    ]
    assert make_config().untested_pairs() == [AN]


def test_only_what_was_asked_for_is_fetched_and_nothing_unpacked_is_left(
    published: Published, tmp_path: Path
) -> None:
    context = make_context(tmp_path)
    make_config(pairs=["zu-en", "en-ar"]).build(tmp_path / "corpus", context)
    assert [record["name"] for record in context.downloads.records] == [
        f"opus-100-corpus-{name}-v1.0.tar.gz" for name in ("en-zu", "ar-en")
    ]
    assert sorted(path.name for path in (tmp_path / "corpus" / "supervised").iterdir()) == [
        "ar-en",
        "en-zu",
    ]
    assert not (tmp_path / "corpus" / ".unpacked").exists()
    assert sorted(name for name, _ in published.server.requests) == [
        f"OPUS-100/v1.0/opus-100-corpus-{name}-v1.0.tar.gz" for name in ("ar-en", "en-zu")
    ]


def test_archives_fetched_by_other_means_need_no_network(
    published: Published, tmp_path: Path
) -> None:
    make_config().build(tmp_path / "online", make_context(tmp_path))
    published.server.requests.clear()
    context = make_context(tmp_path / "elsewhere", published.go_offline(tmp_path / "given"))
    make_config().build(tmp_path / "offline", context)
    assert published.server.requests == []
    assert corpus_files(tmp_path / "offline") == corpus_files(tmp_path / "online")
    assert sorted(context.downloads.records, key=lambda record: record["name"]) == [
        record for record in published.records() if record["name"] != WHOLE.name
    ]


@pytest.mark.parametrize(
    "name", ["opus-100-corpus-en-zu-v1.0.tar.gz", "opus-100-corpus-zeroshot-v1.0.tar.gz"]
)
def test_an_archive_that_is_not_the_published_one_is_refused(
    published: Published, tmp_path: Path, name: str
) -> None:
    published.spoil(name)
    with pytest.raises(
        DataError,
        match=f"^{name}: no address gave it .* its sha256 is [0-9a-f]+, "
        f"but {name} was published with",
    ):
        make_config().build(tmp_path / "corpus", make_context(tmp_path))
    assert not (tmp_path / "downloads" / name).exists()
    assert corpus_files(tmp_path / "corpus") == {}


def test_a_pair_that_the_archive_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=rf"{WHOLE.name}: has no member "
        r"opus-100-corpus/v1\.0/supervised/en-xh/opus\.en-xh-train\.en",
    ):
        make_config(pairs=["en-xh"], archive="whole").build(tmp_path, make_context(tmp_path))


def test_the_published_files_are_those_of_the_paper() -> None:
    config = Opus100Corpus()
    assert len(config.supervised_pairs()) == 99
    assert sum(TRAINING_PAIRS.values()) == 54_656_433
    assert len(set(config.supervised_pairs()) - set(config.untested_pairs())) == 94
    assert config.untested_pairs() == list(TRAIN_ONLY)
    assert all(pair == tuple(sorted(pair)) and "en" in pair for pair in config.supervised_pairs())
    languages = {language for pair in config.supervised_pairs() for language in pair}
    assert len(languages) == 100 and languages >= {"no", "nb", "nn", "sh"}
    assert [pair for pair in config.zero_shot_pairs() if "ar" in pair] == [
        ("ar", code) for code in ("de", "fr", "nl", "ru", "zh")
    ]
    assert len(config.zero_shot_pairs()) == 15


@pytest.mark.parametrize(
    ("names", "zero_shot"),
    [
        (["de-en", "en-zu"], []),
        (["en-fr", "de-en", "ar-en"], ["ar-de", "ar-fr", "de-fr"]),
        (["en-zh", "en-nl"], ["nl-zh"]),
    ],
    ids=["none", "three", "one"],
)
def test_zero_shot_pairs_are_those_whose_languages_are_trained(
    names: list, zero_shot: list
) -> None:
    assert ["-".join(pair) for pair in Opus100Corpus(pairs=names).zero_shot_pairs()] == zero_shot
    assert Opus100Corpus(pairs=names, zero_shot=[]).zero_shot_pairs() == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pairs": []}, "pairs is empty; list some"),
        ({"pairs": ["de-fr"]}, "pairs has 'de-fr', which OPUS-100 lacks; it has af-en, "),
        ({"pairs": ["de-en", "en-de"]}, r"pairs is \['de-en', 'en-de'\]; name each pair once"),
        ({"zero_shot": ["ar-zu"]}, "zero_shot has 'ar-zu', which OPUS-100 lacks; it has ar-de, "),
        ({"zero_shot": ["fr-zh"]}, "zero_shot has 'fr-zh', but 'fr' is not one of the languages"),
        ({"pivot": "de"}, "pivot is 'de'; this corpus has text with en only"),
        ({"archive": "halves"}, "archive is 'halves'; choose one of pairs, whole"),
    ],
)
def test_a_wrong_config_is_explained(values: Dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_config(**values)


def test_the_fingerprint_changes_with_what_is_taken_for_published(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make_config().fingerprint()
    assert before == make_config().fingerprint()
    assert len(before["published"]) == 5
    assert make_config(pairs=["de-en"]).fingerprint() != before
    monkeypatch.setitem(
        opus100.ARCHIVES, DE, published.add(opus100.ARCHIVES[DE], b"another content")
    )
    assert make_config().fingerprint() != before


def test_prepare_makes_binary_data_a_report_and_a_manifest_of_it(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = prepare_all(tmp_path, monkeypatch, "{kind: opus100, pairs: [de-en, ar-en, an-en]}")
    fetched = ("an-en", "ar-en", "de-en", "zeroshot")
    assert [record["name"] for record in manifest["corpus"]["sources"]] == [
        f"opus-100-corpus-{name}-v1.0.tar.gz" for name in fetched
    ]
    assert all(record in published.records() for record in manifest["corpus"]["sources"])
    assert manifest["lines"] == {
        "de-en": {"train": 3, "dev": 1, "test": 3},
        "ar-en": {"train": 3, "dev": 1, "test": 1},
        "an-en": {"train": 1},
        "ar-de": {"test": 2},
    }


def test_prepare_goes_on_at_the_byte_where_a_download_broke(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "opus-100-corpus-de-en-v1.0.tar.gz"
    [address] = [address for address in published.server.answers if address.endswith(name)]
    whole = published.server.answers[address]
    published.server.add(address, replace(whole, sent=100), whole)
    manifest = prepare_all(
        tmp_path, monkeypatch, "{kind: opus100, pairs: [de-en]}", arguments=["--workers", "2"]
    )
    assert [asked for path, asked in published.server.requests if path == address] == [
        "",
        "bytes=100-",
    ]
    assert [record for record in published.records() if record["name"] == name] == manifest[
        "corpus"
    ]["sources"]


def test_prepare_refuses_a_wrong_checksum_and_leaves_no_corpus(
    published: Published,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    published.spoil("opus-100-corpus-de-en-v1.0.tar.gz")
    with pytest.raises(AssertionError):
        prepare_all(tmp_path, monkeypatch, "{kind: opus100, pairs: [de-en]}")
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("prepare.sh: opus-100-corpus-de-en-v1.0.tar.gz: ") and "sha256" in error
    assert (
        not list((tmp_path / "downloads").glob("*.tar.gz"))
        and not (tmp_path / "runs/experiment/corpus").exists()
    )

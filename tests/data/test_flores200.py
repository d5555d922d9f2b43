"""FLORES-200 as a further test set: its pairs and codes, and training text without it."""

import re
from pathlib import Path
from typing import Any, Dict, List

import pytest
from support.published_files import (
    Published,
    corpus_files,
    counted,
    counts_of,
    flores_members,
    make_context,
    read_pair,
    tar_gz,
)

from deepnet_fairseq.data.corpora import flores200
from deepnet_fairseq.data.corpora.base import FurtherTests
from deepnet_fairseq.data.corpora.bitexts import BitextsCorpus
from deepnet_fairseq.data.corpora.flores200 import ARCHIVE, FLORES_CODES, Flores200TestSet
from deepnet_fairseq.data.corpora.opus100_files import ARCHIVES
from deepnet_fairseq.errors import DataError

CODES = ("deu_Latn", "eng_Latn", "fra_Latn", "nob_Latn", "zho_Hans", "zho_Hant")
TEXTS = {
    split: {code: [f"{split} {number}  {code}" for number in range(3)] for code in CODES}
    for split in ("dev", "devtest")
}
CORPUS = [("de", "en"), ("en", "fr")]


@pytest.fixture(autouse=True)
def archive(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flores200, "ARCHIVE", published.add(ARCHIVE, archive_of("")))


def archive_of(prefix: str) -> bytes:
    members = {
        name: text
        for split, lines in TEXTS.items()
        for name, text in flores_members(lines, split).items()
    }
    return tar_gz(
        {"flores200_dataset/README": b"", "flores200_dataset/metadata_dev.tsv": b"", **members},
        prefix,
    )


@pytest.fixture
def make_corpus(tmp_path: Path) -> Any:
    """Makes a corpus of two pairs with a sentence of devtest in its training text.

    Takes the values of its `flores200:`.
    """
    (tmp_path / "train.de").write_text("Haus\nDevtest 1 deu_Latn!\n")
    (tmp_path / "train.en").write_text("house\nplanted\n")
    (tmp_path / "train.fr").write_text("maison\nautre\n")
    (tmp_path / "list.tsv").write_text("de-en\ttrain.de\ttrain.en\nen-fr\ttrain.en\ttrain.fr\n")

    def make(**values: Any) -> BitextsCorpus:
        config = BitextsCorpus(
            train="list.tsv", further_tests=FurtherTests(flores200=Flores200TestSet(**values))
        )
        config.resolve_paths(tmp_path)
        return config

    return make


def lines(split: str, *codes: str) -> List[tuple]:
    return [
        tuple(" ".join(line.split()) for line in row)
        for row in zip(*(TEXTS[split][code] for code in codes), strict=True)
    ]


def test_the_corpuss_pairs_are_tested_and_not_trained_on(make_corpus: Any, tmp_path: Path) -> None:
    counts = make_corpus().build(tmp_path / "corpus", make_context(tmp_path))
    assert read_pair(tmp_path / "corpus", ("de", "en"), "test", "test-sets/flores200") == lines(
        "devtest", "deu_Latn", "eng_Latn"
    )
    assert read_pair(tmp_path / "corpus", ("en", "fr"), "test", "test-sets/flores200") == lines(
        "devtest", "eng_Latn", "fra_Latn"
    )
    assert read_pair(tmp_path / "corpus", ("de", "en"), "train") == [("Haus", "house")]
    assert list(counts) == [
        "supervised/de-en",
        "supervised/en-fr",
        "test-sets/flores200/de-en",
        "test-sets/flores200/en-fr",
    ]
    assert counts_of(counts, "supervised/de-en") == {"train": counted(2, 1, in_dev_or_test=1)}
    assert counts_of(counts, "test-sets/flores200/en-fr") == {"test": counted(3, 3)}


def test_any_two_languages_and_the_other_split_can_be_tested(
    make_corpus: Any, tmp_path: Path
) -> None:
    config = make_corpus(pairs="all", split="dev")
    config.build(tmp_path / "corpus", make_context(tmp_path))
    assert config.test_sets() == {"flores200": [("de", "en"), ("de", "fr"), ("en", "fr")]}
    assert read_pair(tmp_path / "corpus", ("de", "fr"), "test", "test-sets/flores200") == lines(
        "dev", "deu_Latn", "fra_Latn"
    )
    assert read_pair(tmp_path / "corpus", ("de", "en"), "train")[1] == (
        "Devtest 1 deu_Latn!",
        "planted",
    )


def test_members_may_be_named_from_the_folder_they_were_packed_in(
    make_corpus: Any, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_corpus().build(tmp_path / "without", make_context(tmp_path))
    monkeypatch.setattr(flores200, "ARCHIVE", published.add(ARCHIVE, archive_of("./")))
    make_corpus().build(tmp_path / "with", make_context(tmp_path / "new"))
    assert corpus_files(tmp_path / "with") == corpus_files(tmp_path / "without")


def test_an_archive_fetched_by_other_means_needs_no_network(
    make_corpus: Any, published: Published, tmp_path: Path
) -> None:
    make_corpus().build(tmp_path / "online", make_context(tmp_path))
    published.server.requests.clear()
    context = make_context(tmp_path / "elsewhere", published.go_offline(tmp_path / "given"))
    make_corpus().build(tmp_path / "offline", context)
    assert published.server.requests == []
    assert corpus_files(tmp_path / "offline") == corpus_files(tmp_path / "online")
    assert published.records()[0] in context.downloads.records


def test_an_archive_that_is_not_the_published_one_is_refused(
    make_corpus: Any, published: Published, tmp_path: Path
) -> None:
    published.spoil(ARCHIVE.name)
    with pytest.raises(
        DataError, match=r"^flores200_dataset\.tar\.gz: no address gave it .* its sha256 is"
    ):
        make_corpus().build(tmp_path / "corpus", make_context(tmp_path))
    assert corpus_files(tmp_path / "corpus") == {}


def test_a_code_that_the_archive_lacks_is_named(make_corpus: Any, tmp_path: Path) -> None:
    config = make_corpus(codes={"fr": "frp_Latn"})
    with pytest.raises(
        DataError, match=r"has no member flores200_dataset/devtest/frp_Latn\.devtest"
    ):
        config.build(tmp_path / "corpus", make_context(tmp_path))


@pytest.mark.parametrize(
    ("values", "corpus", "expected"),
    [
        ({}, CORPUS, CORPUS),
        ({"pairs": "all"}, CORPUS, [("de", "en"), ("de", "fr"), ("en", "fr")]),
        ({"pairs": ["fr-de", "de-fr", "en-de"]}, CORPUS, [("de", "en"), ("de", "fr")]),
        (
            {"pairs": "all"},
            [("en", "no"), ("en", "nb")],
            [("en", "nb"), ("en", "no")],
        ),  # no and nb are one language here
        ({"missing": "skip"}, [*CORPUS, ("br", "en")], CORPUS),
        ({"codes": {"br": "bre_Latn"}}, [("br", "en")], [("br", "en")]),
    ],
    ids=["of the corpus", "all", "listed", "two codes of one language", "skipped", "another code"],
)
def test_pairs_are_chosen(values: Dict[str, Any], corpus: list, expected: list) -> None:
    assert Flores200TestSet(**values).select_pairs(corpus) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {},
            r"flores200 has no text in br, sh that is known here; "
            r"give the set's codes as flores200\.codes, or .* flores200\.missing: skip",
        ),
        (
            {"pairs": ["de-it"]},
            "flores200.pairs has 'it', but the corpus's languages are br, de, en, sh",
        ),
        (
            {"pairs": ["br-sh"], "missing": "skip"},
            "flores200 has none of the pairs that are asked for: br-sh",
        ),
        ({"pairs": "some"}, "flores200.pairs is 'some'; write corpus, all, or a list such as"),
        ({"pairs": []}, r"flores200.pairs is \[\]"),
        ({"missing": "ignore"}, "flores200.missing is 'ignore'; choose one of error, skip"),
        ({"split": "test"}, "flores200.split is 'test'; choose one of devtest, dev"),
    ],
)
def test_a_wrong_choice_is_explained(values: Dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Flores200TestSet(**values).select_pairs([("br", "en"), ("de", "en"), ("en", "sh")])


def test_chinese_can_be_in_another_script(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    pairs = [("en", "zh")]
    results = [
        Flores200TestSet(codes=codes).split_files(pairs, context.downloads, tmp_path / str(n))
        for n, codes in enumerate(({}, {"zh": "zho_Hant"}))
    ]
    assert [source.files["zh"][0].name for [source] in results] == [
        "zho_Hans.devtest",
        "zho_Hant.devtest",
    ]


def test_opus_100s_languages_have_codes_but_for_six() -> None:
    languages = {language for pair in ARCHIVES for language in pair}
    assert languages - set(FLORES_CODES) == {"an", "br", "fy", "se", "sh", "wa"}
    assert [
        code for code in FLORES_CODES.values() if not re.fullmatch(r"[a-z]{3}_[A-Z][a-z]{3}", code)
    ] == []
    shared = {
        code: [key for key, other in FLORES_CODES.items() if other == code]
        for code in FLORES_CODES.values()
    }
    assert sorted(keys for keys in shared.values() if len(keys) > 1) == [
        ["nb", "no"],
        ["ns", "nso"],
        ["zh", "zh_CN"],
    ]

"""Multi30k from its published files: one per language and split, the same captions in all."""

import re
from pathlib import Path
from typing import Any, Dict, List

import pytest
from support.published_files import (
    Published,
    corpus_files,
    counted,
    counts_of,
    gz,
    make_context,
    prepare_all,
    read_pair,
)

from deepnet_fairseq.data.corpora import multi30k
from deepnet_fairseq.data.corpora.multi30k import FILES, LATER_TESTS, Multi30kCorpus
from deepnet_fairseq.errors import DataError

CODES = ("cs", "de", "en", "fr")


def captions(split: str, count: int) -> Dict[str, List[str]]:
    return {code: [f"{split}  {number} {code}." for number in range(count)] for code in CODES}


TEXTS: Dict[str, Dict[str, List[str]]] = {
    "train": captions("train", 5),
    "val": captions("val", 2),
    **{name: captions(name, 3) for name in ("test_2016_flickr", *LATER_TESTS)},
}
TEXTS["train"]["de"][1] = "Test_2016_flickr 2 de"  # German of the test set
TEXTS["train"]["en"][2] = "test_2018_flickr 0 en"  # English of a later test set
TEXTS["val"]["fr"][0] = "test_2016_flickr 0 fr."


@pytest.fixture(autouse=True)
def files(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, file in FILES.items():
        split, _, code = name.partition(".")
        monkeypatch.setitem(FILES, name, published.add(file, gz(TEXTS[split][code])))


def lines(split: str, *codes: str) -> List[tuple]:
    return [
        tuple(" ".join(line.split()) for line in row)
        for row in zip(*(TEXTS[split][code] for code in codes), strict=True)
    ]


def test_every_language_is_paired_with_the_pivot_and_the_others_are_only_tested(
    tmp_path: Path,
) -> None:
    counts = Multi30kCorpus().build(tmp_path, make_context(tmp_path))
    assert list(counts) == [f"supervised/{name}" for name in ("cs-en", "de-en", "en-fr")] + [
        f"zero-shot/{name}" for name in ("cs-de", "cs-fr", "de-fr")
    ]
    train = lines("train", "de", "en")
    assert read_pair(tmp_path, ("de", "en"), "train") == [train[0], train[2], train[3], train[4]]
    assert read_pair(tmp_path, ("cs", "en"), "train") == lines("train", "cs", "en")
    assert read_pair(tmp_path, ("de", "en"), "dev") == lines("val", "de", "en")
    assert read_pair(tmp_path, ("en", "fr"), "dev") == lines("val", "en", "fr")[1:]
    assert read_pair(tmp_path, ("en", "fr"), "test") == lines("test_2016_flickr", "en", "fr")
    assert read_pair(tmp_path, ("cs", "de"), "test", "zero-shot") == lines(
        "test_2016_flickr", "cs", "de"
    )
    assert counts_of(counts, "supervised/de-en") == {
        "train": counted(5, 4, in_dev_or_test=1),
        "dev": counted(2, 2),
        "test": counted(3, 3),
    }
    assert counts_of(counts, "supervised/en-fr")["dev"] == counted(2, 1, in_test=1)


def test_later_tests_hold_their_sentences_out_of_training_text(tmp_path: Path) -> None:
    config = Multi30kCorpus(tests=["test_2018_flickr", "test_2017_mscoco"])
    counts = config.build(tmp_path, make_context(tmp_path))
    assert counts_of(counts, "supervised/cs-en")["train"] == counted(5, 4, in_dev_or_test=1)
    assert read_pair(tmp_path, ("cs", "fr"), "test", "test-sets/test_2018_flickr") == lines(
        "test_2018_flickr", "cs", "fr"
    )
    assert read_pair(tmp_path, ("de", "en"), "test", "test-sets/test_2017_mscoco") == lines(
        "test_2017_mscoco", "de", "en"
    )
    assert sorted(
        path.name for path in (tmp_path / "test-sets" / "test_2017_mscoco").iterdir()
    ) == ["de-en", "de-fr", "en-fr"]  # no Czech


def test_another_pivot_and_fewer_pairs_fetch_no_more_than_their_files(
    published: Published, tmp_path: Path
) -> None:
    config = Multi30kCorpus(languages=["fr"], pivot="de")
    counts = config.build(tmp_path, make_context(tmp_path))
    assert list(counts) == ["supervised/de-fr"]
    assert read_pair(tmp_path, ("de", "fr"), "test") == lines("test_2016_flickr", "de", "fr")
    fetched = [name.rpartition("/")[2] for name, _ in published.server.requests]
    assert sorted(fetched) == sorted(
        f"{split}.{code}.gz"
        for split in ("train", "val", "test_2016_flickr")
        for code in ("de", "fr")
    )


def test_zero_shot_pairs_can_be_chosen(tmp_path: Path) -> None:
    counts = Multi30kCorpus(zero_shot=["fr-de"]).build(tmp_path, make_context(tmp_path))
    assert [name for name in counts if name.startswith("zero-shot")] == ["zero-shot/de-fr"]
    assert Multi30kCorpus(zero_shot=[]).zero_shot_pairs() == []


def test_files_fetched_by_other_means_need_no_network(published: Published, tmp_path: Path) -> None:
    config = Multi30kCorpus(tests=list(LATER_TESTS))
    config.build(tmp_path / "online", make_context(tmp_path))
    published.server.requests.clear()
    context = make_context(tmp_path / "elsewhere", published.go_offline(tmp_path / "given"))
    config.build(tmp_path / "offline", context)
    assert published.server.requests == []
    assert corpus_files(tmp_path / "offline") == corpus_files(tmp_path / "online")
    assert (
        sorted(context.downloads.records, key=lambda record: record["name"]) == published.records()
    )


@pytest.mark.parametrize("name", ["train.de.gz", "test_2016_flickr.fr.gz"])
def test_a_file_that_is_not_the_published_one_is_refused(
    published: Published, tmp_path: Path, name: str
) -> None:
    published.spoil(name)
    with pytest.raises(
        DataError,
        match=f"^{name}: no address gave it .* its sha256 is [0-9a-f]+, "
        f"but {name} was published with",
    ):
        Multi30kCorpus().build(tmp_path / "corpus", make_context(tmp_path))
    assert corpus_files(tmp_path / "corpus") == {}


def test_sides_of_different_length_are_refused(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(FILES, "val.cs", published.add(FILES["val.cs"], gz(["jen jeden"])))
    with pytest.raises(
        DataError, match=r"val\.cs\.gz ends after 1 lines, but \S*val\.en\.gz goes on"
    ):
        Multi30kCorpus().build(tmp_path, make_context(tmp_path))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"languages": []}, "name some of cs, de, en, fr, each once"),
        ({"languages": ["de", "en"]}, r"languages is \['de', 'en'\] and pivot 'en'"),
        ({"languages": ["de", "es"]}, r"languages is \['de', 'es'\]"),
        ({"zero_shot": ["de-en"]}, "zero_shot has de-en, but 'en' is not one of the languages"),
        (
            {"zero_shot": ["cs-de"], "languages": ["de"]},
            "zero_shot has cs-de, but 'cs' is not one of the languages",
        ),
        (
            {"tests": ["test_2019"]},
            "tests has 'test_2019'; "
            "choose from test_2017_flickr, test_2017_mscoco, test_2018_flickr",
        ),
        (
            {"tests": ["test_2017_flickr"], "languages": ["cs"]},
            "tests has test_2017_flickr, which none of the pairs is in",
        ),
    ],
)
def test_a_wrong_config_is_explained(values: Dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Multi30kCorpus(**values)


def test_addresses_are_pinned_to_a_commit_before_a_branch() -> None:
    first, second = multi30k.ADDRESSES
    assert re.search(r"/[0-9a-f]{40}/data/task1/raw/$", first)
    assert second.endswith("/master/data/task1/raw/")


def test_prepare_makes_binary_data_a_report_and_a_manifest_of_it(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = prepare_all(tmp_path, monkeypatch, "{kind: multi30k, tests: [test_2018_flickr]}")
    fetched = [record for record in published.records() if "_2017_" not in record["name"]]
    assert manifest["corpus"]["sources"] == fetched
    assert manifest["lines"]["de-en"] == {"train": 3, "dev": 2, "test": 3, "test_2018_flickr": 3}
    assert manifest["lines"]["cs-de"] == {"test": 3, "test_2018_flickr": 3}

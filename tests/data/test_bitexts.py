"""Lists of bitexts: many per pair, and pairs without training, dev or test text."""

import gzip
import hashlib
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from support.published_files import (
    corpus_files,
    counted,
    counts_of,
    make_context,
    prepare_all,
    read_pair,
)

from deepnet_fairseq.data.corpora.bitexts import BitextsCorpus, read_list
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.parallel import Jobs

FILES: Dict[str, List[str]] = {
    "matrix.de-fr.de": ["Hund", "Katze", "", "Prüfung eins"],
    "matrix.de-fr.fr": ["chien", "chat", "vide", "examen"],
    "more.fr": ["maison", "chat", "essai trois"],
    "more.de": ["Haus", "Katze", "neu"],
    "en-fr.en": ["dog", "a trial"],
    "en-fr.fr": ["chien", "essai"],
    "dev.de": ["Entwicklung", "Prüfung eins"],
    "dev.fr": ["développement", "autre"],
    "test.de": ["Prüfung eins"],
    "test.fr": ["essai un"],
    "zero.de": ["Prüfung zwei"],
    "zero.en": ["A trial"],
    "zero.es": ["ensayo"],
    "zero.fr": ["essai trois"],
}
TRAIN = """# pair<TAB>file<TAB>file

de-fr\tmatrix.de-fr.de\tmatrix.de-fr.fr
fr-de\tmore.fr\tmore.de
en-fr\ten-fr.en\ten-fr.fr
"""
DEV = "de-fr\tdev.de\tdev.fr\n"
TEST = "fr-de\ttest.fr\ttest.de\nde-en\tzero.de\tzero.en\nes-fr\tzero.es\tzero.fr\n"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder of files, and the lists beside it."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, lines in FILES.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for name, content in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        (folder / f"{name}.tsv").write_text(content, encoding="utf-8")
    return tmp_path


def make_config(
    folder: Path,
    dev: Optional[str] = "texts/dev.tsv",
    test: Optional[str] = "texts/test.tsv",
    **values: Any,
) -> BitextsCorpus:
    config = BitextsCorpus(
        **{"train": "texts/train.tsv", "dev": dev, "test": test, "pivot": "fr", **values}
    )
    config.resolve_paths(folder)
    return config


def test_bitexts_of_a_pair_follow_one_another_without_what_is_held_out(texts: Path) -> None:
    counts = make_config(texts).build(texts / "corpus", make_context(texts))
    # dropped: an empty side, German of a test set, a repeated pair, French of a zero-shot test set
    assert read_pair(texts / "corpus", ("de", "fr"), "train") == [
        ("Hund", "chien"),
        ("Katze", "chat"),
        ("Haus", "maison"),
    ]
    assert read_pair(texts / "corpus", ("de", "fr"), "dev") == [("Entwicklung", "développement")]
    assert read_pair(texts / "corpus", ("de", "fr"), "test") == [("Prüfung eins", "essai un")]
    assert counts_of(counts, "supervised/de-fr") == {
        "train": counted(7, 3, with_an_empty_side=1, in_dev_or_test=2, repeated=1),
        "dev": counted(2, 1, in_test=1),
        "test": counted(1, 1),
    }


def test_pairs_need_neither_dev_nor_test_text_nor_training_text(texts: Path) -> None:
    config = make_config(texts)
    counts = config.build(texts / "corpus", make_context(texts))
    assert config.supervised_pairs() == [("de", "fr"), ("en", "fr")]
    assert config.zero_shot_pairs() == [("de", "en"), ("es", "fr")]
    assert config.untested_pairs() == [("en", "fr")]
    assert sorted(counts) == [
        "supervised/de-fr",
        "supervised/en-fr",
        "zero-shot/de-en",
        "zero-shot/es-fr",
    ]
    assert counts_of(counts, "supervised/en-fr") == {"train": counted(2, 1, in_dev_or_test=1)}
    assert read_pair(texts / "corpus", ("en", "fr"), "train") == [("dog", "chien")]
    assert read_pair(texts / "corpus", ("es", "fr"), "test", "zero-shot") == [
        ("ensayo", "essai trois")
    ]


def test_training_text_alone_makes_a_corpus(texts: Path) -> None:
    config = make_config(texts, dev=None, test=None)
    counts = config.build(texts / "corpus", make_context(texts))
    assert {name: list(results) for name, results in counts.items()} == {
        "supervised/de-fr": ["train"],
        "supervised/en-fr": ["train"],
    }
    assert config.untested_pairs() == config.supervised_pairs()


def test_compressed_files_absolute_paths_and_processes_give_the_same_bytes(
    texts: Path, tmp_path: Path
) -> None:
    make_config(texts).build(texts / "plain", make_context(texts))
    other = tmp_path / "other"
    other.mkdir()
    for name in FILES:
        (other / f"{name}.gz").write_bytes(gzip.compress((texts / "texts" / name).read_bytes()))
    for name in ("train", "dev", "test"):
        lines = [
            line.split("\t")
            for line in (texts / "texts" / f"{name}.tsv").read_text().splitlines()
            if "\t" in line
        ]
        (tmp_path / f"{name}.tsv").write_text(
            "".join(f"{pair}\t{other}/{a}.gz\tother/{b}.gz\r\n" for pair, a, b in lines)
        )
    config = make_config(tmp_path, train="train.tsv", dev="dev.tsv", test="test.tsv")
    config.build(texts / "packed", make_context(texts, jobs=Jobs(workers=2)))
    assert len(corpus_files(texts / "plain")) == 6 + 2 + 2 * 2
    assert corpus_files(texts / "plain") == corpus_files(texts / "packed")


def test_every_file_is_recorded_once(texts: Path) -> None:
    context = make_context(texts)
    make_config(texts).build(texts / "corpus", context)
    assert sorted(record["name"] for record in context.downloads.records) == sorted(FILES)
    content = (texts / "texts" / "zero.es").read_bytes()
    expected = {
        "name": "zero.es",
        "address": "",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert expected in context.downloads.records


def test_the_fingerprint_changes_with_the_files_and_the_lists(texts: Path) -> None:
    before = make_config(texts).fingerprint()
    assert before == make_config(texts).fingerprint()
    (texts / "texts" / "more.de").write_text("Heim\nKater\nneu\n")
    changed = make_config(texts).fingerprint()
    assert changed != before
    (texts / "texts" / "dev.tsv").write_text("# nothing\n")
    assert make_config(texts).fingerprint() != changed
    (texts / "texts" / "zero.es").unlink()
    with pytest.raises(
        DataError, match=r"there is no file \S*zero\.es, which a list of bitexts names"
    ):
        make_config(texts).fingerprint()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "de-fr more.de more.fr",
            r"list\.tsv, line 3: 'de-fr more\.de more\.fr' is not three columns",
        ),
        ("de-fr\tmore.de\tmore.fr\tx", "line 3: .* is not three columns"),
        ("de-fr\tmore.de\t", "line 3: .* is not three columns"),
        ("de\tmore.de\tmore.fr", "line 3: 'de' is not a language pair"),
        ("de-de\tmore.de\tmore.fr", "line 3: 'de-de' is not a language pair"),
    ],
    ids=["spaces", "four columns", "no file", "one language", "the same language"],
)
def test_a_line_that_is_no_bitext_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "list.tsv").write_text(f"# a list\n\n{line}\n")
    with pytest.raises(DataError, match=message):
        read_list(tmp_path / "list.tsv", "train")


def test_a_list_sorts_pairs_and_keeps_the_order_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "list.tsv").write_text("fr-en\ta\tb\nde-en\tc\td\nen-fr\te\tf\n")
    results = read_list(tmp_path / "list.tsv", "train")
    assert list(results) == [("de", "en"), ("en", "fr")]
    assert results["en", "fr"] == {
        "en": [tmp_path / "b", tmp_path / "e"],
        "fr": [tmp_path / "a", tmp_path / "f"],
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": ""}, "train is missing; name a list of bitexts"),
        ({"train": "none.tsv"}, r"train: there is no file \S*none\.tsv"),
        ({"train": "texts/empty.tsv"}, r"train: \S*empty\.tsv lists no bitext"),
        (
            {"dev": "texts/test.tsv"},
            "dev: .* has de-en, for which .*train.tsv has no training text; leave it out",
        ),
        ({"pivot": "it"}, "pivot is 'it', but the pairs' languages are de, en, es, fr"),
    ],
)
def test_a_wrong_config_is_explained(texts: Path, values: Dict[str, Any], message: str) -> None:
    (texts / "texts" / "empty.tsv").write_text("# none\n")
    with pytest.raises(DataError, match=message):
        make_config(texts, **values)


def test_sides_of_different_length_are_refused(texts: Path) -> None:
    (texts / "texts" / "more.de").write_text("Haus\n")
    with pytest.raises(DataError, match=r"more\.de ends after 1 lines, but \S*more\.fr goes on"):
        make_config(texts).build(texts / "corpus", make_context(texts))


def test_a_pair_left_without_training_text_is_refused(texts: Path) -> None:
    (texts / "texts" / "en-fr.en").write_text("A trial!\na trial\n")
    with pytest.raises(
        DataError, match=r"supervised/en-fr train: no sentences are left of 2; .* 2 in dev or test"
    ):
        make_config(texts).build(texts / "corpus", make_context(texts))


def test_prepare_makes_binary_data_a_report_and_a_manifest_of_it(
    texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = ", ".join(f"{split}: texts/{split}.tsv" for split in ("train", "dev", "test"))
    manifest = prepare_all(texts, monkeypatch, f"{{kind: bitexts, {lists}, pivot: fr}}")
    assert [record["name"] for record in manifest["corpus"]["sources"]] == sorted(FILES)
    assert manifest["lines"]["de-fr"] == {"train": 3, "dev": 1, "test": 1}
    assert manifest["lines"]["es-fr"] == {"test": 1}

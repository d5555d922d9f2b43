"""What all kinds of corpora have in common."""

from dataclasses import fields
from pathlib import Path

import pytest

from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.data.corpora import CORPORA
from deepnet_fairseq.data.corpora.base import Corpus, FileCorpus
from deepnet_fairseq.data.corpora.opus100 import Opus100Corpus
from deepnet_fairseq.errors import RecipeError


@pytest.mark.parametrize("kind", CORPORA)
def test_every_kind_accepts_a_pivot_and_a_seed(kind: str) -> None:
    assert issubclass(CORPORA[kind], Corpus)
    assert {"pivot", "seed"} <= {field.name for field in fields(CORPORA[kind])}


@pytest.mark.parametrize("kind", CORPORA)
def test_every_kind_but_cldr_takes_further_test_sets(kind: str) -> None:
    assert issubclass(CORPORA[kind], FileCorpus) == (kind != "cldr")
    has_further_tests = "further_tests" in {field.name for field in fields(CORPORA[kind])}
    assert has_further_tests == (kind != "cldr")


def test_a_seed_that_nothing_uses_is_accepted_and_a_part_of_the_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(
        "corpus: {kind: opus100, pairs: [de-en], seed: 7}\ntraining: {arch: deepnet_transformer}"
    )
    corpus = load_recipe(path).corpus
    assert corpus == Opus100Corpus(pairs=["de-en"], seed=7)
    assert corpus.fingerprint()["seed"] == 7
    assert corpus.fingerprint()["further_tests"] == {}


def test_an_unknown_key_of_a_corpus_is_named(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("corpus: {kind: cldr, languages: [de], further_tests: {ted: {}}}")
    with pytest.raises(RecipeError, match=r"experiment\.yaml: corpus\.further_tests: "):
        load_recipe(path)


def test_pairs_languages_and_test_sets_follow_from_the_config() -> None:
    corpus = Opus100Corpus(pairs=["de-en", "en-fr", "en-yo"])
    assert corpus.all_pairs() == [("de", "en"), ("en", "fr"), ("en", "yo"), ("de", "fr")]
    assert corpus.all_languages() == ["de", "en", "fr", "yo"]
    assert corpus.untested_pairs() == [("en", "yo")]
    assert corpus.test_sets() == {}

"""Fixtures of the scorers' tests."""

from pathlib import Path
from typing import Any

import pytest
from sentencepiece import SentencePieceTrainer
from support.odd_text import REFERENCES

from deepnet_fairseq.evaluation.score.scorers import language_bleu


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download fails the test that asks for it."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError(f"a download was tried: {arguments}")

    for place in (
        "sacrebleu.utils.download_file",
        "sacrebleu.tokenizers.tokenizer_spm.download_file",
        "urllib.request.urlopen",
    ):
        monkeypatch.setattr(place, refuse)


@pytest.fixture(scope="session")
def sacrebleu_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What $SACREBLEU names, with a tiny model in the place of flores200's."""
    folder = tmp_path_factory.mktemp("sacrebleu")
    (folder / "models").mkdir()
    trained = folder / "tiny"
    SentencePieceTrainer.train(
        sentence_iterator=iter(REFERENCES * 3),
        model_prefix=str(trained),
        vocab_size=300,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    trained.with_suffix(".model").rename(folder / "models" / "flores200sacrebleuspm")
    return folder


@pytest.fixture(scope="session")
def flores200_model(sacrebleu_folder: Path) -> str:
    return str(sacrebleu_folder / "models" / "flores200sacrebleuspm")


@pytest.fixture
def no_mecab(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if neither MeCab were installed."""
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ja_mecab.MeCab", None)
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ko_mecab.MeCab", None)
    language_bleu.cache_clear()

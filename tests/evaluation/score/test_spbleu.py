"""spBLEU takes a local copy of its model and never downloads one."""

import hashlib
import logging
from pathlib import Path

import pytest
from support.odd_text import HYPOTHESES, REFERENCES

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score import scorers
from deepnet_fairseq.evaluation.score.metrics import METRICS, SpBleu, choose_metrics

ALONE = [METRICS["spBLEU"]]


def test_without_the_model_spbleu_is_left_out_and_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(tmp_path))
    chosen, left_out = choose_metrics(ALONE, ["de"])
    model = tmp_path / "models" / "flores200sacrebleuspm"
    assert chosen == []
    assert left_out == {
        "spBLEU": f"the SentencePiece model {model} is not there; "
        f"get it with: curl -L --create-dirs -o {model} https://tinyurl.com/flores200sacrebleuspm"
    }
    assert list(tmp_path.iterdir()) == []


def test_the_model_that_sacrebleu_keeps_is_taken(
    sacrebleu_folder: Path, flores200_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(sacrebleu_folder))
    (kept,), _ = choose_metrics(ALONE, ["de"])
    (named,), _ = choose_metrics([SpBleu("spBLEU", flores200_model)], ["de"])
    assert kept.score(HYPOTHESES, REFERENCES, "de") == named.score(HYPOTHESES, REFERENCES, "de")


def test_a_broken_download_of_sacrebleus_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "flores200sacrebleuspm").write_bytes(b"<html>moved</html>")
    chosen, left_out = choose_metrics(ALONE, ["de"])
    assert chosen == []
    assert "is not a SentencePiece model; get it with: curl" in left_out["spBLEU"]


@pytest.mark.parametrize(
    "content", [None, b"", b"no model"], ids=["missing", "empty", "something else"]
)
def test_a_named_model_that_is_none_is_an_error(content: bytes, tmp_path: Path) -> None:
    named = tmp_path / "some.model"
    if content is not None:
        named.write_bytes(content)
    with pytest.raises(
        EvaluationError,
        match=r"flores200_model: .*some\.model is not (there|a SentencePiece model)",
    ):
        choose_metrics([SpBleu("spBLEU", str(named))], ["de"])


def test_another_model_than_the_published_one_is_warned_of(
    flores200_model: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        SpBleu("spBLEU", flores200_model).check_model()
    assert f"{flores200_model} is not the flores200 model" in caplog.text
    caplog.clear()
    monkeypatch.setattr(
        scorers, "FLORES200_SHA256", hashlib.sha256(Path(flores200_model).read_bytes()).hexdigest()
    )
    SpBleu("spBLEU", flores200_model).check_model()
    assert caplog.text == ""

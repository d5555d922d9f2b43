"""The report: that it comes back from its file as it was, and is refused where it cannot."""

import json
from pathlib import Path

import pytest
from support.sample_reports import make_report

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.report import report
from deepnet_fairseq.evaluation.score.config import EvaluationConfig


@pytest.mark.parametrize("compared", [True, False], ids=["with a reference", "without"])
def test_a_written_report_reads_back_the_same(tmp_path: Path, compared: bool) -> None:
    made = make_report(tmp_path)
    made.reference = made.reference if compared else None
    path = report.write_scores(made, tmp_path / "evaluation")
    assert path.name == "scores.json"
    assert report.read_report(path) == made
    assert not list(path.parent.glob("*.partial"))


def test_the_json_is_plain_numbers_with_their_origin(tmp_path: Path) -> None:
    held = json.loads(report.write_scores(make_report(tmp_path), tmp_path).read_text())
    assert (
        held["directions"][0]["direction"] == "ar-en"
        and held["directions"][0]["training_pairs"] == 1_000_000
    )
    assert held["signatures"]["BLEU"] == {"tok:13a|version:x": ["ar", "de", "en", "fr", "zh"]}
    assert {"fairseq", "torch", "sacrebleu", "python"} <= held["versions"].keys()
    assert "fairseq-generate" in held["decoding"] and held["date"]


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[]"])
def test_a_file_without_scores_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(EvaluationError, match=r"scores\.json holds no scores"):
        report.read_report(tmp_path / "scores.json")


def test_the_win_ratio_counts_ties_as_no_wins() -> None:
    assert (
        report.AgainstReference("12L", "", "BLEU", {}, wins=3, ties=2, losses=5).win_ratio == 30.0
    )


@pytest.mark.parametrize(("name", "value"), [("average_checkpoints", 0), ("examples", -1)])
def test_impossible_settings_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}; it must be at least"):
        EvaluationConfig(**{name: value})

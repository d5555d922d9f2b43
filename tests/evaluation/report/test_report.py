"""The report's files: scores.json reads back as it was written, scores.tsv is exact."""

import csv
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
    values = json.loads(report.write_scores(make_report(tmp_path), tmp_path).read_text())
    assert (
        values["directions"][0]["direction"] == "ar-en"
        and values["directions"][0]["training_pairs"] == 1_000_000
    )
    assert values["signatures"]["BLEU"] == {"tok:13a|version:x": ["ar", "de", "en", "fr", "zh"]}
    assert {"fairseq", "torch", "sacrebleu", "python"} <= values["versions"].keys()
    assert "fairseq-generate" in values["decoding"] and values["date"]


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[]"])
def test_a_file_without_scores_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(EvaluationError, match=r"scores\.json holds no scores"):
        report.read_report(tmp_path / "scores.json")


def test_the_win_ratio_counts_ties_as_no_wins() -> None:
    assert (
        report.AgainstReference("12L", "", "BLEU", {}, wins=3, ties=2, losses=5).win_ratio == 30.0
    )


def test_the_tsv_file_has_a_row_per_direction_with_four_decimals(tmp_path: Path) -> None:
    made = make_report(tmp_path)
    for number, result in enumerate(made.directions):
        result.scores = {"BLEU": 20.04 + number, "chrF++": 50.0 + number}
    made.directions[1].off_target = None
    path = report.write_tsv(made, tmp_path / "out")
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["direction"] for row in rows] == [d.direction for d in made.directions]
    assert (
        rows[0]["BLEU"] == "20.0400"
        and rows[0]["training_pairs"] == "1000000"
        and rows[0]["reference"] == "30.0000"
    )
    assert (
        rows[1]["off_target"] == ""
        and rows[8]["zero_shot"] == "1"
        and rows[8]["too_long"] == "1"
        and rows[8]["resource"] == ""
    )


@pytest.mark.parametrize(("name", "value"), [("average_checkpoints", 0), ("examples", -1)])
def test_impossible_values_of_the_config_are_rejected(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}; it must be at least"):
        EvaluationConfig(**{name: value})

"""The sentences of a report."""

from pathlib import Path

import pytest
from support.large_reports import opus100_report
from support.sample_reports import make_report

from deepnet_fairseq.evaluation.report import summary
from deepnet_fairseq.evaluation.report.report import Report


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """A report without a reason for warnings."""
    made = make_report(tmp_path)
    made.left_out = {}
    for result in made.directions:
        result.too_long = 0
    return made


def test_a_sound_report_has_no_warnings(report: Report) -> None:
    assert summary.warnings(report) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty", "empty source"),
        ("too_long", "too long for the model, hypothesis left empty"),
        ("cut", "hypothesis cut off at the longest that the search allows"),
        ("unknown", "source with characters that the vocabulary lacks"),
    ],
)
def test_special_lines_are_counted_by_direction_in_descending_order(
    report: Report, name: str, words: str
) -> None:
    setattr(report.directions[0], name, 1)
    assert summary.warnings(report) == [f"1 line: {words} (ar-en 1)."]
    setattr(report.directions[3], name, 1200)
    assert summary.warnings(report) == [f"1,201 lines: {words} (en-de 1200, ar-en 1)."]


def test_directions_that_ignore_their_source_and_metrics_left_out_are_named(report: Report) -> None:
    report.directions[2].ignores_source = True
    report.left_out = {"spBLEU": "no model"}
    assert summary.warnings(report) == [
        "Hypotheses do not depend on their source (see shuffled BLEU): de-en.",
        "spBLEU is left out: no model",
    ]


@pytest.mark.parametrize(("off_target", "warned"), [(21.4, False), (21.5, True), (None, False)])
def test_off_target_output_is_measured_against_the_references(
    report: Report, off_target: float, warned: bool
) -> None:
    report.directions[1].off_target = off_target  # of the references: 1.5
    expected = (
        ["Off-target output (hypotheses in another language than the target): en-ar 22%."]
        if warned
        else []
    )
    assert summary.warnings(report) == expected


def test_of_many_directions_the_worst_five_are_named() -> None:
    report = opus100_report()
    (line,) = [line for line in summary.special_lines(report) if "cut off" in line]
    count = sum(d.cut > 0 for d in report.directions)
    assert line.count(",") == 4 and line.endswith(f"and {count - 5} more).")


def test_the_reference_is_named_with_its_win_ratio(report: Report) -> None:
    assert report.reference is not None
    report.reference.wins, report.reference.ties, report.reference.losses = 7, 1, 2
    assert (
        summary.reference_line(report)
        == "BLEU against 12L (Zhang et al. 2020): 7 wins, 1 ties, 2 losses; win ratio 70.0%"
    )
    report.directions[0].scores["BLEU"] = 31.5
    assert report.reference_difference(report.directions[0]) == 1.5
    del report.reference.scores["ar-en"]
    assert report.reference_difference(report.directions[0]) is None
    report.reference = None
    assert (
        summary.reference_line(report) == ""
        and report.reference_difference(report.directions[1]) is None
    )


def test_signatures_name_their_languages_only_where_they_differ(report: Report) -> None:
    many = [f"x{i}" for i in range(90)]
    report.signatures = {
        "BLEU": {"13a": many + ["zh"]},
        "BLEU-lang": {"13a": many, "zh": ["zh"], "ja-mecab": ["ja"]},
        "chrF": {"c": []},
    }
    assert summary.signatures(report) == [
        ("BLEU", "13a", ""),
        ("BLEU-lang", "zh", "zh"),
        ("BLEU-lang", "ja-mecab", "ja"),
        ("BLEU-lang", "13a", "all other target languages"),
        ("chrF", "c", ""),
    ]


def test_hypotheses_of_another_system_have_no_checkpoint(report: Report) -> None:
    assert summary.origin(report)["checkpoint"] == (
        "runs/toy/checkpoints/mean.pt, the mean of checkpoint2.pt (update 200), "
        "checkpoint1.pt (update 100)"
    )
    report.checkpoint = ""
    assert "checkpoint" not in summary.origin(report)

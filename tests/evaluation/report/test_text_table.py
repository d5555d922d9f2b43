"""The tables: aligned in the terminal, whole in Markdown."""

from pathlib import Path

import pytest
from support.large_reports import opus100_report
from support.sample_reports import make_report

from deepnet_fairseq.evaluation.report import text_table
from deepnet_fairseq.evaluation.report.report import Report


@pytest.fixture
def report(tmp_path: Path) -> Report:
    made = make_report(tmp_path)
    for number, result in enumerate(made.directions):
        result.scores = {"BLEU": 20.04 + number, "chrF++": 50.0 + number}
    return made


def test_the_terminals_table_is_aligned_and_has_every_metric(report: Report) -> None:
    table = text_table.as_text(report).split("\n\n")[0].splitlines()
    assert len(table) == 11 and len({len(line) for line in table}) == 1
    head = (
        "direction lines BLEU chrF++ reference difference shuffled BLEU off-target % of references"
    )
    assert " ".join(table[0].split()) == head
    assert table[1].split() == ["ar-en", "12", "20.0", "50.0", "30.0", "−10.0", "1.2", "3.5", "1.5"]
    assert table[9].split() == [
        "de-fr",
        "(zero-shot)",
        "12",
        "28.0",
        "58.0",
        "30.0",
        "−2.0",
        "1.2",
        "3.5",
        "1.5",
    ]


def test_columns_of_what_was_not_measured_are_left_out(report: Report) -> None:
    report.reference = None
    for result in report.directions:
        result.off_target = result.off_target_references = None
    del report.directions[0].scores["chrF++"]
    assert text_table.direction_rows(report, report.directions[:1]) == [
        ["direction", "lines", "BLEU", "chrF++", "shuffled BLEU"],
        ["ar-en", "12", "20.0", "–", "1.2"],
    ]


def test_notes_and_signatures_are_below_the_tables(report: Report) -> None:
    text = text_table.as_text(report)
    assert "win ratio 100.0%" in text and "spBLEU is left out: needs a model" in text
    assert "2 lines: too long for the model, hypothesis left empty (de-fr 1, fr-de 1)." in text
    assert text.count("tok:13a|version:x") == 1


def test_of_very_many_directions_the_terminal_shows_the_worst_and_the_best() -> None:
    report = opus100_report()
    blocks = text_table.as_text(report).split("\n\n")
    assert len(text_table.as_text(report).splitlines()) < 100
    ranked = sorted((d.scores["BLEU"], d.direction) for d in report.directions)
    assert blocks[0].startswith("mean over") and blocks[1].startswith(
        "the 10 worst of 218 directions\n"
    )
    assert [line.split()[0] for line in blocks[1].splitlines()[2:]] == [
        name for _, name in ranked[:10]
    ]
    assert [line.split()[0] for line in blocks[2].splitlines()[2:]] == [
        name for _, name in ranked[::-1][:10]
    ]
    assert blocks[3] == "scores.md has all directions."
    assert all(f"| {d.direction}" in text_table.as_markdown(report) for d in report.directions)


def test_markdown_has_every_fact_and_its_tables_are_whole(report: Report) -> None:
    page = text_table.as_markdown(report)
    for fact in (
        "checkpoint2.pt (update 200)",
        "`tok:13a|version:x`",
        "fairseq-generate data-bin --beam 4",
        report.date,
        "| ar-en | 12 | 20.0 |",
    ):
        assert fact in page
    tables = [block.splitlines() for block in page.split("\n\n") if block.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [(1.25, "+1.2"), (-3.0, "−3.0"), (-0.04, "+0.0"), (0.0, "+0.0"), (None, "–")],
)
def test_differences_have_their_sign(value: float, words: str) -> None:
    assert text_table.format_score(value, signed=True) == words


def test_scores_md_is_the_markdown(report: Report, tmp_path: Path) -> None:
    path = text_table.write_markdown(report, tmp_path / "out")
    assert path.name == "scores.md" and path.read_text() == text_table.as_markdown(report)

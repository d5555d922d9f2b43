"""The report: what it holds, how it reads, and that it comes back from its file as it was."""

import json
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from deepnet_fairseq.evaluation import EvaluationError, report
from deepnet_fairseq.evaluation.config import EvaluationConfig
from deepnet_fairseq.evaluation.decode import Hypotheses
from deepnet_fairseq.evaluation.dependence import Dependence
from deepnet_fairseq.evaluation.direction import Direction, both_ways
from deepnet_fairseq.evaluation.score import Score

DIRECTIONS = both_ways([("de", "en")], [("de", "fr")])


@pytest.fixture
def made(tmp_path: Path) -> report.Report:
    found, scores, checks = results(tmp_path)
    return report.Report(
        config="configs/toy.yaml",
        checkpoint="runs/toy/mean.pt",
        averaged_from=[{"file": "checkpoint2.pt", "updates": 200}, {"file": "checkpoint1.pt", "updates": 100}],
        decoding="fairseq-generate data-bin --beam 4",
        signatures=report.common_signatures(scores),
        directions=report.score_table(found, scores, checks),
        means=report.mean_table(scores, "en"),
        examples=report.pick_examples(found, tmp_path, 2),
    )


def results(folder: Path) -> Tuple[List[Hypotheses], Dict[Direction, Score], Dict[Direction, Dependence]]:
    """Ten lines per direction; BLEU 10, 20, 30, 40."""
    found = []
    for direction in DIRECTIONS:
        for path in (direction.sources(folder), direction.references(folder), folder / direction.name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{path.name} | {i}\n" for i in range(10)))
        found.append(Hypotheses(direction, folder / direction.name, 10, skipped=2 if direction.zero_shot else 0))
    scores = {d: Score(10.0 * i, 50.0 + i, 10, "tok:13a", "nc:6") for i, d in enumerate(DIRECTIONS, start=1)}
    return found, scores, {d: Dependence(scores[d].bleu, 1.25, 0.5, 10) for d in DIRECTIONS}


def test_a_written_report_reads_back_the_same(made: report.Report, tmp_path: Path) -> None:
    paths = report.write_report(made, tmp_path / "evaluation")
    assert [path.name for path in paths] == ["scores.json", "scores.md"]
    assert report.read_report(paths[0]) == made
    assert not list(paths[0].parent.glob("*.partial"))


def test_the_json_is_plain_numbers_with_their_origin(made: report.Report, tmp_path: Path) -> None:
    held = json.loads(report.write_report(made, tmp_path)[0].read_text())
    assert held["directions"][2] == {
        "direction": "de-fr",
        "zero_shot": True,
        "lines": 10,
        "skipped": 2,
        "bleu": 30.0,
        "chrf": 53.0,
        "shuffled_bleu": 1.25,
        "distinct": 0.5,
        "ignores_source": False,
    }
    assert held["means"][2] == {"name": "all supervised", "bleu": 15.0, "chrf": 51.5, "directions": 2}
    assert held["signatures"] == {"BLEU": "tok:13a", "chrF": "nc:6"}
    assert {"fairseq", "torch", "sacrebleu", "python"} <= held["versions"].keys()
    assert "fairseq-generate" in held["decoding"] and held["date"]


def test_the_text_table_is_aligned(made: report.Report) -> None:
    table = report.as_text(made).split("\n\n")[0].splitlines()
    assert len({len(line) for line in table}) == 1
    assert table[0].split() == ["direction", "lines", "BLEU", "chrF", "shuffled", "BLEU"]
    assert table[1].split() == ["de-en", "10", "10.0", "51.0", "1.2"]
    assert table[4].split() == ["fr-de", "(zero-shot)", "10", "(2", "skipped)", "40.0", "54.0", "1.2"]


def test_markdown_holds_every_fact_and_its_tables_are_whole(made: report.Report) -> None:
    page = report.as_markdown(made)
    facts = ("checkpoint2.pt (update 200)", "`tok:13a`", "fairseq-generate data-bin --beam 4", "| zero-shot | 2 | 35.0 | 53.5 |")
    for fact in (*facts, made.date):
        assert fact in page
    tables = [block.splitlines() for block in page.split("\n\n") if block.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_examples_come_from_other_directions_and_lines_and_belong_together(made: report.Report) -> None:
    assert [(e["direction"], e["line"]) for e in made.examples] == [("en-de", 3), ("fr-de", 8)]
    assert made.examples[0]["source"] == "opus.de-en-test.en | 2"
    assert made.examples[0]["reference"] == "opus.de-en-test.de | 2"
    assert made.examples[0]["hypothesis"] == "en-de | 2"


def test_no_more_examples_than_directions(tmp_path: Path) -> None:
    found = results(tmp_path)[0]
    assert len(report.pick_examples(found, tmp_path, 9)) == 4
    assert report.pick_examples(found, tmp_path, 0) == []


def test_scores_of_different_kinds_do_not_share_a_table() -> None:
    scores = {DIRECTIONS[0]: Score(1, 2, 3, "tok:13a", "c"), DIRECTIONS[1]: Score(1, 2, 3, "tok:zh", "c")}
    with pytest.raises(EvaluationError, match="tok:13a, tok:zh"):
        report.common_signatures(scores)


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[]"])
def test_a_file_without_scores_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(EvaluationError, match=r"scores\.json holds no scores"):
        report.read_report(tmp_path / "scores.json")


@pytest.mark.parametrize(("name", "value"), [("average_checkpoints", 0), ("examples", -1)])
def test_impossible_settings_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}; it must be at least"):
        EvaluationConfig(**{name: value})

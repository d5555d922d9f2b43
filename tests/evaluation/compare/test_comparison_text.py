"""The tables have the comparison's numbers; of very many directions, the terminal has a part."""

import json
import re
from pathlib import Path
from typing import List

import pytest
from support.comparisons import make_comparison

from deepnet_fairseq.evaluation.compare.compare import write_comparison
from deepnet_fairseq.evaluation.compare.result import Comparison, SystemOutcome, write_json
from deepnet_fairseq.evaluation.compare.text import (
    as_markdown,
    as_text,
    direction_rows,
    outcome_lines,
)
from deepnet_fairseq.evaluation.score.significance import BETTER, WORSE


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    return make_comparison(tmp_path)


def rows_of(text: str, direction: str) -> List[List[str]]:
    return [
        re.split(r" {2,}", line) for line in text.splitlines() if re.match(rf"{direction}\b", line)
    ]


def test_every_direction_has_a_row_with_scores_difference_p_and_outcome(
    comparison: Comparison,
) -> None:
    text = as_text(comparison)
    for direction in comparison.directions:
        ((_, lines, ours, theirs, difference, p, outcome),) = rows_of(text, direction.direction)
        scores, test = direction.scores["BLEU"], direction.tests["BLEU"]["deepnet_1"]
        assert (int(lines), ours, theirs) == (
            direction.lines,
            f"{scores['post_ln']:.1f}",
            f"{scores['deepnet_1']:.1f}",
        )
        assert float(difference.replace("−", "-")) == pytest.approx(
            scores["deepnet_1"] - scores["post_ln"], abs=0.0501
        )
        assert (p, outcome) == (
            f"{test.p_value:.3f}",
            test.outcome if test.outcome in (BETTER, WORSE) else "–",
        )


def test_columns_are_aligned(comparison: Comparison) -> None:
    for block in as_text(comparison).split("\n\n")[:2]:
        assert len({len(line) for line in block.splitlines()}) == 1


def test_of_very_many_directions_the_terminal_has_the_largest_differences(tmp_path: Path) -> None:
    comparison = make_comparison(tmp_path, large=True)
    text = as_text(comparison)
    ranked = sorted(
        comparison.directions, key=lambda d: comparison.difference(d, "deepnet_1"), reverse=True
    )
    shown = {d.direction for d in comparison.directions if rows_of(text, d.direction)}
    assert shown == {d.direction for d in [*ranked[:10], *ranked[-10:]]}
    gains = text.split("largest gains")[1].split("\n\n")[0].splitlines()[2:]
    assert [line.split()[0] for line in gains] == [d.direction for d in ranked[:10]]
    assert text.count("\n") < 100
    assert "comparison.md has all 218 directions." in text and all(
        f"| {d.direction} " in as_markdown(comparison) for d in ranked
    )


def test_the_number_of_significant_differences_by_chance_is_given(comparison: Comparison) -> None:
    outcome = SystemOutcome("deepnet_1", wins=120, ties=10, losses=58, better=90, worse=20)
    comparison.directions *= 188 // 16 + 1
    del comparison.directions[188:]
    assert outcome_lines(comparison, outcome) == [
        "deepnet_1 against post_ln, BLEU: 120 wins, 10 ties, 58 losses in 188 directions; "
        "win ratio 63.8 %.",
        "Significantly better in 90, worse in 20 (p < 0.05, paired bootstrap, 1,000 samples); "
        "chance alone would make about 9.4 of 188 seem significant.",
    ]


def test_without_a_test_there_are_no_p_and_outcome(comparison: Comparison) -> None:
    comparison.test = "none"
    assert direction_rows(comparison, comparison.directions)[0] == [
        "direction",
        "lines",
        "post_ln",
        "deepnet_1",
        "difference",
    ]
    assert "Not tested for significance." in as_text(comparison) and "chance" not in as_text(
        comparison
    )


def test_markdown_keeps_its_columns_whatever_the_sentences_hold(comparison: Comparison) -> None:
    for block in as_markdown(comparison).split("\n\n"):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_json_has_win_ratios_and_the_number_by_chance(
    comparison: Comparison, tmp_path: Path
) -> None:
    values = json.loads(write_json(comparison, tmp_path).read_text(encoding="utf-8"))
    outcome = values["outcomes"][0]
    assert outcome["win_ratio"] == pytest.approx(100 * outcome["wins"] / 16)
    assert values["significant_by_chance"] == pytest.approx(0.8)
    assert values["directions"][0]["scores"]["BLEU"].keys() == {"post_ln", "deepnet_1"}


def test_all_files_are_written_and_a_former_picture_is_removed(
    comparison: Comparison, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "comparison.png").touch()
    written = write_comparison(comparison, folder)
    names = ["comparison.json", "comparison.md", "comparison.html"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)

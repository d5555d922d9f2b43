"""Examples: spread over directions and lines, with three sentences that belong together."""

from pathlib import Path
from typing import Dict

import pytest

from deepnet_fairseq.evaluation.report.build_report import pick_examples
from deepnet_fairseq.evaluation.score.score import ScoringJob

DIRECTIONS = ("de-en", "en-de", "de-fr", "fr-de")
LINES = dict.fromkeys(DIRECTIONS, 10)


@pytest.fixture
def jobs(tmp_path: Path) -> Dict[str, ScoringJob]:
    """Four directions of ten lines."""
    made = {}
    for name in DIRECTIONS:
        paths = [tmp_path / f"{name}.{kind}" for kind in ("source", "hypothesis", "reference")]
        for path in paths:
            path.write_text("".join(f"{path.name} {i}\n" for i in range(1, 11)))
        made[name] = ScoringJob(*paths, target=name[-2:])
    return made


def test_examples_are_from_different_directions_and_lines_and_belong_together(
    jobs: Dict[str, ScoringJob],
) -> None:
    picked = pick_examples(jobs, LINES, 2)
    assert [(e.direction, e.line) for e in picked] == [("en-de", 3), ("fr-de", 8)]
    assert (picked[0].source, picked[0].reference, picked[0].hypothesis) == (
        "en-de.source 3",
        "en-de.reference 3",
        "en-de.hypothesis 3",
    )


def test_no_more_examples_than_directions(jobs: Dict[str, ScoringJob]) -> None:
    assert [example.direction for example in pick_examples(jobs, LINES, 9)] == [
        "de-en",
        "en-de",
        "de-fr",
        "fr-de",
    ]
    assert pick_examples(jobs, LINES, 0) == []


def test_lines_after_the_example_are_not_read(jobs: Dict[str, ScoringJob]) -> None:
    with jobs["de-en"].hypotheses.open("ab") as stream:
        stream.write(b"\xff\n")  # no UTF-8: would fail
    assert pick_examples({"de-en": jobs["de-en"]}, LINES, 1)[0].line == 6

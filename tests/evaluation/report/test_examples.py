"""Examples: spread over directions and lines, and the three sentences belonging together."""

from pathlib import Path
from typing import List

import pytest

from deepnet_fairseq.evaluation.report.examples import TranslatedFile, pick_examples


@pytest.fixture
def files(tmp_path: Path) -> List[TranslatedFile]:
    """Four directions of ten lines."""
    made = []
    for direction in ("de-en", "en-de", "de-fr", "fr-de"):
        paths = [tmp_path / f"{direction}.{kind}" for kind in ("source", "reference", "hypothesis")]
        for path in paths:
            path.write_text("".join(f"{path.name} {i}\n" for i in range(1, 11)))
        made.append(TranslatedFile(direction, *paths, lines=10))
    return made


def test_examples_come_from_other_directions_and_lines_and_belong_together(
    files: List[TranslatedFile],
) -> None:
    picked = pick_examples(files, 2)
    assert [(e.direction, e.line) for e in picked] == [("en-de", 3), ("fr-de", 8)]
    assert (picked[0].source, picked[0].reference, picked[0].hypothesis) == (
        "en-de.source 3",
        "en-de.reference 3",
        "en-de.hypothesis 3",
    )


def test_no_more_examples_than_directions(files: List[TranslatedFile]) -> None:
    assert [example.direction for example in pick_examples(files, 9)] == [
        "de-en",
        "en-de",
        "de-fr",
        "fr-de",
    ]
    assert pick_examples(files, 0) == []


def test_what_comes_after_the_line_is_not_read(files: List[TranslatedFile]) -> None:
    with files[0].hypotheses.open("ab") as stream:
        stream.write(b"\xff\n")  # no UTF-8: would fail
    assert pick_examples(files[:1], 1)[0].line == 6

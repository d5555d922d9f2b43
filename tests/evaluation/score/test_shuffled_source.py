"""Whether hypotheses use their sources."""

import random
from typing import List, Tuple

import pytest

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score.shuffled_source import derangement, measure_source_use

WORDS = [f"word{i}" for i in range(40)]
SOURCES = [f"satz {i}" for i in range(50)]


def sentences(seed: int, count: int = 50) -> List[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=8)) for _ in range(count)]


REFERENCES = sentences(1)
IGNORING = {
    "one sentence for all": [REFERENCES[3]] * 50,
    "fluent, but of other sources": sentences(2),
    "the references of other lines": REFERENCES[1:] + REFERENCES[:1],
    "empty": [""] * 50,
}


@pytest.mark.parametrize("hypotheses", IGNORING.values(), ids=IGNORING.keys())
def test_hypotheses_that_ignore_their_source_are_detected(hypotheses: List[str]) -> None:
    assert measure_source_use(SOURCES, hypotheses, REFERENCES).ignores_source


def test_half_right_hypotheses_depend_on_their_source() -> None:
    half = [
        " ".join(right.split()[:5] + wrong.split()[5:])
        for right, wrong in zip(REFERENCES, sentences(2), strict=True)
    ]
    result = measure_source_use(SOURCES, half, REFERENCES)
    assert not result.ignores_source
    assert result.bleu > 10 * result.shuffled_bleu


def test_sentences_that_share_a_frame_do_not_hide_that_the_content_is_ignored() -> None:
    references = [f"on the third day of that long year there were {word} here" for word in WORDS]
    ignoring = [references[7]] * 40
    result = measure_source_use(SOURCES[:40], ignoring, references)
    assert result.bleu > 50
    assert result.ignores_source


def test_the_share_of_distinct_hypotheses_is_among_distinct_sources() -> None:
    assert measure_source_use(
        ["a", "a", "b", "c"], ["x", "x", "y", "y"], REFERENCES[:4]
    ).distinct == pytest.approx(2 / 3)


def test_a_tiny_test_set_is_not_judged() -> None:
    assert not measure_source_use(SOURCES[:19], [""] * 19, REFERENCES[:19]).ignores_source


@pytest.mark.parametrize("lines", [(49, 50, 50), (50, 49, 50), (50, 50, 49), (0, 0, 0)])
def test_lines_without_counterpart_are_rejected(lines: Tuple[int, int, int]) -> None:
    texts = [
        text[:count] for text, count in zip((SOURCES, REFERENCES, REFERENCES), lines, strict=True)
    ]
    with pytest.raises(
        EvaluationError,
        match="{} sources, {} hypotheses, {} references; there must be as many of each".format(
            *lines
        ),
    ):
        measure_source_use(*texts)


@pytest.mark.parametrize("size", [2, 3, 10, 101])
def test_a_derangement_moves_every_line_and_loses_none(size: int) -> None:
    order = derangement(size)
    assert sorted(order) == list(range(size))
    assert all(place != value for place, value in enumerate(order))
    assert order == derangement(size)


def test_one_line_has_no_other_place() -> None:
    assert derangement(1) == [0]

"""A comparison as a page that a person looks at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from matplotlib.ticker import MaxNLocator

from deepnet_fairseq.evaluation.compare.findings import counted, signature_rows, significance_line
from deepnet_fairseq.evaluation.compare.result import (
    ComparedDirection,
    ComparedExample,
    Comparison,
    Outcome,
    Significance,
)
from deepnet_fairseq.evaluation.report.html import render
from deepnet_fairseq.evaluation.report.text_table import format_score
from deepnet_fairseq.evaluation.score.significance import UNDECIDED
from deepnet_fairseq.io import write_text

PAGE_NAME = "comparison.html"
SIDE = 320.0  # of the drawing, in its own units


@dataclass(frozen=True)
class Row:
    """One direction of one system, as the table and the drawing show it."""

    direction: ComparedDirection
    baseline: float
    score: float
    significance: Optional[Significance]
    bar: Tuple[
        float, float
    ]  # left end and width of its bar, in per cent of the track, whose middle is zero
    x: float  # in the drawing, from the left
    y: float  # from above

    @property
    def difference(self) -> float:
        return self.score - self.baseline

    @property
    def verdict(self) -> str:
        return UNDECIDED if self.significance is None else self.significance.verdict


class Part(NamedTuple):
    """Of the bar that stands for all directions."""

    hue: str  # a colour's name in style.css
    words: str
    directions: int


@dataclass(frozen=True)
class Section:
    """One system against the baseline."""

    outcome: Outcome
    sentence: str  # what the tests say
    parts: List[Part]
    rows: List[Row]


def write_page(comparison: Comparison, folder: Path) -> Path:
    """Write comparison.html, whole or not at all; return its path."""
    path = folder / PAGE_NAME
    write_text(path, render("comparison.html.jinja", **page_context(comparison)))
    return path


def page_context(comparison: Comparison) -> Dict[str, Any]:
    """What the template shows."""
    low, high = _bounds(comparison)
    ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    return {
        "comparison": comparison,
        "sections": [_section(comparison, outcome) for outcome in comparison.outcomes],
        "side": SIDE,
        "ticks": [(f"{tick:g}", SIDE * (tick - low) / (high - low)) for tick in ticks],
        "examples": [_example(example) for example in comparison.examples],
        "signatures": signature_rows(comparison),
        "counted": counted,
    }


def _section(comparison: Comparison, outcome: Outcome) -> Section:
    if outcome.better is None or outcome.worse is None:
        better, undecided, worse, words = (
            outcome.wins,
            outcome.ties,
            outcome.losses,
            ("higher", "equal", "lower"),
        )
    else:
        better, worse, words = (
            outcome.better,
            outcome.worse,
            ("significantly better", UNDECIDED, "significantly worse"),
        )
        undecided = outcome.directions - better - worse
    parts = [
        Part(*part)
        for part in zip(("better", "none", "worse"), words, (better, undecided, worse), strict=True)
    ]
    return Section(
        outcome, significance_line(comparison, outcome), parts, _rows(comparison, outcome.system)
    )


def _rows(comparison: Comparison, system: str) -> List[Row]:
    largest = (
        max(
            (
                abs(comparison.difference(d, s))
                for d in comparison.directions
                for s in comparison.others
            ),
            default=0,
        )
        or 1.0
    )
    low, high = _bounds(comparison)
    rows = []
    for direction in comparison.directions:
        scores, difference = (
            direction.scores[comparison.metric],
            comparison.difference(direction, system),
        )
        width = 50 * abs(difference) / largest
        x, y = (
            SIDE * (scores[name] - low) / (high - low) for name in (comparison.baseline, system)
        )
        bar = (50 - width if difference < 0 else 50.0, width)
        row = Row(
            direction,
            scores[comparison.baseline],
            scores[system],
            comparison.significance(direction, system),
            bar,
            x,
            SIDE - y,
        )
        rows.append(row)
    return rows


def _bounds(comparison: Comparison) -> Tuple[float, float]:
    """The lowest and the highest score that the drawing has room for."""
    scores = [
        score
        for direction in comparison.directions
        for score in direction.scores[comparison.metric].values()
    ]
    margin = max(0.05 * (max(scores) - min(scores)), 1.0)
    return min(scores) - margin, max(scores) + margin


def _example(example: ComparedExample) -> Dict[str, Any]:
    rows = [
        ("source", example.source_language, example.source),
        ("reference", example.target_language, example.reference),
    ]
    rows += [
        (f"{name} (chrF {format_score(example.chrf[name])})", example.target_language, text)
        for name, text in example.hypotheses.items()
    ]
    return {
        "heading": f"{example.direction}, line {example.line}",
        "direction": example.direction,
        "rows": rows,
    }

"""A comparison as comparison.html."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from matplotlib.ticker import MaxNLocator

from deepnet_fairseq.evaluation.compare.result import (
    ComparedDirection,
    ComparedExample,
    Comparison,
    Significance,
    SystemOutcome,
)
from deepnet_fairseq.evaluation.compare.text import (
    count_directions,
    signature_rows,
    significance_line,
)
from deepnet_fairseq.evaluation.report.html import render
from deepnet_fairseq.evaluation.report.text_table import format_score
from deepnet_fairseq.evaluation.score.significance import UNDECIDED
from deepnet_fairseq.io import write_text

HTML_NAME = "comparison.html"
SIDE = 320.0  # of the drawing, in its own units


@dataclass(frozen=True)
class Row:
    """One direction of one system, in the table and in the drawing."""

    direction: ComparedDirection
    baseline: float
    score: float
    difference: float
    significance: Optional[Significance]
    outcome: str
    bar: Tuple[float, float]  # left end and width, in % of the track, whose middle is zero
    x: float  # in the drawing, from the left
    y: float  # in the drawing, from the top


class Part(NamedTuple):
    """A part of the bar of all directions."""

    hue: str  # a colour's name in style.css
    words: str
    directions: int


@dataclass(frozen=True)
class Section:
    """One system against the baseline."""

    outcome: SystemOutcome
    sentence: str  # the result of the tests
    parts: List[Part]
    rows: List[Row]


def write_html(comparison: Comparison, folder: Path) -> Path:
    """Write comparison.html atomically and return its path."""
    path = folder / HTML_NAME
    write_text(path, render("comparison.html.jinja", **html_context(comparison)))
    return path


def html_context(comparison: Comparison) -> Dict[str, Any]:
    """Return the variables of the template."""
    low, high = _bounds(comparison)
    ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    return {
        "comparison": comparison,
        "sections": [_section(comparison, outcome) for outcome in comparison.outcomes],
        "side": SIDE,
        "ticks": [(f"{tick:g}", SIDE * (tick - low) / (high - low)) for tick in ticks],
        "examples": [_example(example) for example in comparison.examples],
        "signatures": signature_rows(comparison),
        "counted": count_directions,
    }


def _section(comparison: Comparison, outcome: SystemOutcome) -> Section:
    if outcome.better is None or outcome.worse is None:
        parts = [
            Part("better", "higher", outcome.wins),
            Part("none", "equal", outcome.ties),
            Part("worse", "lower", outcome.losses),
        ]
    else:
        undecided = outcome.directions - outcome.better - outcome.worse
        parts = [
            Part("better", "significantly better", outcome.better),
            Part("none", UNDECIDED, undecided),
            Part("worse", "significantly worse", outcome.worse),
        ]
    sentence, rows = significance_line(comparison, outcome), _rows(comparison, outcome.system)
    return Section(outcome, sentence, parts, rows)


def _rows(comparison: Comparison, system: str) -> List[Row]:
    low, high = _bounds(comparison)
    differences = [
        comparison.difference(d, s) for d in comparison.directions for s in comparison.others
    ]
    largest = max(map(abs, differences), default=0) or 1.0
    rows = []
    for direction in comparison.directions:
        scores = direction.scores[comparison.metric]
        baseline, score = scores[comparison.baseline], scores[system]
        difference = comparison.difference(direction, system)
        width = 50 * abs(difference) / largest
        row = Row(
            direction,
            baseline,
            score,
            difference,
            comparison.significance(direction, system),
            comparison.outcome(direction, system),
            bar=(50 - width if difference < 0 else 50.0, width),
            x=SIDE * (baseline - low) / (high - low),
            y=SIDE - SIDE * (score - low) / (high - low),
        )
        rows.append(row)
    return rows


def _bounds(comparison: Comparison) -> Tuple[float, float]:
    """Return the lowest and the highest score on the drawing's axes."""
    scores: List[float] = []
    for direction in comparison.directions:
        scores += direction.scores[comparison.metric].values()
    margin = max(0.05 * (max(scores) - min(scores)), 1.0)
    return min(scores) - margin, max(scores) + margin


def _example(example: ComparedExample) -> Dict[str, Any]:
    source, target = example.source_language, example.target_language
    rows = [("source", source, example.source), ("reference", target, example.reference)]
    for name, text in example.hypotheses.items():
        rows.append((f"{name} (chrF {format_score(example.chrf[name])})", target, text))
    heading = f"{example.direction}, line {example.line}"
    return {"heading": heading, "direction": example.direction, "rows": rows}

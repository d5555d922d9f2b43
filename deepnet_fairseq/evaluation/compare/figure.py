"""Every direction's score of one system over the baseline's, as a figure."""

from typing import Dict, List, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepnet_fairseq.evaluation.compare.result import ComparedDirection, Comparison
from deepnet_fairseq.evaluation.score.significance import BETTER, UNDECIDED, WORSE

FIGURE_NAME = "comparison.png"
PANEL = 5.0  # inches
LABELLED = 3  # directions with the largest gains, and as many with the largest losses, are named


class Style(NamedTuple):
    """How a verdict is drawn: told apart by shape as well as by colour (Okabe & Ito's, that the colour-blind can tell apart)."""

    marker: str
    colour: str


STYLES: Dict[str, Style] = {
    BETTER: Style("^", "#009e73"),
    WORSE: Style("v", "#d55e00"),
    UNDECIDED: Style("o", "#8a8f96"),
}


def draw_comparison(comparison: Comparison) -> Figure:
    """One panel per system. Above the diagonal it is better than the baseline."""
    figure = Figure(figsize=(PANEL * len(comparison.others), PANEL + 0.3), layout="constrained")
    panels = figure.subplots(1, len(comparison.others), squeeze=False)[0]
    every = [
        score
        for direction in comparison.directions
        for score in direction.scores[comparison.metric].values()
    ]
    low, high = min(every), max(every)
    margin = max(0.05 * (high - low), 1.0)
    for system, axes in zip(comparison.others, panels, strict=True):
        _draw_panel(axes, comparison, system)
        axes.set(
            xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal"
        )
    return figure


def _draw_panel(axes: Axes, comparison: Comparison, system: str) -> None:
    by_verdict: Dict[str, List[ComparedDirection]] = {verdict: [] for verdict in STYLES}
    for direction in comparison.directions:
        significance = comparison.significance(direction, system)
        by_verdict[UNDECIDED if significance is None else significance.verdict].append(direction)
    axes.axline((0, 0), slope=1, color="#8a8f96", linewidth=0.8, zorder=0)
    tested = any(direction.tests for direction in comparison.directions)
    for verdict, directions in by_verdict.items():
        scores = [direction.scores[comparison.metric] for direction in directions]
        label = f"{verdict if tested else 'directions'} ({len(directions)})"
        marker, colour = STYLES[verdict]
        axes.scatter(
            [s[comparison.baseline] for s in scores],
            [s[system] for s in scores],
            26,
            colour,
            marker,
            label=label,
            alpha=0.85,
            linewidths=0,
        )
    ranked = sorted(comparison.directions, key=lambda d: comparison.difference(d, system))
    for direction in {d.direction: d for d in [*ranked[:LABELLED], *ranked[-LABELLED:]]}.values():
        place = (
            direction.scores[comparison.metric][comparison.baseline],
            direction.scores[comparison.metric][system],
        )
        # away from the diagonal, where most points are
        offset, side = ((-5, 2), "right") if place[1] > place[0] else ((5, -7), "left")
        axes.annotate(
            direction.direction, place, offset, textcoords="offset points", ha=side, fontsize=7
        )
    axes.set_xlabel(_plain(f"{comparison.metric} of {comparison.baseline}"), fontsize=9)
    axes.set_ylabel(_plain(f"{comparison.metric} of {system}"), fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="best")


def _plain(text: str) -> str:
    """Text without matplotlib's mathematics, which begin with a dollar."""
    return text.replace("$", r"\$")

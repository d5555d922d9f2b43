"""Every direction's score as a bar, sorted, with the reference system's as a mark."""

from typing import Dict, List, Optional, Sequence, Tuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from deepnet_fairseq.evaluation.report.colours import BLACK, RESOURCES
from deepnet_fairseq.evaluation.report.means import (
    RESOURCE_NAMES,
    ZERO_SHOT,
    into_pivot,
    out_of_pivot,
)
from deepnet_fairseq.evaluation.report.report import DirectionResult, Report

MOST = 100  # bars in a panel; of more directions the best and the worst are shown
BAR, PANEL = 0.17, 4.2  # inches: a bar's height, a panel's width
ACROSS = 3  # panels beside one another


def draw_bars(report: Report, metric: str) -> Figure:
    """One panel per group of directions, all to the same scale."""
    groups = dict(_choose(name, group) for name, group in _groups(report, metric).items())
    rows = [list(groups.items())[i : i + ACROSS] for i in range(0, len(groups), ACROSS)]
    longest = [max(len(group) for _, group in row) for row in rows]
    heights = [count * BAR + 0.9 for count in longest]
    across = min(len(groups), ACROSS)
    figure = Figure(figsize=(across * PANEL, sum(heights) + 0.5), dpi=150, layout="constrained")
    grid = figure.subplots(len(rows), across, squeeze=False, gridspec_kw={"height_ratios": heights})
    marks = (
        report.reference.scores if report.reference and report.reference.metric == metric else {}
    )
    top = max([d.scores[metric] for group in groups.values() for d in group] + list(marks.values()))
    for row, line in zip(rows, grid, strict=True):
        for axes in line[len(row) :]:
            axes.axis("off")
        for (name, group), axes in zip(row, line, strict=False):
            _draw_panel(axes, name, group, metric, marks)
            axes.set_xlim(0, top * 1.14)
            axes.set_ylim(
                max(longest[rows.index(row)], 3) - 0.4, -0.6
            )  # bars of one row are equally high
    _draw_legend(figure, report, bool(marks))
    return figure


def _groups(report: Report, metric: str) -> Dict[str, List[DirectionResult]]:
    """Into the pivot, out of it, further supervised ones, zero-shot and each further test set."""
    groups: Dict[str, List[DirectionResult]] = {}
    into, out = into_pivot(report.pivot), out_of_pivot(report.pivot)
    for name in (into, out, "other directions", ZERO_SHOT):  # their order
        groups[name] = []
    for d in report.directions:
        own = (
            ZERO_SHOT
            if d.zero_shot
            else into
            if d.target == report.pivot
            else out
            if d.source == report.pivot
            else "other directions"
        )
        if metric in d.scores:
            groups.setdefault(d.test_set or own, []).append(d)
    return {
        name: sorted(group, key=lambda d: d.scores[metric], reverse=True)
        for name, group in groups.items()
        if group
    }


def _choose(name: str, group: List[DirectionResult]) -> Tuple[str, List[DirectionResult]]:
    """Of a group that is too large the best and the worst, with a name that says so."""
    half = MOST // 2
    return (
        (name, group)
        if len(group) <= MOST
        else (f"{name}: {half} best, {half} worst of {len(group):,}", group[:half] + group[-half:])
    )


def _draw_panel(
    axes: Axes, name: str, group: Sequence[DirectionResult], metric: str, marks: Dict[str, float]
) -> None:
    scores = [d.scores[metric] for d in group]
    axes.barh(range(len(group)), scores, height=0.72, color=[RESOURCES[d.resource] for d in group])
    for i, d in enumerate(group):
        mark: Optional[float] = marks.get(d.direction)
        axes.text(
            max(d.scores[metric], mark or 0),
            i,
            f"  {d.scores[metric]:.1f}",
            va="center",
            fontsize=7,
        )
        if mark is not None:
            axes.plot(
                [mark, mark],
                [i - 0.45, i + 0.45],
                color=BLACK,
                linewidth=1.6,
                gid=f"reference {d.direction}",
            )
    axes.set_yticks(
        range(len(group)), [d.direction.removeprefix(f"{d.test_set}.") for d in group], fontsize=7
    )
    axes.set_title(f"{metric}, {name}", fontsize=10, weight="bold", loc="left")
    axes.xaxis.tick_top()  # near the bars of a panel that is shorter than its neighbour
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["bottom", "right", "left"]].set_visible(False)


def _draw_legend(figure: Figure, report: Report, marked: bool) -> None:
    present = {d.resource for d in report.directions}
    keys = [
        Patch(color=RESOURCES[resource], label=name)
        for resource, name in RESOURCE_NAMES.items()
        if resource in present
    ]
    if marked and report.reference:
        keys.append(Line2D([], [], color=BLACK, linewidth=1.6, label=report.reference.system))
    if len(keys) > 1:
        figure.legend(
            handles=keys, loc="outside upper left", ncols=len(keys), frameon=False, fontsize=8
        )

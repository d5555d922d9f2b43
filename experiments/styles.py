"""One look for each residual scheme, the same in every figure: told apart without colour, too, by marker and line."""

from typing import Any, Dict, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepnet_fairseq.network.residual import RESIDUALS

# Okabe & Ito, jfly.uni-koeln.de/color
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8f96")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1)), (0, (7, 2)))
NAMES = {
    "deepnorm": "DeepNorm",
    "post-ln": "Post-LN",
    "pre-ln": "Pre-LN",
    "sub-ln": "Sub-LN",
    "ds-init": "DS-Init",
    "rezero": "ReZero",
    "branchnorm": "BranchNorm",
    "admin": "Admin",
}


def style(number: int) -> Dict[str, Any]:
    """What sets the number-th line of a figure apart from the others."""
    i = number % len(COLOURS)
    return dict(
        color=COLOURS[i], marker=MARKERS[i], linestyle=LINES[i], markersize=5, linewidth=1.6
    )


def scheme_style(scheme: str) -> Dict[str, Any]:
    """The look of a residual scheme."""
    return style(list(RESIDUALS).index(scheme))


def panels(count: int, columns: int = 0) -> "tuple[Figure, Sequence[Axes]]":
    """A figure with so many plots beside each other, readable in print."""
    columns = columns or count
    rows = -(-count // columns)
    figure = Figure(figsize=(5.2 * columns, 4.0 * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False).flatten()


def dress(axes: Axes, title: str, x: str, y: str) -> None:
    """Name the plot and its axes."""
    axes.set_title(title, fontsize=12, loc="left")
    axes.set_xlabel(x, fontsize=11)
    axes.set_ylabel(y, fontsize=11)
    axes.grid(which="major", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def plain_ticks(axes: Axes, values: Sequence[int]) -> None:
    """A logarithmic x axis with its ticks at values, written as they are."""
    axes.set_xscale("log")
    axes.set_xticks(values, labels=[str(v) for v in values])
    axes.minorticks_off()


def draw_band(
    axes: Axes, curves: Sequence[Dict[int, float]], label: str, look: Dict[str, Any]
) -> None:
    """The mean of some curves, values by update, where all have a point, and their range behind it."""
    shared = sorted(set.intersection(*map(set, curves)))
    values = [[curve[update] for curve in curves] for update in shared]
    axes.plot(
        shared,
        [sum(v) / len(v) for v in values],
        label=label,
        **{**look, "markevery": max(1, len(shared) // 6)},
    )
    if len(curves) > 1:
        axes.fill_between(
            shared,
            [min(v) for v in values],
            [max(v) for v in values],
            color=look["color"],
            alpha=0.15,
            linewidth=0,
        )

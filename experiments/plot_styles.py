"""How lines and plots look in all figures; each scheme differs by color, marker and line style."""

from typing import Any, Dict, List, Sequence, Tuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepnet_fairseq.network.schemes import RESIDUALS

# Okabe & Ito, jfly.uni-koeln.de/color
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8f96")
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


def line_style(number: int) -> Dict[str, Any]:
    """Return the style of the number-th line of a figure."""
    i = number % len(COLORS)
    return dict(color=COLORS[i], marker=MARKERS[i], linestyle=LINES[i], markersize=5, linewidth=1.6)


def scheme_name(scheme: str) -> str:
    """Return a residual scheme's name as papers write it."""
    return NAMES.get(scheme, scheme)


def scheme_style(scheme: str) -> Dict[str, Any]:
    """Return the style of a residual scheme, the same in every figure."""
    return line_style(list(RESIDUALS).index(scheme))


def marker_spacing(points: int, markers: int = 6) -> int:
    """Return matplotlib's markevery that gives a line about so many markers."""
    return max(1, points // markers)


def make_plots(count: int, columns: int = 0) -> Tuple[Figure, List[Axes]]:
    """Return a figure with `count` plots, `columns` in a row (default: all)."""
    columns = columns or count
    rows = -(-count // columns)
    figure = Figure(figsize=(5.2 * columns, 4.0 * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flatten())


def label_axes(axes: Axes, title: str, x: str, y: str) -> None:
    """Set the title and the labels of a plot, with a light grid and no frame."""
    axes.set_title(title, fontsize=12, loc="left")
    axes.set_xlabel(x, fontsize=11)
    axes.set_ylabel(y, fontsize=11)
    axes.grid(which="major", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def log_ticks(axes: Axes, values: Sequence[int]) -> None:
    """Make the x axis logarithmic, with ticks at `values`, labelled with plain numbers."""
    axes.set_xscale("log")
    axes.set_xticks(values, labels=[str(v) for v in values])
    axes.minorticks_off()


def plot_mean_and_range(
    axes: Axes, curves: Sequence[Dict[int, float]], label: str, style: Dict[str, Any]
) -> None:
    """Plot the mean of curves (values by update) where all have a point, over their range."""
    updates = sorted(set.intersection(*map(set, curves)))
    values = [[curve[update] for curve in curves] for update in updates]
    means = [sum(v) / len(v) for v in values]
    axes.plot(updates, means, label=label, **{**style, "markevery": marker_spacing(len(updates))})
    if len(curves) > 1:
        axes.fill_between(
            updates,
            [min(v) for v in values],
            [max(v) for v in values],
            color=style["color"],
            alpha=0.15,
            linewidth=0,
        )

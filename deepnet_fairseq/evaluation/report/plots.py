"""The heat map as PNG, and the training curves as SVG for report.html."""

import io
import re
from pathlib import Path
from typing import List, Tuple

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter, MaxNLocator

from deepnet_fairseq.evaluation.report.heat_map import COLORMAP, HeatMap, heat_maps, shade
from deepnet_fairseq.evaluation.report.report import Report
from deepnet_fairseq.evaluation.report.training_log import TrainingCurves
from deepnet_fairseq.io import atomic

DOTS_PER_INCH = 150
FORMER_FIGURES = ("bars.png", "training.png")  # of release 0.1.0; report.html shows the same

# The heat map, in inches.
CELL = 0.42  # wide enough for 12.3 in 8 points
SMALL_CELL = 0.14  # without a number
NUMBERED = 60  # a matrix of more languages has small cells
PER_ROW = 24  # languages in a row of a strip
PALE = "#f2f2ee"  # a direction that was not tested

# The training curves. The colours are Okabe & Ito's, which the colour-blind can tell apart.
TRAINING, VALIDATION, LEARNING_RATE = "#0072b2", "#d55e00", "#009e73"
WIDE, NARROW = (11.0, 3.6), (4.8, 5.6)  # inches
FONT_SIZE = {WIDE: 11, NARROW: 15}  # points; 15 are 12 pixels on a phone of 390


def write_heat_maps(report: Report, folder: Path) -> List[Path]:
    """Write heat_map.png and, per further test set, heat_map.{test set}.png; return their paths.

    Figures of an earlier evaluation are removed.
    """
    paths = []
    for heat in heat_maps(report):
        name = f"heat_map.{heat.test_set}.png" if heat.test_set else "heat_map.png"
        paths.append(write_png(plot_heat_map(heat), folder / name))
    for old in (*folder.glob("heat_map*.png"), *(folder / name for name in FORMER_FIGURES)):
        if old not in paths:
            old.unlink(missing_ok=True)
    return paths


def write_png(figure: Figure, path: Path) -> Path:
    """Write a figure atomically and return its path."""
    with atomic(path) as partial:
        FigureCanvasAgg(figure).print_figure(partial, format="png", dpi=DOTS_PER_INCH)
    return path


def plot_heat_map(heat: HeatMap) -> Figure:
    """Plot the strips above the matrix, with a colour bar beside them."""
    rows = _strip_rows(heat)
    strips, cells = _strip_height(rows), max(len(heat.sources), len(heat.targets))
    cell = SMALL_CELL if cells > NUMBERED else CELL
    longest = max((len(languages) for _, languages in rows), default=0)
    width = longest * CELL + 1.0 if rows else 0.0
    matrix_width, bottom = len(heat.targets) * cell + 1.0, len(heat.sources) * cell + 1.1
    if not heat.sources:
        matrix_width = bottom = 0.0
    top = strips * CELL + 0.6 if rows else 0.0
    total_width, height = max(width, matrix_width, 4.0), top + bottom
    figure = Figure(figsize=(total_width + 1.0, height), dpi=DOTS_PER_INCH)
    if rows:
        _plot_strips(_axes(figure, 0.3, bottom + 0.1, width - 0.4, top - 0.5), heat, rows)
    if heat.sources:
        size = len(heat.targets) * cell, len(heat.sources) * cell
        _plot_matrix(_axes(figure, 0.9, 0.2, *size), heat, numbered=cell == CELL)
    bar = _axes(figure, total_width + 0.3, 0.3, 0.15, min(height - 0.6, 3.0))
    colours = ScalarMappable(Normalize(*heat.bounds), colormaps[COLORMAP])
    figure.colorbar(colours, cax=bar, label=heat.metric)
    left, above = 0.3 / (total_width + 1.0), 1 - 0.12 / height
    figure.text(left, above, heat.title, fontsize=11, weight="bold", va="top")
    return figure


def curves_as_svg(curves: TrainingCurves, narrow: bool = False) -> str:
    """Return the training curves as an <svg> element that takes the page's font and colour."""
    buffer = io.StringIO()
    # A fixed salt: the same curves give the same page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "narrow" if narrow else "wide"}):
        figure = plot_curves(curves, narrow)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return svg.replace("<svg ", '<svg role="img" aria-label="Training curves" ', 1)


def plot_curves(curves: TrainingCurves, narrow: bool = False) -> Figure:
    """Plot losses and learning rate side by side or, for a phone, one above the other."""
    size = NARROW if narrow else WIDE
    figure = Figure(figsize=size, layout="constrained")
    ratios = {"height_ratios": (2, 1)} if narrow else {"width_ratios": (2, 1)}
    losses, rate = figure.subplots(2 if narrow else 1, 1 if narrow else 2, gridspec_kw=ratios)
    _plot_losses(losses, curves)
    points = list(curves.learning_rate), list(curves.learning_rate.values())
    rate.plot(*points, color=LEARNING_RATE, linewidth=1.8)
    rate.set_ylabel("learning rate")
    rate.yaxis.set_major_formatter(_short)
    for axes in (losses, rate):
        _format_axes(axes, FONT_SIZE[size])
    return figure


def _strip_rows(heat: HeatMap) -> List[Tuple[str, List[str]]]:
    """Return title and languages per row; only the first row of a strip has its title."""
    rows = []
    for strip in heat.strips:
        for start in range(0, len(strip.languages), PER_ROW):
            title = strip.title if start == 0 else ""
            rows.append((title, strip.languages[start : start + PER_ROW]))
    return rows


def _strip_height(rows: List[Tuple[str, List[str]]]) -> float:
    """Return the height in cells: two tiles and a name per row, and a line per title."""
    return sum(3.0 + (0.8 if title else 0.0) for title, _ in rows)


def _plot_strips(axes: Axes, heat: HeatMap, rows: List[Tuple[str, List[str]]]) -> None:
    longest = max(len(languages) for _, languages in rows)
    axes.set(xlim=(-1.4, longest), ylim=(_strip_height(rows), 0))
    axes.axis("off")
    centred = {"fontsize": 8, "ha": "center", "va": "center", "weight": "bold"}
    top = 0.0
    for title, languages in rows:
        if title:
            axes.text(0, top + 0.55, title, fontsize=9, weight="bold")
            top += 0.8
        for row, name in ((1, f"→{heat.pivot}"), (2, f"{heat.pivot}→")):
            axes.text(-0.15, top + row + 0.35, name, fontsize=8, ha="right", va="center")
        for column, language in enumerate(languages):
            axes.text(column + 0.5, top + 0.65, language, **centred)
            _plot_tile(axes, heat, language, heat.pivot, (column, top + 0.9))
            _plot_tile(axes, heat, heat.pivot, language, (column, top + 1.85))
        top += 3.0


def _plot_matrix(axes: Axes, heat: HeatMap, numbered: bool) -> None:
    axes.set(xlim=(0, len(heat.targets)), ylim=(len(heat.sources), 0))
    size, rotation = (8, 0) if numbered else (5, 90)
    columns, rows = ([i + 0.5 for i in range(len(side))] for side in (heat.targets, heat.sources))
    axes.set_xticks(columns, heat.targets, fontsize=size, rotation=rotation)
    axes.set_yticks(rows, heat.sources, fontsize=size)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("into", fontsize=8)
    axes.set_ylabel("from", fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for row, source in enumerate(heat.sources):
        for column, target in enumerate(heat.targets):
            _plot_tile(axes, heat, source, target, (column, row), numbered)


def _plot_tile(
    axes: Axes,
    heat: HeatMap,
    source: str,
    target: str,
    corner: Tuple[float, float],
    numbered: bool = True,
) -> None:
    """Plot a coloured square with its number; a pale one for a direction that is not tested."""
    value, (left, top) = heat.value(source, target), corner
    if value is None:
        colour = "white" if source == target else PALE
        axes.add_patch(Rectangle(corner, 0.95, 0.92, facecolor=colour))
        return
    colours, name = shade(heat.share(value)), f"{source}-{target}"
    axes.add_patch(Rectangle(corner, 0.95, 0.92, facecolor=colours.background, gid=name))
    if numbered:
        style = {"fontsize": 7.5, "ha": "center", "va": "center", "color": colours.ink}
        axes.text(left + 0.475, top + 0.47, f"{value:.1f}", **style)


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes at a position in inches."""
    total_width, total_height = figure.get_size_inches()
    return figure.add_axes(
        (left / total_width, bottom / total_height, width / total_width, height / total_height)
    )


def _plot_losses(axes: Axes, curves: TrainingCurves) -> None:
    """Plot the NLL if the log has it, else the loss.

    Label smoothing is not part of the NLL, so different runs can be compared.
    """
    has_nll = bool(curves.training_nll or curves.validation_nll)
    training = curves.training_nll if has_nll else curves.training_loss
    validation = curves.validation_nll if has_nll else curves.validation_loss
    axes.plot(
        list(training), list(training.values()), color=TRAINING, linewidth=1.2, label="training"
    )
    axes.plot(
        list(validation),
        list(validation.values()),
        color=VALIDATION,
        linewidth=2,
        marker="o" if len(validation) <= 40 else "",
        markersize=4,
        label="validation",
    )
    axes.set_ylabel("bits per token" if has_nll else "loss (bits per token)")
    axes.set_ylim(bottom=0)


def _short(value: float, _: int) -> str:
    """Format a learning rate as configs write it: 6e-4."""
    digits, exponent = f"{value:.1e}".split("e")
    return f"{float(digits):g}e{int(exponent)}" if value else "0"


def _format_axes(axes: Axes, size: float) -> None:
    axes.set_xlabel("updates", fontsize=size)
    axes.yaxis.label.set_size(size)
    axes.tick_params(labelsize=size)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 250k
    axes.yaxis.get_offset_text().set_size(size)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    if len(axes.lines) > 1:
        axes.legend(frameon=False, fontsize=size)

"""A test set's scores as coloured tiles."""

from typing import List, Tuple

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from deepnet_fairseq.evaluation.report.colours import SEQUENTIAL, shade
from deepnet_fairseq.evaluation.report.heat_map import HeatMap, Strip

CELL = 0.42  # inches, wide enough for 12.3 in 8 points
PER_ROW = 24  # languages in a row of a strip
NUMBERED = 60  # a matrix of more languages is drawn smaller, without numbers
SMALL = 0.14
PALE = "#f2f2ee"


def draw_heat_map(heat: HeatMap) -> Figure:
    """The figure: strips above, the matrix below, a bar of colours beside them."""
    strip_size = _strip_size(heat)
    cell = SMALL if max(len(heat.sources), len(heat.targets)) > NUMBERED else CELL
    matrix_size = (
        (len(heat.targets) * cell + 1.0, len(heat.sources) * cell + 1.1)
        if heat.sources
        else (0.0, 0.0)
    )
    width, height = max(strip_size[0], matrix_size[0], 4.0), strip_size[1] + matrix_size[1]
    figure = Figure(figsize=(width + 1.0, height), dpi=150)
    if heat.strips:
        _draw_strips(
            _axes(figure, 0.3, matrix_size[1] + 0.1, strip_size[0] - 0.4, strip_size[1] - 0.5), heat
        )
    if heat.sources:
        axes = _axes(figure, 0.9, 0.2, len(heat.targets) * cell, len(heat.sources) * cell)
        _draw_matrix(axes, heat, numbered=cell == CELL)
    bar = _axes(figure, width + 0.3, 0.3, 0.15, min(height - 0.6, 3.0))
    figure.colorbar(
        ScalarMappable(Normalize(*heat.bounds), colormaps[SEQUENTIAL]), cax=bar, label=heat.metric
    )
    title = f"{heat.metric} by direction" + (f", {heat.test_set}" if heat.test_set else "")
    figure.text(0.3 / (width + 1.0), 1 - 0.12 / height, title, fontsize=11, weight="bold", va="top")
    return figure


def _strip_rows(strips: List[Strip]) -> List[Tuple[str, List[str]]]:
    """Title (on the first row of a strip alone) and languages of every row."""
    rows = []
    for strip in strips:
        for start in range(0, len(strip.languages), PER_ROW):
            rows.append(
                (strip.title if start == 0 else "", strip.languages[start : start + PER_ROW])
            )
    return rows


def _strip_size(heat: HeatMap) -> Tuple[float, float]:
    rows = _strip_rows(heat.strips)
    longest = max((len(languages) for _, languages in rows), default=0)
    return (longest * CELL + 1.0, _strip_units(heat) * CELL + 0.6) if rows else (0.0, 0.0)


def _strip_units(heat: HeatMap) -> float:
    """Height in cells: two tiles and a name for every row, and a line for a title."""
    return sum(3.0 + (0.8 if title else 0.0) for title, _ in _strip_rows(heat.strips))


def _draw_strips(axes: Axes, heat: HeatMap) -> None:
    rows = _strip_rows(heat.strips)
    longest = max(len(languages) for _, languages in rows)
    axes.set(xlim=(-1.4, longest), ylim=(_strip_units(heat), 0))
    axes.axis("off")
    top = 0.0
    for title, languages in rows:
        if title:
            axes.text(0, top + 0.55, title, fontsize=9, weight="bold")
            top += 0.8
        for row, name in ((1, f"→{heat.pivot}"), (2, f"{heat.pivot}→")):
            axes.text(-0.15, top + row + 0.35, name, fontsize=8, ha="right", va="center")
        for column, language in enumerate(languages):
            axes.text(
                column + 0.5,
                top + 0.65,
                language,
                fontsize=8,
                ha="center",
                va="center",
                weight="bold",
            )
            _tile(axes, heat, language, heat.pivot, (column, top + 0.9))
            _tile(axes, heat, heat.pivot, language, (column, top + 1.85))
        top += 3.0


def _draw_matrix(axes: Axes, heat: HeatMap, numbered: bool) -> None:
    axes.set(xlim=(0, len(heat.targets)), ylim=(len(heat.sources), 0))
    size = 8 if numbered else 5
    axes.set_xticks(
        [i + 0.5 for i in range(len(heat.targets))],
        heat.targets,
        fontsize=size,
        rotation=0 if numbered else 90,
    )
    axes.set_yticks([i + 0.5 for i in range(len(heat.sources))], heat.sources, fontsize=size)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("into", fontsize=8)
    axes.set_ylabel("from", fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for row, source in enumerate(heat.sources):
        for column, target in enumerate(heat.targets):
            _tile(axes, heat, source, target, (column, row), numbered)


def _tile(
    axes: Axes,
    heat: HeatMap,
    source: str,
    target: str,
    corner: Tuple[float, float],
    numbered: bool = True,
) -> None:
    """A coloured square with its number; a pale one for a direction that isn't there."""
    value = heat.value(source, target)
    if value is None:
        axes.add_patch(
            Rectangle(corner, 0.95, 0.92, facecolor="white" if source == target else PALE)
        )
        return
    colours = shade(heat.share(value))
    axes.add_patch(
        Rectangle(corner, 0.95, 0.92, facecolor=colours.background, gid=f"{source}-{target}")
    )
    if numbered:
        axes.text(
            corner[0] + 0.475,
            corner[1] + 0.47,
            f"{value:.1f}",
            fontsize=7.5,
            ha="center",
            va="center",
            color=colours.ink,
        )


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))

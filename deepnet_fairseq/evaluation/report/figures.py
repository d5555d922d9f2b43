"""The figures of a report as PNG files, and the training curves as SVG for the page."""

import io
import os
import re
from pathlib import Path
from typing import Dict, List

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from deepnet_fairseq.evaluation.report.draw_bars import draw_bars
from deepnet_fairseq.evaluation.report.draw_curves import draw_curves
from deepnet_fairseq.evaluation.report.draw_heat_map import draw_heat_map
from deepnet_fairseq.evaluation.report.heat_map import heat_maps
from deepnet_fairseq.evaluation.report.report import Report
from deepnet_fairseq.evaluation.report.training_log import TrainingCurves

DOTS_PER_INCH = 150


def write_figures(report: Report, curves: TrainingCurves, folder: Path) -> List[Path]:
    """Write heat maps, bars and training curves, as far as there is something to draw; return their paths.

    They are heat_map.png, heat_map.{test set}.png, bars.png and training.png.
    """
    figures: Dict[str, Figure] = {}
    for heat in heat_maps(report):
        figures[f"heat_map.{heat.test_set}.png" if heat.test_set else "heat_map.png"] = (
            draw_heat_map(heat)
        )
    if any(report.metrics[0] in d.scores for d in report.directions):
        figures["bars.png"] = draw_bars(report, report.metrics[0])
    if curves.updates:
        figures["training.png"] = draw_curves(curves)
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("heat_map*.png"), folder / "bars.png", folder / "training.png"):
        if old.name not in figures:
            old.unlink(missing_ok=True)  # of an earlier evaluation
    return [write_png(figure, folder / name) for name, figure in figures.items()]


def curves_as_svg(curves: TrainingCurves, narrow: bool = False) -> str:
    """The training curves as an <svg> element whose text is text, so that it takes the page's font and colour."""
    buffer = io.StringIO()
    # A fixed salt: the same curves give the same page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "narrow" if narrow else "wide"}):
        draw_curves(curves, narrow).savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None}
        )
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return svg.replace("<svg ", '<svg role="img" aria-label="Training curves" ', 1)


def write_png(figure: Figure, path: Path) -> Path:
    """Write a figure beside path, then rename; return path."""
    beside = path.with_name(path.name + ".partial")
    FigureCanvasAgg(figure).print_figure(beside, format="png", dpi=DOTS_PER_INCH)
    os.replace(beside, path)
    return path

"""All files of a comparison."""

import os
from pathlib import Path
from typing import List

from matplotlib.backends.backend_agg import FigureCanvasAgg

from deepnet_fairseq.evaluation.comparison.figure import FIGURE_NAME, draw_comparison
from deepnet_fairseq.evaluation.comparison.page import write_page
from deepnet_fairseq.evaluation.comparison.result import Comparison, write_json
from deepnet_fairseq.evaluation.comparison.tables import MARKDOWN_NAME, as_markdown
from deepnet_fairseq.evaluation.files import write_whole

DOTS_PER_INCH = 150


def write_comparison(comparison: Comparison, folder: Path) -> List[Path]:
    """Write comparison.json, comparison.md, comparison.html and comparison.png, each whole or not at all; return their paths."""
    written = write_json(comparison, folder)
    write_whole(folder / MARKDOWN_NAME, as_markdown(comparison))
    return [written, folder / MARKDOWN_NAME, write_page(comparison, folder), _write_figure(comparison, folder / FIGURE_NAME)]


def _write_figure(comparison: Comparison, path: Path) -> Path:
    beside = path.with_name(path.name + ".partial")
    FigureCanvasAgg(draw_comparison(comparison)).print_figure(beside, format="png", dpi=DOTS_PER_INCH)
    os.replace(beside, path)
    return path

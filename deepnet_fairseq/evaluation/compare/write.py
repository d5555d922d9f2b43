"""All files of a comparison."""

from pathlib import Path
from typing import List

from deepnet_fairseq.evaluation.compare.figure import FIGURE_NAME, draw_comparison
from deepnet_fairseq.evaluation.compare.page import write_page
from deepnet_fairseq.evaluation.compare.result import Comparison, write_json
from deepnet_fairseq.evaluation.compare.tables import MARKDOWN_NAME, as_markdown
from deepnet_fairseq.evaluation.report.plots import write_png
from deepnet_fairseq.io import write_text


def write_comparison(comparison: Comparison, folder: Path) -> List[Path]:
    """Write comparison.json, comparison.md, comparison.html and comparison.png, each whole or not at all; return their paths."""
    written = write_json(comparison, folder)
    write_text(folder / MARKDOWN_NAME, as_markdown(comparison))
    return [
        written,
        folder / MARKDOWN_NAME,
        write_page(comparison, folder),
        write_png(draw_comparison(comparison), folder / FIGURE_NAME),
    ]

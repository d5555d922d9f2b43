"""All files of a comparison."""

from pathlib import Path
from typing import List

from deepnet_fairseq.evaluation.comparison.figure import FIGURE_NAME, draw_comparison
from deepnet_fairseq.evaluation.comparison.page import write_page
from deepnet_fairseq.evaluation.comparison.result import Comparison, write_json
from deepnet_fairseq.evaluation.comparison.tables import MARKDOWN_NAME, as_markdown
from deepnet_fairseq.evaluation.files import write_whole
from deepnet_fairseq.evaluation.reporting.figures import write_png


def write_comparison(comparison: Comparison, folder: Path) -> List[Path]:
    """Write comparison.json, comparison.md, comparison.html and comparison.png, each whole or not at all; return their paths."""
    written = write_json(comparison, folder)
    write_whole(folder / MARKDOWN_NAME, as_markdown(comparison))
    return [written, folder / MARKDOWN_NAME, write_page(comparison, folder), write_png(draw_comparison(comparison), folder / FIGURE_NAME)]

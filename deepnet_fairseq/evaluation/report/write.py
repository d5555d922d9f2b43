"""All files of a report."""

from pathlib import Path
from typing import List, Optional

from deepnet_fairseq.evaluation.report.figures import write_figures
from deepnet_fairseq.evaluation.report.report import Report, write_scores
from deepnet_fairseq.evaluation.report.report_page import write_page
from deepnet_fairseq.evaluation.report.tables import write_tables
from deepnet_fairseq.evaluation.report.training_log import read_curves


def write_report(report: Report, training_log: Optional[Path], folder: Path) -> List[Path]:
    """Write scores.json, scores.md, scores.tsv, report.html and the figures, each whole or not at all; return their paths.

    training_log: fairseq-train's --log-file; without one, or of another system's hypotheses, there are no training curves.
    """
    curves = read_curves(training_log)
    scores, tables = write_scores(report, folder), write_tables(report, folder)
    return [
        scores,
        *tables,
        write_page(report, curves, folder),
        *write_figures(report, curves, folder),
    ]

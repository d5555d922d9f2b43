"""The report of one system as a page that a person looks at."""

from pathlib import Path
from typing import Any, Dict, List, Optional

from markupsafe import Markup

from deepnet_fairseq.evaluation.report import findings
from deepnet_fairseq.evaluation.report.colours import shade
from deepnet_fairseq.evaluation.report.figures import curves_as_svg
from deepnet_fairseq.evaluation.report.heat_map import heat_maps
from deepnet_fairseq.evaluation.report.means import (
    ALL_SUPERVISED,
    RESOURCE_NAMES,
    ZERO_SHOT,
    into_pivot,
    out_of_pivot,
)
from deepnet_fairseq.evaluation.report.page import render
from deepnet_fairseq.evaluation.report.report import Example, Mean, Report
from deepnet_fairseq.evaluation.report.training_log import TrainingCurves
from deepnet_fairseq.io import write_text

PAGE_NAME = "report.html"
HEADLINES = 4  # what a phone shows without scrolling


def write_page(report: Report, curves: TrainingCurves, folder: Path) -> Path:
    """Write report.html, whole or not at all; return its path."""
    path = folder / PAGE_NAME
    write_text(path, render("report.html.jinja", **page_context(report, curves)))
    return path


def page_context(report: Report, curves: TrainingCurves) -> Dict[str, Any]:
    """What the template shows."""
    validation = curves.validation_nll or curves.validation_loss
    present = {d.resource for d in report.directions}
    return {
        "report": report,
        "metric": report.metrics[0],
        "headline": _headline(report),
        "warnings": findings.warnings(report),
        "maps": heat_maps(report),
        "shade": shade,
        "ramp": [shade(step / 8).background for step in range(9)],
        "rows": _direction_rows(report),
        "classes": {
            resource: words for resource, words in RESOURCE_NAMES.items() if resource in present
        },
        "identified": any(d.off_target is not None for d in report.directions),
        "curves": curves,
        "validation": list(validation.values())[-1] if validation else None,
        # matplotlib's own drawing, of numbers alone: no text of the corpus gets into it
        "wide": Markup(curves_as_svg(curves)) if curves.updates else "",
        "narrow": Markup(curves_as_svg(curves, narrow=True)) if curves.updates else "",
        "examples": [_example(report, example) for example in report.examples],
        "facts": findings.origin(report),
        "signatures": findings.signatures(report),
    }


def _headline(report: Report) -> List[Mean]:
    """The means that papers compare; of a report without the corpus's own test set, its first ones."""
    wanted = (into_pivot(report.pivot), out_of_pivot(report.pivot), ALL_SUPERVISED, ZERO_SHOT)
    return [mean for mean in report.means if mean.name in wanted] or report.means[:HEADLINES]


def _direction_rows(report: Report) -> List[Dict[str, Any]]:
    """Every direction with its bar and the reference's mark on it, in per cent of the highest score of all."""
    metric, reference = report.metrics[0], report.reference
    marks = reference.scores if reference and reference.metric == metric else {}
    top = max([d.scores.get(metric, 0.0) for d in report.directions] + list(marks.values()) + [1.0])

    def per_cent(value: Optional[float]) -> Optional[float]:
        return None if value is None else 100 * value / top

    return [
        {
            "result": d,
            "share": per_cent(d.scores.get(metric)),
            "mark": per_cent(marks.get(d.direction)),
            "difference": findings.reference_difference(report, d),
        }
        for d in report.directions
    ]


def _example(report: Report, example: Example) -> Dict[str, Any]:
    """An example with its sentences and their languages."""
    languages = {d.direction: (d.source, d.target) for d in report.directions}
    source, target = languages.get(example.direction, ("", ""))
    rows = [
        ("source", source, example.source),
        ("reference", target, example.reference),
        ("hypothesis", target, example.hypothesis),
    ]
    return {"direction": example.direction, "line": example.line, "rows": rows}

"""HTML pages from the templates, and report.html."""

import base64
import hashlib
from pathlib import Path
from typing import Any, Dict, List, Optional

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from deepnet_fairseq.evaluation.report import summary
from deepnet_fairseq.evaluation.report.heat_map import heat_maps, shade
from deepnet_fairseq.evaluation.report.plots import curves_as_svg
from deepnet_fairseq.evaluation.report.report import DirectionResult, Example, Mean, Report
from deepnet_fairseq.evaluation.report.summary import (
    ALL_SUPERVISED,
    RESOURCE_NAMES,
    ZERO_SHOT,
    into_pivot,
    out_of_pivot,
)
from deepnet_fairseq.evaluation.report.text_table import format_score, mean_rows, score_columns
from deepnet_fairseq.evaluation.report.training_log import TrainingCurves
from deepnet_fairseq.io import write_text

HTML_NAME = "report.html"
TEMPLATES = Path(__file__).parent / "templates"
SCRIPT = "tables.js"
HEADLINES = 4  # a phone shows so many without scrolling


def render(template: str, **context: Any) -> str:
    """Render a template as one HTML file that makes no request to any server.

    The context is escaped, and the page's Content-Security-Policy permits its own script only.
    """
    # Sentences come from a model and from the web: everything is escaped, in every template.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(score=format_score, tag=language_tag)
    script = environment.get_template(SCRIPT).render()
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return environment.get_template(template).render(script_hash=f"sha256-{digest}", **context)


def language_tag(code: str) -> str:
    """Return a language code as in HTML's lang attribute: zho_Hant is zho-Hant."""
    return code.replace("_", "-")


def write_html(report: Report, curves: TrainingCurves, folder: Path) -> Path:
    """Write report.html atomically and return its path."""
    path = folder / HTML_NAME
    write_text(path, render("report.html.jinja", **html_context(report, curves)))
    return path


def html_context(report: Report, curves: TrainingCurves) -> Dict[str, Any]:
    """Return the variables of the template."""
    validation = curves.validation_nll or curves.validation_loss
    resources = {d.resource for d in report.directions}
    return {
        "report": report,
        "metric": report.metrics[0],
        "headline": _headline(report),
        "warnings": summary.warnings(report),
        "maps": heat_maps(report),
        "shade": shade,
        "ramp": [shade(step / 8).background for step in range(9)],
        "columns": score_columns(report),
        "rows": _direction_rows(report),
        "mean_rows": mean_rows(report),
        "resources": {name: words for name, words in RESOURCE_NAMES.items() if name in resources},
        "curves": curves,
        "validation": list(validation.values())[-1] if validation else None,
        # drawn by matplotlib from numbers alone: no text of the corpus is in it
        "wide": Markup(curves_as_svg(curves)) if curves.updates else "",
        "narrow": Markup(curves_as_svg(curves, narrow=True)) if curves.updates else "",
        "examples": _examples(report),
        "facts": summary.origin(report),
        "signatures": summary.signatures(report),
    }


def _headline(report: Report) -> List[Mean]:
    """Return the means that papers compare or, if the report has none of them, its first ones."""
    names = (into_pivot(report.pivot), out_of_pivot(report.pivot), ALL_SUPERVISED, ZERO_SHOT)
    return [mean for mean in report.means if mean.name in names] or report.means[:HEADLINES]


def _direction_rows(report: Report) -> List[Dict[str, Any]]:
    """Return each direction with its bar and the reference's mark, in % of the highest score."""
    metric, reference = report.metrics[0], report.reference
    marks = reference.scores if reference and reference.metric == metric else {}
    scores = [d.scores.get(metric, 0.0) for d in report.directions]
    highest = max([*scores, *marks.values(), 1.0])

    def percent(value: Optional[float]) -> Optional[float]:
        return None if value is None else 100 * value / highest

    def row(d: DirectionResult) -> Dict[str, Any]:
        mark = percent(marks.get(d.direction))
        return {"result": d, "bar": percent(d.scores.get(metric)), "mark": mark}

    return [row(d) for d in report.directions]


def _examples(report: Report) -> List[Dict[str, Any]]:
    """Return the examples with the language of each sentence."""
    languages = {d.direction: (d.source, d.target) for d in report.directions}
    return [
        _example(example, *languages.get(example.direction, ("", "")))
        for example in report.examples
    ]


def _example(example: Example, source: str, target: str) -> Dict[str, Any]:
    rows = [
        ("source", source, example.source),
        ("reference", target, example.reference),
        ("hypothesis", target, example.hypothesis),
    ]
    return {"direction": example.direction, "line": example.line, "rows": rows}

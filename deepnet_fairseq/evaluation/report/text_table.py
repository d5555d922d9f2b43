"""The scores as tables: aligned columns for the terminal, and the Markdown of scores.md."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Optional, Sequence

from deepnet_fairseq.evaluation.report import summary
from deepnet_fairseq.evaluation.report.report import DirectionResult, Example, Report
from deepnet_fairseq.io import write_text

MARKDOWN_NAME = "scores.md"
MAXIMUM_ROWS = 60  # in the terminal
EXTREMES = 10  # of more directions, the terminal has so many of the worst and of the best
ABSENT = "–"
# Control characters and line separators: a model can write them, and a terminal obeys them.
CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")


@dataclass(frozen=True)
class ScoreColumn:
    """One column of numbers in the table of all directions, in the terminal, Markdown and HTML."""

    name: str
    value: Callable[[DirectionResult], Optional[float]]
    hint: str = ""  # a tooltip in HTML
    is_difference: bool = False

    def text(self, result: DirectionResult) -> str:
        """Return the cell of a direction as text."""
        return format_score(self.value(result), signed=self.is_difference)


def format_score(value: Optional[float], signed: bool = False) -> str:
    """Format a score with one decimal and, for a difference, its sign; None is a dash."""
    if value is None:
        return ABSENT
    if not signed:
        return f"{value:.1f}"
    # + 0.0 turns -0.0, which -0.04 is rounded to, into 0.0
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def one_line(text: str) -> str:
    """Replace every control character by a space."""
    return CONTROL.sub(" ", text)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Align rows of cells: the first column to the left, the others, numbers, to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first row is its header."""
    cells = []
    for row in rows:
        cells.append([one_line(cell).replace("\\", "\\\\").replace("|", "\\|") for cell in row])
    cells.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def markdown_list(lines: Sequence[str]) -> str:
    """Return a bulleted Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def as_text(report: Report) -> str:
    """Return the report for the terminal.

    Of more than `MAXIMUM_ROWS` directions, it has only the worst and the best.
    """
    directions, means = report.directions, columns(mean_rows(report))
    if len(directions) <= MAXIMUM_ROWS:
        blocks = [columns(direction_rows(report, directions)), means]
    else:
        ranked = rank(report)
        worst = columns(direction_rows(report, ranked[::-1][:EXTREMES]))
        best = columns(direction_rows(report, ranked[:EXTREMES]))
        blocks = [
            means,
            f"the {EXTREMES} worst of {len(directions)} directions\n{worst}",
            f"the {EXTREMES} best\n{best}",
            f"{MARKDOWN_NAME} has all directions.",
        ]
    blocks.append("\n".join(summary.notes(report)))
    blocks.append("\n".join(f"{s.label}: {s.signature}" for s in summary.signatures(report)))
    blocks += [_example_text(example) for example in report.examples]
    return "\n\n".join(block for block in blocks if block)


def write_markdown(report: Report, folder: Path) -> Path:
    """Write scores.md atomically and return its path."""
    path = folder / MARKDOWN_NAME
    write_text(path, as_markdown(report))
    return path


def as_markdown(report: Report) -> str:
    """Return the whole report as Markdown."""
    parts = [f"# Scores of {report.name}", markdown_table(mean_rows(report))]
    parts.append(markdown_table(direction_rows(report, report.directions)))
    facts = [f"{label}: {fact}" for label, fact in summary.origin(report).items()]
    facts += [f"{s.label}: `{s.signature}`" for s in summary.signatures(report)]
    facts += [f"decoded with: `{report.decoding}`"] if report.decoding else []
    parts += [markdown_list(lines) for lines in (summary.notes(report), facts) if lines]
    if report.examples:
        rows = [["direction", "line", "source", "reference", "hypothesis"]]
        for e in report.examples:
            rows.append([e.direction, str(e.line), e.source, e.reference, e.hypothesis])
        parts += ["## Examples", markdown_table(rows)]
    return "\n\n".join(parts) + "\n"


def score_columns(report: Report) -> List[ScoreColumn]:
    """Return the columns of numbers that the report has values for, the main metric first."""
    table = [ScoreColumn(metric, _metric_of(metric)) for metric in report.metrics]
    if report.reference:
        published, system = report.reference.scores, report.reference.system
        table += [
            ScoreColumn("reference", lambda d: published.get(d.direction), system),
            ScoreColumn("difference", report.reference_difference, is_difference=True),
        ]
    hint = "BLEU against other sentences' references: if it is close to BLEU, the source is ignored"
    table.append(ScoreColumn("shuffled BLEU", lambda d: d.shuffled_bleu, hint))
    if report.has_off_target:
        hint = "hypotheses in another language than the target"
        table.append(ScoreColumn("off-target %", lambda d: d.off_target, hint))
        hint = "the same of the references: errors of the language identifier"
        table.append(ScoreColumn("of references", lambda d: d.off_target_references, hint))
    return table


def direction_rows(report: Report, directions: Sequence[DirectionResult]) -> List[List[str]]:
    """Return a header and a row per direction."""
    table = score_columns(report)
    rows = [["direction", "lines", *(column.name for column in table)]]
    for d in directions:
        name = d.direction + (" (zero-shot)" if d.zero_shot else "")
        rows.append([name, str(d.lines), *(column.text(d) for column in table)])
    return rows


def mean_rows(report: Report) -> List[List[str]]:
    """Return a header and a row per mean."""
    rows = [["mean over", "directions", *report.metrics]]
    for mean in report.means:
        scores = [format_score(mean.scores.get(metric)) for metric in report.metrics]
        rows.append([mean.name, str(mean.directions), *scores])
    return rows


def rank(report: Report) -> List[DirectionResult]:
    """Return the directions that have a score by the main metric, best first."""
    metric = report.metrics[0]
    scored = [d for d in report.directions if metric in d.scores]
    return sorted(scored, key=lambda d: d.scores[metric], reverse=True)


def _metric_of(metric: str) -> Callable[[DirectionResult], Optional[float]]:
    return lambda d: d.scores.get(metric)


def _example_text(example: Example) -> str:
    lines = [f"{example.direction}, line {example.line}"]
    for kind in ("source", "reference", "hypothesis"):
        lines.append(f"  {kind:<10} {one_line(getattr(example, kind))}")
    return "\n".join(lines)

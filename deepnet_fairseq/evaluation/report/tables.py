"""The scores as tables: columns for the terminal, Markdown to read, tab-separated values to compute with."""

from pathlib import Path
from typing import List, Optional, Sequence

from deepnet_fairseq.evaluation.report import findings
from deepnet_fairseq.evaluation.report.decimals import one, signed
from deepnet_fairseq.evaluation.report.report import DirectionResult, Report
from deepnet_fairseq.evaluation.report.text_table import columns, markdown_table, one_line
from deepnet_fairseq.io import write_lines, write_text

MARKDOWN_NAME, TSV_NAME = "scores.md", "scores.tsv"
LONGEST = 60  # rows that a terminal is bothered with
EXTREMES = 10  # of more than these, the worst and the best


def write_tables(report: Report, folder: Path) -> List[Path]:
    """Write scores.md and scores.tsv, each whole or not at all; return their paths."""
    write_text(folder / MARKDOWN_NAME, as_markdown(report))
    write_lines(folder / TSV_NAME, ["\t".join(row) for row in tsv_rows(report)])
    return [folder / MARKDOWN_NAME, folder / TSV_NAME]


def as_text(report: Report) -> str:
    """Directions, means, remarks, signatures and examples for the terminal; of very many directions only the worst and the best."""
    head = direction_head(report)
    directions, means = report.directions, columns(mean_rows(report))
    if len(directions) <= LONGEST:
        blocks = [columns([head, *direction_rows(report, directions)]), means]
    else:
        ranked = rank(report)
        worst, best = (
            [head, *direction_rows(report, part)]
            for part in (ranked[::-1][:EXTREMES], ranked[:EXTREMES])
        )
        blocks = [means, f"the {EXTREMES} worst of {len(directions)} directions\n" + columns(worst)]
        blocks += [f"the {EXTREMES} best\n" + columns(best), f"{MARKDOWN_NAME} has all directions."]
    blocks += [
        "\n".join(remarks(report)),
        "\n".join(f"{name}: {signature}" for name, signature in signature_rows(report)),
    ]
    for example in report.examples:
        rows = (
            ("source", example.source),
            ("reference", example.reference),
            ("hypothesis", example.hypothesis),
        )
        blocks.append(
            "\n".join(
                [
                    f"{example.direction}, line {example.line}",
                    *(f"  {kind:<10} {one_line(text)}" for kind, text in rows),
                ]
            )
        )
    return "\n\n".join(block for block in blocks if block)


def as_markdown(report: Report) -> str:
    """The whole report as a Markdown page."""
    parts = [f"# Scores of {report.name}", markdown_table(mean_rows(report))]
    parts += [markdown_table([direction_head(report), *direction_rows(report, report.directions)])]
    facts = [f"{name}: {fact}" for name, fact in findings.origin(report).items()]
    facts += [f"{name}: `{signature}`" for name, signature in signature_rows(report)]
    facts += [f"decoded with: `{report.decoding}`"] if report.decoding else []
    parts += [
        "\n".join(f"- {line}" for line in lines) for lines in (remarks(report), facts) if lines
    ]
    if report.examples:
        rows = [
            [e.direction, str(e.line), e.source, e.reference, e.hypothesis] for e in report.examples
        ]
        parts += [
            "## Examples",
            markdown_table([["direction", "line", "source", "reference", "hypothesis"], *rows]),
        ]
    return "\n\n".join(parts) + "\n"


def tsv_rows(report: Report) -> List[List[str]]:
    """A head and a row per direction, with four decimals; empty where there is no value."""
    reference = report.reference.scores if report.reference else None
    counted = ("training_pairs", "resource", "lines", *findings.LINES)
    measured = ("shuffled_bleu", "distinct", "off_target", "off_target_references")
    head = [
        "direction",
        "source",
        "target",
        "test_set",
        "zero_shot",
        *counted,
        *report.metrics,
        *measured,
        "ignores_source",
    ]
    rows = [head + (["reference"] if reference is not None else [])]
    for d in report.directions:
        flags, numbers = [str(int(d.zero_shot))], [_precise(getattr(d, name)) for name in measured]
        row = [
            d.direction,
            d.source,
            d.target,
            d.test_set,
            *flags,
            *(str(getattr(d, name)) for name in counted),
        ]
        row += [
            *(_precise(d.scores.get(metric)) for metric in report.metrics),
            *numbers,
            str(int(d.ignores_source)),
        ]
        rows.append(row + ([_precise(reference.get(d.direction))] if reference is not None else []))
    return rows


def mean_rows(report: Report) -> List[List[str]]:
    rows = [
        [
            mean.name,
            str(mean.directions),
            *(one(mean.scores.get(metric)) for metric in report.metrics),
        ]
        for mean in report.means
    ]
    return [["mean over", "directions", *report.metrics], *rows]


def direction_head(report: Report) -> List[str]:
    head = ["direction", "lines", *report.metrics]
    head += ["reference", "difference"] if report.reference else []
    head += ["shuffled BLEU"]
    return head + (["off-target %", "of references"] if _identified(report) else [])


def direction_rows(report: Report, directions: Sequence[DirectionResult]) -> List[List[str]]:
    rows = []
    for d in directions:
        row = [
            d.direction + (" (zero-shot)" if d.zero_shot else ""),
            str(d.lines),
            *(one(d.scores.get(m)) for m in report.metrics),
        ]
        if report.reference:
            row += [
                one(report.reference.scores.get(d.direction)),
                signed(findings.reference_difference(report, d)),
            ]
        row += [one(d.shuffled_bleu)]
        rows.append(
            row + ([one(d.off_target), one(d.off_target_references)] if _identified(report) else [])
        )
    return rows


def rank(report: Report) -> List[DirectionResult]:
    """The directions that have a score by the first metric, best first."""
    metric = report.metrics[0]
    return sorted(
        (d for d in report.directions if metric in d.scores),
        key=lambda d: d.scores[metric],
        reverse=True,
    )


def remarks(report: Report) -> List[str]:
    """The sentences below the tables."""
    return [line for line in (findings.reference_line(report), *findings.warnings(report)) if line]


def signature_rows(report: Report) -> List[List[str]]:
    rows = findings.signatures(report)
    return [
        [
            f"{row.metric} signature" + (f" ({row.languages})" if row.languages else ""),
            row.signature,
        ]
        for row in rows
    ]


def _identified(report: Report) -> bool:
    return any(d.off_target is not None for d in report.directions)


def _precise(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.4f}"

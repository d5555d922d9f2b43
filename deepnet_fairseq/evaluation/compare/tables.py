"""A comparison as tables: columns for the terminal, Markdown to read."""

from typing import List, Sequence

from deepnet_fairseq.evaluation.compare.findings import outcome_lines, signature_rows
from deepnet_fairseq.evaluation.compare.result import ComparedDirection, Comparison
from deepnet_fairseq.evaluation.report.text_table import (
    ABSENT,
    columns,
    format_score,
    markdown_table,
)
from deepnet_fairseq.evaluation.score.significance import NONE, UNDECIDED

MARKDOWN_NAME = "comparison.md"
LONGEST = 60  # rows that a terminal is bothered with
EXTREMES = 10  # of more than these, the largest losses and gains


def as_text(comparison: Comparison) -> str:
    """Means, directions, counts and signatures for the terminal; of very many directions only the largest differences."""
    blocks = [columns(mean_rows(comparison, metric)) for metric in comparison.metrics]
    if len(comparison.directions) <= LONGEST:
        blocks.insert(0, columns(direction_rows(comparison, comparison.directions)))
    else:
        for system in comparison.others:
            ranked = sorted(
                comparison.directions, key=lambda d: comparison.difference(d, system), reverse=True
            )
            for words, part in (
                ("gains", ranked[:EXTREMES]),
                ("losses", ranked[: -EXTREMES - 1 : -1]),
            ):
                blocks.append(
                    f"the {EXTREMES} largest {words} of {system}\n"
                    + columns(direction_rows(comparison, part))
                )
        blocks.append(f"{MARKDOWN_NAME} has all {len(comparison.directions)} directions.")
    blocks += ["\n".join(outcome_lines(comparison, outcome)) for outcome in comparison.outcomes]
    blocks += [
        "\n".join(comparison.left_out),
        "\n".join(f"{name}: {signature}" for name, signature in signature_rows(comparison)),
    ]
    return "\n\n".join(block for block in blocks if block)


def as_markdown(comparison: Comparison) -> str:
    """The whole comparison as a Markdown page."""
    parts = [f"# {' and '.join(comparison.systems)} compared"]
    parts += [
        "\n".join(
            f"- {line}"
            for outcome in comparison.outcomes
            for line in outcome_lines(comparison, outcome)
        )
    ]
    parts += [markdown_table(mean_rows(comparison, metric)) for metric in comparison.metrics]
    parts += [markdown_table(direction_rows(comparison, comparison.directions))]
    facts = [f"{name}: {path}" for name, path in comparison.systems.items()]
    facts += [f"{name}: `{signature}`" for name, signature in signature_rows(comparison)]
    facts += [f"{name} {number}" for name, number in comparison.versions.items()] + [
        comparison.date
    ]
    parts += [
        "\n".join(f"- {line}" for line in lines) for lines in (comparison.left_out, facts) if lines
    ]
    if comparison.examples:
        head = ["direction", "line", "source", "reference", *comparison.systems]
        rows = [
            [
                e.direction,
                str(e.line),
                e.source,
                e.reference,
                *(e.hypotheses[s] for s in comparison.systems),
            ]
            for e in comparison.examples
        ]
        parts += ["## Where they differ most", markdown_table([head, *rows])]
    return "\n\n".join(parts) + "\n"


def mean_rows(comparison: Comparison, metric: str) -> List[List[str]]:
    """The means of one metric, those of the decisive one with win ratios."""
    decisive = metric == comparison.metric
    head = [f"{metric}, mean over", "directions", comparison.baseline]
    for system in comparison.others:
        head += [system, "difference"] + (["win ratio %"] if decisive else [])
    rows = [head]
    for mean in (mean for mean in comparison.means if metric in mean.scores):
        scores = mean.scores[metric]
        row = [mean.name, str(mean.directions), format_score(scores[comparison.baseline])]
        for system in comparison.others:
            row += [
                format_score(scores[system]),
                format_score(scores[system] - scores[comparison.baseline], signed=True),
            ]
            row += [format_score(mean.win_ratio[system])] if decisive else []
        rows.append(row)
    return rows


def direction_rows(
    comparison: Comparison, directions: Sequence[ComparedDirection]
) -> List[List[str]]:
    """A head and a row per direction: scores, differences, and what the test says."""
    tested = comparison.test != NONE
    head = ["direction", "lines", comparison.baseline]
    for system in comparison.others:
        head += [system, "difference"] + (["p", "verdict"] if tested else [])
    return [head, *(_direction_row(comparison, direction, tested) for direction in directions)]


def _direction_row(comparison: Comparison, direction: ComparedDirection, tested: bool) -> List[str]:
    scores = direction.scores[comparison.metric]
    row = [
        direction.direction + (" (zero-shot)" if direction.zero_shot else ""),
        str(direction.lines),
        format_score(scores[comparison.baseline]),
    ]
    for system in comparison.others:
        row += [
            format_score(scores[system]),
            format_score(comparison.difference(direction, system), signed=True),
        ]
        if tested:
            significance = comparison.significance(direction, system)
            verdict = UNDECIDED if significance is None else significance.verdict
            row += [
                ABSENT if significance is None else f"{significance.p_value:.3f}",
                ABSENT if verdict == UNDECIDED else verdict,
            ]
    return row

"""A comparison for the terminal, and as the Markdown of comparison.md."""

from typing import List, Sequence, Tuple

from deepnet_fairseq.evaluation.compare.result import ComparedDirection, Comparison, SystemOutcome
from deepnet_fairseq.evaluation.report.text_table import (
    ABSENT,
    EXTREMES,
    MAXIMUM_ROWS,
    columns,
    format_score,
    markdown_list,
    markdown_table,
)
from deepnet_fairseq.evaluation.score.significance import BOOTSTRAP, NONE, RANDOMISATION, UNDECIDED

MARKDOWN_NAME = "comparison.md"
TESTS = {BOOTSTRAP: "paired bootstrap", RANDOMISATION: "paired approximate randomisation"}


def as_text(comparison: Comparison) -> str:
    """Return the comparison for the terminal.

    Of more than `MAXIMUM_ROWS` directions, it has only the largest gains and losses.
    """
    means = [columns(mean_rows(comparison, metric)) for metric in comparison.metrics]
    directions = comparison.directions
    if len(directions) <= MAXIMUM_ROWS:
        blocks = [columns(direction_rows(comparison, directions)), *means]
    else:
        blocks = means
        for system in comparison.others:
            blocks += _extremes(comparison, system)
        blocks.append(f"{MARKDOWN_NAME} has all {len(directions)} directions.")
    blocks += ["\n".join(outcome_lines(comparison, outcome)) for outcome in comparison.outcomes]
    blocks.append("\n".join(comparison.left_out))
    blocks.append("\n".join(f"{name}: {value}" for name, value in signature_rows(comparison)))
    return "\n\n".join(block for block in blocks if block)


def as_markdown(comparison: Comparison) -> str:
    """Return the whole comparison as Markdown."""
    outcomes: List[str] = []
    for outcome in comparison.outcomes:
        outcomes += outcome_lines(comparison, outcome)
    facts = [f"{name}: {path}" for name, path in comparison.systems.items()]
    facts += [f"{name}: `{signature}`" for name, signature in signature_rows(comparison)]
    facts += [f"{name} {number}" for name, number in comparison.versions.items()]
    facts.append(comparison.date)
    parts = [
        f"# {' and '.join(comparison.systems)} compared",
        markdown_list(outcomes),
        *(markdown_table(mean_rows(comparison, metric)) for metric in comparison.metrics),
        markdown_table(direction_rows(comparison, comparison.directions)),
        *(markdown_list(lines) for lines in (comparison.left_out, facts) if lines),
    ]
    if comparison.examples:
        rows = [["direction", "line", "source", "reference", *comparison.systems]]
        for e in comparison.examples:
            hypotheses = [e.hypotheses[system] for system in comparison.systems]
            rows.append([e.direction, str(e.line), e.source, e.reference, *hypotheses])
        parts += ["## Where they differ most", markdown_table(rows)]
    return "\n\n".join(parts) + "\n"


def mean_rows(comparison: Comparison, metric: str) -> List[List[str]]:
    """Return a header and a row per mean; those of the main metric have win ratios."""
    is_main = metric == comparison.metric
    header = [f"{metric}, mean over", "directions", comparison.baseline]
    for system in comparison.others:
        header += [system, "difference"] + (["win ratio %"] if is_main else [])
    rows = [header]
    for mean in comparison.means:
        if metric not in mean.scores:
            continue
        scores = mean.scores[metric]
        baseline = scores[comparison.baseline]
        row = [mean.name, str(mean.directions), format_score(baseline)]
        for system in comparison.others:
            row += [format_score(scores[system]), format_score(scores[system] - baseline, True)]
            row += [format_score(mean.win_ratio[system])] if is_main else []
        rows.append(row)
    return rows


def direction_rows(
    comparison: Comparison, directions: Sequence[ComparedDirection]
) -> List[List[str]]:
    """Return a header and a row per direction: scores, differences and the tests' outcomes."""
    tested = comparison.test != NONE
    header = ["direction", "lines", comparison.baseline]
    for system in comparison.others:
        header += [system, "difference"] + (["p", "outcome"] if tested else [])
    return [header, *(_direction_row(comparison, direction, tested) for direction in directions)]


def outcome_lines(comparison: Comparison, outcome: SystemOutcome) -> List[str]:
    """Return how a system compares with the baseline, in two sentences."""
    counts = f"{outcome.wins} wins, {outcome.ties} ties, {outcome.losses} losses"
    return [
        f"{outcome.system} against {comparison.baseline}, {comparison.metric}: {counts} in "
        f"{count_directions(outcome.directions)}; win ratio {format_score(outcome.win_ratio)} %.",
        significance_line(comparison, outcome),
    ]


def significance_line(comparison: Comparison, outcome: SystemOutcome) -> str:
    """Return how many differences are significant, and how many would be by chance alone."""
    if comparison.test == NONE or outcome.better is None:
        return "Not tested for significance."
    test = f"p < {comparison.level}, {TESTS[comparison.test]}, {comparison.samples:,} samples"
    return (
        f"Significantly better in {outcome.better}, worse in {outcome.worse} ({test}); chance "
        f"alone would make about {format_score(comparison.by_chance)} of {outcome.directions} seem "
        "significant."
    )


def signature_rows(comparison: Comparison) -> List[Tuple[str, str]]:
    """Return label and signature of every metric and test.

    A signature that all target languages share has no list of languages.
    """
    rows = []
    kinds = {"signature": comparison.signatures, "test": comparison.test_signatures}
    for kind, signatures in kinds.items():
        for metric, by_signature in signatures.items():
            for signature, languages in by_signature.items():
                named = f" ({', '.join(languages)})" if len(by_signature) > 1 else ""
                rows.append((f"{metric} {kind}{named}", signature))
    return rows


def count_directions(directions: int) -> str:
    """Return such as "1 direction" or "2 directions"."""
    return f"{directions} direction{'' if directions == 1 else 's'}"


def _extremes(comparison: Comparison, system: str) -> List[str]:
    """Return the tables of a system's largest gains and losses."""
    ranked = sorted(
        comparison.directions, key=lambda d: comparison.difference(d, system), reverse=True
    )
    parts = {"gains": ranked[:EXTREMES], "losses": ranked[: -EXTREMES - 1 : -1]}
    tables = []
    for words, directions in parts.items():
        table = columns(direction_rows(comparison, directions))
        tables.append(f"the {EXTREMES} largest {words} of {system}\n{table}")
    return tables


def _direction_row(comparison: Comparison, direction: ComparedDirection, tested: bool) -> List[str]:
    scores = direction.scores[comparison.metric]
    row = [direction.label, str(direction.lines), format_score(scores[comparison.baseline])]
    for system in comparison.others:
        difference = comparison.difference(direction, system)
        row += [format_score(scores[system]), format_score(difference, signed=True)]
        if tested:
            significance = comparison.significance(direction, system)
            outcome = comparison.outcome(direction, system)
            row.append(ABSENT if significance is None else f"{significance.p_value:.3f}")
            row.append(ABSENT if outcome == UNDECIDED else outcome)
    return row

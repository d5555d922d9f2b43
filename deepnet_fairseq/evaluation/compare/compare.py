"""Compares systems with a baseline: scores, tests, means, counts and examples."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import List, Sequence, Tuple

from sacrebleu.metrics import CHRF

from deepnet_fairseq.evaluation.compare.aligned_systems import (
    align_scores,
    missing_directions,
    order_metrics,
    shared_directions,
    shared_metrics,
    shared_signatures,
)
from deepnet_fairseq.evaluation.compare.external_system import score_external
from deepnet_fairseq.evaluation.compare.html import write_html
from deepnet_fairseq.evaluation.compare.paired_tests import run_tests
from deepnet_fairseq.evaluation.compare.result import (
    ComparedDirection,
    ComparedExample,
    ComparedMean,
    Comparison,
    count_outcomes,
    write_json,
)
from deepnet_fairseq.evaluation.compare.systems import System, job_of, load_systems
from deepnet_fairseq.evaluation.compare.text import MARKDOWN_NAME, as_markdown
from deepnet_fairseq.evaluation.report.summary import mean_table
from deepnet_fairseq.evaluation.score.score import ScoringJob
from deepnet_fairseq.evaluation.score.significance import BOOTSTRAP, LEVEL, NONE, SAMPLES
from deepnet_fairseq.io import write_text
from deepnet_fairseq.parallel import Jobs

WIN = "win"  # the pseudo-metric whose mean is the win ratio
FORMER_FIGURE = "comparison.png"  # of release 0.1.0; comparison.html shows the same


@dataclass
class Options:
    """The options of a comparison."""

    metrics: List[str] = field(default_factory=list)  # to test, the main one first; empty: BLEU
    test: str = BOOTSTRAP  # one of significance.TESTS, or none
    samples: int = 0  # of the test; 0: sacrebleu's default
    workers: int = 1  # processes
    examples: int = 8  # sentences shown, each from another direction


def compare(paths: Sequence[Path], options: Options) -> Comparison:
    """Compare two or more runs, or folders of hypotheses, with the first.

    Raises:
        EvaluationError: The systems cannot be compared: they have different references, or no
            direction or metric in common; or files are missing or have changed since they were
            scored.
    """
    systems, jobs = load_systems(paths), Jobs(workers=options.workers)
    for system in systems[1:]:
        if not system.results:
            score_external(system, systems[0], jobs)
    names = shared_directions(systems)
    left_out = missing_directions(systems)
    metrics = order_metrics(shared_metrics(systems, names, left_out), options.metrics)
    directions = [align_scores(systems, name, metrics) for name in names]
    comparison = Comparison(
        systems={system.name: str(system.path) for system in systems},
        metrics=metrics,
        signatures=shared_signatures(systems[0], metrics, names),
        test=options.test,
        samples=0,
        level=LEVEL,
        test_signatures={},
        directions=directions,
        means=compare_means(systems, directions, metrics[0]),
        outcomes=[],
        left_out=left_out,
        examples=[],
    )
    if options.test != NONE:
        tested = options.metrics or metrics[:1]
        comparison.samples = options.samples or SAMPLES[options.test]
        comparison.test_signatures = run_tests(
            systems, directions, tested, options.test, options.samples, jobs
        )
    comparison.outcomes = [count_outcomes(comparison, system) for system in comparison.others]
    if options.examples:
        comparison.examples = pick_examples(systems, comparison, options.examples, jobs)
    return comparison


def write_comparison(comparison: Comparison, folder: Path) -> List[Path]:
    """Write comparison.json, comparison.md and comparison.html atomically; return their paths."""
    json_path, markdown = write_json(comparison, folder), folder / MARKDOWN_NAME
    write_text(markdown, as_markdown(comparison))
    (folder / FORMER_FIGURE).unlink(missing_ok=True)
    return [json_path, markdown, write_html(comparison, folder)]


def compare_means(
    systems: Sequence[System], directions: Sequence[ComparedDirection], metric: str
) -> List[ComparedMean]:
    """Return the means over the shared directions, with the win ratio of each group.

    The groups are those of the runs' own reports. The win ratio is by the given metric.
    """
    baseline, tables = systems[0], {}
    for system in systems:
        results = []
        for d in directions:
            scores = {name: by_system[system.name] for name, by_system in d.scores.items()}
            # A win ratio is a mean of these.
            scores[WIN] = 100.0 * (scores[metric] > d.scores[metric][baseline.name])
            results.append(replace(baseline.results[d.direction], scores=scores))
        tables[system.name] = mean_table(results, baseline.pivot)
    means = []
    for number, first in enumerate(tables[baseline.name]):
        by_system = {name: table[number].scores for name, table in tables.items()}
        scores = {}
        for name in first.scores:
            scores[name] = {system: own[name] for system, own in by_system.items()}
        win_ratios = scores.pop(WIN)
        del win_ratios[baseline.name]
        means.append(ComparedMean(first.name, first.directions, scores, win_ratios))
    return means


def pick_examples(
    systems: Sequence[System], comparison: Comparison, count: int, jobs: Jobs
) -> List[ComparedExample]:
    """Pick, from each of `count` directions, the sentence whose translations' chrF differ most.

    The directions are those with the largest gains and, alternately, the largest losses.
    """
    baseline, differences = systems[0], {}
    for d in comparison.directions:
        by_system = [comparison.difference(d, system) for system in comparison.others]
        differences[d.direction] = max(by_system, key=abs)
    ranked = sorted(differences, key=lambda name: differences[name], reverse=True)
    files = {}
    for name in from_both_ends(ranked, count):
        result = baseline.results[name]
        files[name] = [job_of(system, baseline, result) for system in systems]
    arguments = {name: (each,) for name, each in files.items()}
    examples = []
    for name, (line, scores) in jobs.run(most_different_line, arguments, "examples").items():
        sources, _, references = files[name][0].read()
        hypotheses = [job.read()[1][line] for job in files[name]]
        example = ComparedExample(
            name,
            baseline.results[name].source,
            baseline.results[name].target,
            line + 1,
            sources[line],
            references[line],
            hypotheses=dict(zip(comparison.systems, hypotheses, strict=True)),
            chrf=dict(zip(comparison.systems, scores, strict=True)),
        )
        examples.append(example)
    return examples


def from_both_ends(names: Sequence[str], count: int) -> List[str]:
    """Return the first, the last, the second, the last but one … name, at most `count`."""
    order = []
    for number in range(min(count, len(names))):
        order.append(names[number // 2] if number % 2 == 0 else names[-1 - number // 2])
    return order


def most_different_line(files: Sequence[ScoringJob]) -> Tuple[int, List[float]]:
    """Return the line whose sentence chrF differs most between systems, and each one's chrF.

    Args:
        files: The files of each system.

    Returns:
        The 0-based number of the line, and its chrF by system.
    """
    chrf, texts = CHRF(), [job.read() for job in files]
    scores: List[List[float]] = []
    for _, hypotheses, references in texts:
        pairs = zip(hypotheses, references, strict=True)
        scores.append([chrf.sentence_score(line, [reference]).score for line, reference in pairs])
    by_line = list(zip(*scores, strict=True))
    line = max(range(len(by_line)), key=lambda number: max(by_line[number]) - min(by_line[number]))
    return line, list(by_line[line])

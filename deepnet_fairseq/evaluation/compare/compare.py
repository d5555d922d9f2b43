"""Several systems compared: common ground, scores, tests, means, counts and examples."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, List, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare import common
from deepnet_fairseq.evaluation.compare.examples import pick_examples
from deepnet_fairseq.evaluation.compare.paired import run_tests
from deepnet_fairseq.evaluation.compare.plain import score_plain
from deepnet_fairseq.evaluation.compare.result import (
    ComparedDirection,
    ComparedMean,
    Comparison,
    Outcome,
)
from deepnet_fairseq.evaluation.compare.systems import System, load_systems
from deepnet_fairseq.evaluation.report.means import mean_table
from deepnet_fairseq.evaluation.score.metrics import is_testable
from deepnet_fairseq.evaluation.score.significance import (
    BETTER,
    BOOTSTRAP,
    LEVEL,
    NONE,
    SAMPLES,
    WORSE,
)
from deepnet_fairseq.parallel import Jobs

DECISIVE = "BLEU"  # the metric that win ratio and test are of, if the caller names none
WIN = "win"


@dataclass
class Options:
    """How to compare."""

    metrics: List[str] = field(
        default_factory=list
    )  # the tested ones, the decisive one first; empty: BLEU
    test: str = BOOTSTRAP  # one of significance.TESTS, or none
    samples: int = 0  # 0: as many as sacrebleu takes
    workers: int = 1  # processes
    examples: int = 8  # sentences shown, each from another direction


def compare(paths: Sequence[Path], options: Options) -> Comparison:
    """Compare two or more runs, or folders of hypotheses, with the first.

    Raises EvaluationError for what can't be compared: other references, no direction or metric in common, files that are missing or have
    changed since they were scored.
    """
    systems, jobs = load_systems(paths), Jobs(workers=options.workers)
    for system in systems[1:]:
        if not system.results:
            score_plain(system, systems[0], jobs)
    names = common.common_directions(systems)
    left_out = common.lacking_directions(systems)
    metrics = order_metrics(common.common_metrics(systems, names, left_out), options.metrics)
    directions = [compare_scores(systems, name, metrics) for name in names]
    tested = (options.metrics or metrics[:1]) if options.test != NONE else []
    signatures = (
        run_tests(systems, directions, tested, options.test, options.samples, jobs)
        if tested
        else {}
    )
    found = Comparison(
        systems={system.name: str(system.path) for system in systems},
        metrics=metrics,
        signatures=common.common_signatures(systems[0], metrics, names),
        test=options.test,
        samples=(options.samples or SAMPLES[options.test]) if tested else 0,
        level=LEVEL,
        test_signatures=signatures,
        directions=directions,
        means=compare_means(systems, directions, metrics[0]),
        outcomes=[],
        left_out=left_out,
        examples=[],
    )
    found.outcomes = [count_outcome(found, system) for system in found.others]
    largest = {
        d.direction: max((found.difference(d, system) for system in found.others), key=abs)
        for d in directions
    }
    found.examples = (
        pick_examples(systems, largest, options.examples, jobs) if options.examples else []
    )
    return found


def order_metrics(metrics: Sequence[str], wanted: Sequence[str]) -> List[str]:
    """The wanted ones first, then the others. Raises EvaluationError if a wanted one is not among them."""
    for metric in wanted:
        if metric not in metrics:
            raise EvaluationError(
                f"--metrics {metric}: not in all of these runs, or not in the same way; they share {', '.join(metrics)}"
            )
    first = (
        list(wanted)
        or [metric for metric in metrics if metric == DECISIVE]
        or [metric for metric in metrics if is_testable(metric)][:1]
    )
    return first + [metric for metric in metrics if metric not in first]


def compare_scores(
    systems: Sequence[System], name: str, metrics: Sequence[str]
) -> ComparedDirection:
    """One direction's scores by all metrics that every system has for it."""
    result = systems[0].results[name]
    scores = {
        metric: {
            s.name: s.results[name].scores[metric]
            for s in systems
            if metric in s.results[name].scores
        }
        for metric in metrics
    }
    whole = {
        metric: by_system for metric, by_system in scores.items() if len(by_system) == len(systems)
    }
    if metrics[0] not in whole:
        raise EvaluationError(
            f"{name} has no {metrics[0]} in all of these runs; choose another with --metrics"
        )
    kept = (
        result.direction,
        result.source,
        result.target,
        result.test_set,
        result.zero_shot,
        result.resource,
        result.lines,
    )
    return ComparedDirection(*kept, scores=whole, tests={})


def compare_means(
    systems: Sequence[System], directions: Sequence[ComparedDirection], decisive: str
) -> List[ComparedMean]:
    """The means of the runs' own reports, over the directions that all have, and the win ratio in each group."""
    baseline, tables = systems[0], {}
    for system in systems:
        rows = []
        for d in directions:
            scores = {metric: by_system[system.name] for metric, by_system in d.scores.items()}
            won = d.scores[decisive][system.name] > d.scores[decisive][baseline.name]
            rows.append(
                replace(baseline.results[d.direction], scores={**scores, WIN: 100.0 * won})
            )  # a win ratio is a mean of these
        tables[system.name] = mean_table(rows, baseline.pivot)
    means = []
    for number, first in enumerate(tables[baseline.name]):
        by_system = {name: table[number].scores for name, table in tables.items()}
        scores = {
            metric: {name: own[metric] for name, own in by_system.items()}
            for metric in first.scores
            if metric != WIN
        }
        ratios: Dict[str, float] = {
            name: own[WIN] for name, own in by_system.items() if name != baseline.name
        }
        means.append(ComparedMean(first.name, first.directions, scores, ratios))
    return means


def count_outcome(comparison: Comparison, system: str) -> Outcome:
    """Wins, ties and losses of a system against the baseline, and those that are significant."""
    differences = [comparison.difference(direction, system) for direction in comparison.directions]
    counts = (
        sum(d > 0 for d in differences),
        sum(d == 0 for d in differences),
        sum(d < 0 for d in differences),
    )
    tests = [comparison.significance(direction, system) for direction in comparison.directions]
    verdicts = [test.verdict for test in tests if test is not None]
    return Outcome(
        system, *counts, *((verdicts.count(BETTER), verdicts.count(WORSE)) if verdicts else ())
    )

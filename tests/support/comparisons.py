"""Comparisons without hypotheses: made-up scores, differences and p-values."""

import random
from pathlib import Path

from deepnet_fairseq.evaluation.compare.compare import Options, compare
from deepnet_fairseq.evaluation.compare.result import (
    ComparedExample,
    Comparison,
    Significance,
    count_outcomes,
)
from deepnet_fairseq.evaluation.report.report import write_scores
from deepnet_fairseq.evaluation.score.significance import BETTER, UNDECIDED, WORSE
from support.large_reports import opus100_report, quick_start_report

HOSTILE = "<script>alert(1)</script> & | pipe"


def make_comparison(folder: Path, large: bool = False, others: int = 1) -> Comparison:
    """Compare on OPUS-100's 218 directions, or the quick start's 16.

    About two thirds of the directions of each other system are better than the baseline's.
    """
    draw = random.Random(5)
    paths = []
    for name in ["post_ln", *(f"deepnet_{number}" for number in range(1, others + 1))]:
        report = opus100_report() if large else quick_start_report()
        for result in report.directions if paths else []:
            result.scores = {
                metric: max(0.0, score + draw.gauss(1.0, 2.0))
                for metric, score in result.scores.items()
            }
        report.name = name
        paths.append(write_scores(report, folder / name))
    comparison = compare(paths, Options(test="none", examples=0))
    comparison.test, comparison.samples = "bootstrap", 1000
    for direction in comparison.directions:
        for system in comparison.others:
            difference = comparison.difference(direction, system)
            p = 1 / (1 + 10 * difference**2)
            outcome = UNDECIDED if p >= comparison.level else BETTER if difference > 0 else WORSE
            direction.tests.setdefault(comparison.metric, {})[system] = Significance(p, outcome)
    comparison.outcomes = [count_outcomes(comparison, system) for system in comparison.others]
    comparison.examples = [make_example(comparison, n) for n in range(4)]
    return comparison


def make_example(comparison: Comparison, number: int) -> ComparedExample:
    direction = comparison.directions[number]
    texts = {system: f"{HOSTILE} {number}" for system in comparison.systems}
    scores = {system: 10.0 + number for system in comparison.systems}
    return ComparedExample(
        direction.direction,
        direction.source,
        direction.target,
        3,
        "Quelle",
        "مرحبا بالعالم",
        texts,
        scores,
    )

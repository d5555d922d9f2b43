"""The paired tests of all directions, in several processes."""

from typing import Dict, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.common import add_signature
from deepnet_fairseq.evaluation.compare.result import ComparedDirection, Significance
from deepnet_fairseq.evaluation.compare.systems import Signatures, System, job_of
from deepnet_fairseq.evaluation.score.metrics import (
    METRICS,
    SacrebleuMetric,
    choose_metrics,
    is_testable,
)
from deepnet_fairseq.evaluation.score.score import ScoringJob
from deepnet_fairseq.evaluation.score.significance import PairedScores, paired_test
from deepnet_fairseq.parallel import Jobs

SAME = 0.001  # how far a score may be from the one in scores.json


def run_tests(
    systems: Sequence[System],
    directions: Sequence[ComparedDirection],
    names: Sequence[str],
    test: str,
    samples: int,
    jobs: Jobs,
) -> Signatures:
    """Test each direction by the named metrics and fill in its tests; return the tests' signatures as a report holds those of its metrics.

    Raises EvaluationError if a metric can't be tested, or files are missing, differ in lines or aren't those that were scored.
    """
    for name in names:
        if not is_testable(name):
            raise EvaluationError(
                f"{name} has no test of sacrebleu's; choose other --metrics, or take --test none"
            )
    targets = [direction.target for direction in directions]
    metrics, _ = choose_metrics([METRICS[name] for name in names], targets)
    for name in names:
        if name not in [metric.name for metric in metrics]:
            raise EvaluationError(
                f"{name} can't be computed here, so it can't be tested; choose other --metrics, or take --test none"
            )
    files = {
        d.direction: [
            job_of(system, systems[0], systems[0].results[d.direction]) for system in systems
        ]
        for d in directions
    }
    for job in (job for each in files.values() for job in each):
        job.count()
    found = jobs.run(
        compare_files, {name: (each, metrics, test, samples) for name, each in files.items()}, test
    )
    signatures: Signatures = {}
    for direction in directions:
        for metric, scores in found[direction.direction].items():
            if metric in direction.scores:
                _check(systems, direction, metric, scores)
                direction.tests[metric] = _significance(systems, scores)
                add_signature(signatures, metric, scores.signature, direction.target)
    return signatures


def compare_files(
    files: Sequence[ScoringJob], metrics: Sequence[SacrebleuMetric], test: str, samples: int
) -> Dict[str, PairedScores]:
    """The paired test of one direction by each metric that can score its target language; the first file is the baseline's."""
    texts = [job.read() for job in files]
    hypotheses, references, target = [text[1] for text in texts], texts[0][2], files[0].target
    return {
        m.name: paired_test(hypotheses, references, m.scorer(target), test, samples)
        for m in metrics
        if not m.missing(target)
    }


def _check(
    systems: Sequence[System], direction: ComparedDirection, metric: str, scores: PairedScores
) -> None:
    for system, paired in zip(systems, scores.systems, strict=True):
        written = direction.scores[metric][system.name]
        if abs(paired.score - written) > SAME:
            raise EvaluationError(
                f"{direction.direction}: the hypotheses of {system.path} have {metric} {paired.score:.3f}, but {written:.3f} was "
                "written down: they or the references have changed since; run scripts/evaluate.sh again"
            )


def _significance(systems: Sequence[System], scores: PairedScores) -> Dict[str, Significance]:
    return {
        system.name: Significance(
            paired.p_value, scores.outcome(number) if number else "", paired.mean, paired.interval
        )
        for number, (system, paired) in enumerate(zip(systems, scores.systems, strict=True))
    }

"""sacrebleu's paired tests for all directions, in several processes."""

from typing import Dict, List, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.aligned_systems import add_signature
from deepnet_fairseq.evaluation.compare.result import ComparedDirection, Signatures, Significance
from deepnet_fairseq.evaluation.compare.systems import System, job_of
from deepnet_fairseq.evaluation.score.metrics import (
    METRICS,
    Metric,
    SacrebleuMetric,
    choose_metrics,
    is_testable,
)
from deepnet_fairseq.evaluation.score.score import ScoringJob
from deepnet_fairseq.evaluation.score.significance import PairedScores, paired_test
from deepnet_fairseq.parallel import Jobs

TOLERANCE = 0.001  # between a score and the one in scores.json


def run_tests(
    systems: Sequence[System],
    directions: Sequence[ComparedDirection],
    names: Sequence[str],
    test: str,
    samples: int,
    jobs: Jobs,
) -> Signatures:
    """Test each direction by the named metrics and fill in its tests.

    Args:
        systems: The systems, the baseline first.
        directions: The directions to test.
        names: The metrics to test.
        test: One of significance.TESTS.
        samples: Of the test; 0 is sacrebleu's default.
        jobs: Processes.

    Returns:
        The signatures of the tests, by metric.

    Raises:
        EvaluationError: A metric cannot be tested; or files are missing, have different numbers of
            lines, or have changed since they were scored.
    """
    metrics = _testable_metrics(names, [direction.target for direction in directions])
    files = {}
    for d in directions:
        result = systems[0].results[d.direction]
        files[d.direction] = [job_of(system, systems[0], result) for system in systems]
    for direction_files in files.values():
        for job in direction_files:
            job.count()
    arguments = {name: (each, metrics, test, samples) for name, each in files.items()}
    tested = jobs.run(compare_files, arguments, test)
    signatures: Signatures = {}
    for direction in directions:
        for metric, scores in tested[direction.direction].items():
            if metric in direction.scores:
                _check_scores(systems, direction, metric, scores)
                direction.tests[metric] = _significance(systems, scores)
                add_signature(signatures, metric, scores.signature, direction.target)
    return signatures


def compare_files(
    files: Sequence[ScoringJob], metrics: Sequence[SacrebleuMetric], test: str, samples: int
) -> Dict[str, PairedScores]:
    """Test one direction by each metric that can score its target language.

    Args:
        files: The files of each system, the baseline's first.
        metrics: The metrics.
        test: One of significance.TESTS.
        samples: Of the test; 0 is sacrebleu's default.
    """
    texts = [job.read() for job in files]
    hypotheses, references, target = [text[1] for text in texts], texts[0][2], files[0].target
    return {
        m.name: paired_test(hypotheses, references, m.scorer(target), test, samples)
        for m in metrics
        if not m.missing(target)
    }


def _testable_metrics(names: Sequence[str], targets: Sequence[str]) -> List[Metric]:
    for name in names:
        if not is_testable(name):
            raise EvaluationError(
                f"{name} has no test of sacrebleu's; choose other --metrics, or take --test none"
            )
    metrics, _ = choose_metrics([METRICS[name] for name in names], targets)
    for name in names:
        if name not in [metric.name for metric in metrics]:
            raise EvaluationError(
                f"{name} can't be computed here, so it can't be tested; choose other --metrics, or "
                "take --test none"
            )
    return metrics


def _check_scores(
    systems: Sequence[System], direction: ComparedDirection, metric: str, scores: PairedScores
) -> None:
    """Check that the files still have the scores of scores.json."""
    for system, paired in zip(systems, scores.systems, strict=True):
        written = direction.scores[metric][system.name]
        if abs(paired.score - written) > TOLERANCE:
            raise EvaluationError(
                f"{direction.direction}: the hypotheses of {system.path} have {metric} "
                f"{paired.score:.3f}, but {written:.3f} was written down: they or the references "
                "have changed since; run scripts/evaluate.sh again"
            )


def _significance(systems: Sequence[System], scores: PairedScores) -> Dict[str, Significance]:
    tests = {}
    for number, (system, paired) in enumerate(zip(systems, scores.systems, strict=True)):
        outcome = scores.outcome(number) if number else ""
        tests[system.name] = Significance(paired.p_value, outcome, paired.mean, paired.interval)
    return tests

"""Hypotheses of another system, scored with the baseline's references and metrics."""

from dataclasses import replace
from typing import Dict, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.aligned_systems import add_signature
from deepnet_fairseq.evaluation.compare.systems import System, direction_of, job_of
from deepnet_fairseq.evaluation.decode.hypotheses import hypothesis_file
from deepnet_fairseq.evaluation.score.metrics import (
    METRICS,
    Metric,
    MetricScore,
    choose_metrics,
    is_testable,
)
from deepnet_fairseq.evaluation.score.score import ScoringJob, score_texts
from deepnet_fairseq.parallel import Jobs


def score_external(system: System, baseline: System, jobs: Jobs) -> None:
    """Fill in the results and signatures of a system that has only hypotheses.

    Directions without a file are left out.

    Args:
        system: The system; its folder has files such as de-en.en.
        baseline: The run whose corpus and metrics are used.
        jobs: Processes.

    Raises:
        EvaluationError: No direction of the baseline has a file, or a file has a wrong number of
            lines.
    """
    names = {
        r.direction: hypothesis_file(direction_of(r), system.hypotheses)
        for r in baseline.results.values()
    }
    results = [r for r in baseline.results.values() if names[r.direction].is_file()]
    if not results:
        expected = ", ".join(path.name for path in list(names.values())[:5])
        raise EvaluationError(
            f"{system.path} holds hypotheses for none of {baseline.path}'s directions; name them "
            f"{expected} …"
        )
    files = {result.direction: job_of(system, baseline, result) for result in results}
    for job in files.values():
        job.count()
    metrics, _ = choose_metrics(
        [METRICS[name] for name in baseline.signatures if is_testable(name)],
        [result.target for result in results],
    )
    arguments = {name: (job, metrics) for name, job in files.items()}
    scored = jobs.run(score_files, arguments, f"scoring {system.name}")
    for result in results:
        scores = scored[result.direction]
        # The direction's facts are the baseline's; those of its hypotheses are unknown.
        system.results[result.direction] = replace(
            result,
            scores={metric: score.value for metric, score in scores.items()},
            off_target=None,
            empty=0,
            too_long=0,
            cut=0,
            unknown=0,
            ignores_source=False,
        )
        for metric, score in scores.items():
            add_signature(system.signatures, metric, score.signature, result.target)


def score_files(files: ScoringJob, metrics: Sequence[Metric]) -> Dict[str, MetricScore]:
    """Return the scores of one test set by all metrics that can score its target language."""
    _, hypotheses, references = files.read()
    return score_texts(hypotheses, references, files.target, metrics)

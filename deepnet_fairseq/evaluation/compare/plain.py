"""Hypotheses of any other system, one file per direction, scored with the baseline's references and metrics."""

from dataclasses import replace
from typing import Dict, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.common import add_signature
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


def score_plain(system: System, baseline: System, jobs: Jobs) -> None:
    """Fill in results and signatures of a system of which there are only hypotheses; directions without a file are left out.

    Raises EvaluationError if there is no file for any of the baseline's directions, or one of them has too few or too many lines.
    """
    there = [
        r
        for r in baseline.results.values()
        if hypothesis_file(direction_of(r), system.hypotheses).is_file()
    ]
    if not there:
        names = ", ".join(
            hypothesis_file(direction_of(r), system.hypotheses).name
            for r in list(baseline.results.values())[:5]
        )
        raise EvaluationError(
            f"{system.path} holds hypotheses for none of {baseline.path}'s directions; name them {names} …"
        )
    files = {result.direction: job_of(system, baseline, result) for result in there}
    for job in files.values():
        job.count()
    metrics, _ = choose_metrics(
        [METRICS[name] for name in baseline.signatures if is_testable(name)],
        [result.target for result in there],
    )
    scored = jobs.run(
        score_files, {name: (job, metrics) for name, job in files.items()}, f"scoring {system.name}"
    )
    for result in there:
        scores = {metric: score.value for metric, score in scored[result.direction].items()}
        # What is known of the direction is the baseline's; what is known of its hypotheses is not.
        system.results[result.direction] = replace(
            result,
            scores=scores,
            off_target=None,
            empty=0,
            too_long=0,
            cut=0,
            unknown=0,
            ignores_source=False,
        )
        for metric, score in scored[result.direction].items():
            add_signature(system.signatures, metric, score.signature, result.target)


def score_files(files: ScoringJob, metrics: Sequence[Metric]) -> Dict[str, MetricScore]:
    """Return the scores of one test set by all metrics that can score its target language."""
    _, hypotheses, references = files.read()
    return score_texts(hypotheses, references, files.target, metrics)

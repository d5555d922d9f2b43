"""Hypotheses of any other system, one file per direction, scored with the baseline's references and metrics."""

from dataclasses import replace
from typing import Dict, List, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.common import add_signature
from deepnet_fairseq.evaluation.compare.systems import System, direction_of, job_of
from deepnet_fairseq.evaluation.decode.hypotheses import hypothesis_file
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.evaluation.score.job import ScoringJob
from deepnet_fairseq.evaluation.score.metrics import COMET, Metric, MetricScore, choose_metrics
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
    metrics = metrics_named(
        [m for m in baseline.signatures if m != COMET], [result.target for result in there]
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


def metrics_named(names: Sequence[str], targets: Sequence[str]) -> List[Metric]:
    """sacrebleu's metrics of these names that can score some of the languages."""
    # one at a time: beside BLEU, BLEU-lang would be left out where the two are equal
    return [
        metric
        for name in names
        for metric in choose_metrics(EvaluationConfig(metrics=[name]), targets)[0]
    ]


def score_files(files: ScoringJob, metrics: Sequence[Metric]) -> Dict[str, MetricScore]:
    """Every metric's score that there is for the target language."""
    _, hypotheses, references = files.read()
    return {
        m.name: m.score(hypotheses, references, files.target)
        for m in metrics
        if not m.missing(files.target)
    }

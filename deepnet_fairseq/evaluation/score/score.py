"""Scores of many test sets, in several processes: every metric, whether the source is ignored, and which language was written."""

import logging
from dataclasses import dataclass, replace
from typing import Dict, Mapping, Optional, Sequence, Tuple

from deepnet_fairseq.data.language_identification import PACKAGE
from deepnet_fairseq.evaluation.score import off_target
from deepnet_fairseq.evaluation.score.comet import Comet, CometFailure, find_comet
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.evaluation.score.dependence import Dependence, measure_dependence
from deepnet_fairseq.evaluation.score.job import ScoringJob
from deepnet_fairseq.evaluation.score.metrics import COMET, Metric, MetricScore, choose_metrics
from deepnet_fairseq.evaluation.score.off_target import load_identifier, off_target_rate
from deepnet_fairseq.io import sha256_of
from deepnet_fairseq.parallel import Jobs

logger = logging.getLogger(__name__)

# A line takes about a millisecond for the metrics together, starting processes 3 to 4 seconds: most of that is importing torch and fairseq.
LINES_PER_WORKER = 5000


@dataclass(frozen=True)
class Scored:
    """What was measured of one test set."""

    lines: int
    scores: Dict[
        str, MetricScore
    ]  # by metric, in the config's order; without those that cannot score this target language
    dependence: Dependence
    off_target: Optional[
        float
    ]  # % of the hypotheses in another language; None without identifier, or if it doesn't know the target
    off_target_references: Optional[
        float
    ]  # the same of the references: what the identifier gets wrong
    references_sha256: str


@dataclass(frozen=True)
class Plan:
    """What can be measured here."""

    metrics: Sequence[Metric]
    comet: Optional[Comet]
    identify: bool  # the languages of hypotheses and references
    left_out: Dict[str, str]  # metric, or "off-target": why, and how to get it, in one line


def plan_scoring(config: EvaluationConfig, targets: Sequence[str]) -> Plan:
    """Find out what can be measured of translations into these languages.

    Raises EvaluationError for a model that the config names and that cannot be used.
    """
    metrics, left_out = choose_metrics(config, targets)
    comet, line = find_comet(config.comet_model) if COMET in config.metrics else (None, "")
    left_out.update({COMET: line} if line else {})
    line = off_target.what_is_wrong()
    left_out.update({off_target.NAME: line} if line else {})
    return Plan(metrics, comet, not line, left_out)


def score_all(
    jobs: Mapping[str, ScoringJob], config: EvaluationConfig, workers: int = 1
) -> Tuple[Dict[str, Scored], Dict[str, str]]:
    """Score test sets; return what was measured of each, in their order, and what was left out: why, and how to get it, in one line.

    Raises EvaluationError, before any work, for files that differ in lines or hold none and for a model that the config names and that
    cannot be used; DataError for text that isn't UTF-8. The results don't depend on workers, a number of processes.
    """
    lines = sum(job.count() for job in jobs.values())
    plan = plan_scoring(config, [job.target for job in jobs.values()])
    processes = max(1, min(workers, lines // LINES_PER_WORKER))
    arguments = {name: (job, plan.metrics, plan.identify) for name, job in jobs.items()}
    scored: Dict[str, Scored] = Jobs(workers=processes).run(score_job, arguments, "scoring")
    left_out = dict(plan.left_out)
    if plan.identify:
        unknown = sorted(
            {job.target for name, job in jobs.items() if scored[name].off_target is None}
        )
        left_out.update(
            {
                f"{off_target.NAME} ({target})": f"{PACKAGE} does not know this language"
                for target in unknown
            }
        )
    if plan.comet is not None and jobs:
        logger.info("scoring %d lines with %s", lines, plan.comet.command)
        try:
            scored = _add(plan.comet.score(jobs), scored, config.metrics)
        except (
            CometFailure,
            OSError,
        ) as failure:  # such as a full disk; the other scores must not be lost to it
            left_out[COMET] = str(failure)
    return scored, left_out


def score_job(job: ScoringJob, metrics: Sequence[Metric], identify: bool) -> Scored:
    """Measure one test set with all but COMET."""
    sources, hypotheses, references = job.read()
    rates = [
        off_target_rate(lines, job.target, load_identifier()) if identify else None
        for lines in (hypotheses, references)
    ]
    return Scored(
        lines=len(references),
        scores={
            metric.name: metric.score(hypotheses, references, job.target)
            for metric in metrics
            if not metric.missing(job.target)
        },
        dependence=measure_dependence(sources, hypotheses, references),
        off_target=rates[0],
        off_target_references=rates[1],
        references_sha256=sha256_of(job.references),
    )


def _add(
    found: Mapping[str, MetricScore], scored: Mapping[str, Scored], order: Sequence[str]
) -> Dict[str, Scored]:
    """Put COMET's scores among the others, in that order."""
    together = {name: {**result.scores, COMET: found[name]} for name, result in scored.items()}
    return {
        name: replace(
            result,
            scores={metric: together[name][metric] for metric in order if metric in together[name]},
        )
        for name, result in scored.items()
    }

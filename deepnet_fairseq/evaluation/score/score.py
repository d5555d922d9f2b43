"""Score many test sets in several processes: metrics, use of the source, and output language."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from deepnet_fairseq.data.language_identification import PACKAGE
from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score import off_target
from deepnet_fairseq.evaluation.score.comet import CometFailure, Texts
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.evaluation.score.metrics import (
    Comet,
    Metric,
    MetricScore,
    SacrebleuMetric,
    choose_metrics,
)
from deepnet_fairseq.evaluation.score.off_target import load_identifier, off_target_rate
from deepnet_fairseq.evaluation.score.shuffled_source import SourceUse, measure_source_use
from deepnet_fairseq.io import count_lines, read_lines, sha256_of
from deepnet_fairseq.parallel import Jobs

# All metrics take about a millisecond per line. Starting processes takes 3 to 4 seconds, most of
# it for the import of torch and fairseq.
LINES_PER_WORKER = 5000


@dataclass(frozen=True)
class ScoringJob:
    """The files of one test set: line n of each belongs to line n of the others."""

    sources: Path
    hypotheses: Path
    references: Path
    target: str  # the language of hypotheses and references

    def count(self) -> int:
        """Return the number of lines.

        Raises:
            EvaluationError: Two files differ in lines, or there are none. The message names them.
        """
        lines = count_lines(self.references)
        if not lines:
            raise EvaluationError(
                f"{self.references} holds no lines; it must hold a reference for every source"
            )
        for path in (self.sources, self.hypotheses):
            if count_lines(path) != lines:
                counts = f"{path} has {count_lines(path)} lines, but {self.references} has {lines}"
                raise EvaluationError(f"{counts}; line n of each must belong together")
        return lines

    def read(self) -> Texts:
        """Return sources, hypotheses and references. Raises DataError for bytes not in UTF-8."""
        sources, hypotheses, references = map(
            list, map(read_lines, (self.sources, self.hypotheses, self.references))
        )
        return sources, hypotheses, references


@dataclass(frozen=True)
class Scored:
    """All that is measured of one test set."""

    lines: int
    # By metric, in the config's order, without those that cannot score this target language.
    scores: Dict[str, MetricScore]
    source_use: SourceUse
    # Percentage of the hypotheses in another language than the target; None if there is no
    # identifier, or if it does not know the target language.
    off_target: Optional[float]
    off_target_references: Optional[float]  # the same of the references: the identifier's errors
    references_sha256: str


@dataclass(frozen=True)
class Plan:
    """What can be measured here."""

    metrics: List[Metric]
    identify: bool  # the languages of hypotheses and references
    left_out: Dict[str, str]  # metric or "off-target": the reason and the remedy, in one line


def plan_scoring(config: EvaluationConfig, targets: Sequence[str]) -> Plan:
    """Find out what can be measured of translations into some languages.

    Raises:
        EvaluationError: The config names a model that cannot be used.
    """
    metrics, left_out = choose_metrics(config.requested_metrics(), targets, drop_duplicates=True)
    problem = off_target.find_problem()
    if problem:
        left_out[off_target.NAME] = problem
    return Plan(metrics, not problem, left_out)


def score_all(
    jobs: Mapping[str, ScoringJob], config: EvaluationConfig, workers: int = 1
) -> Tuple[Dict[str, Scored], Dict[str, str]]:
    """Score test sets by name; the results do not depend on the number of processes.

    Returns:
        What was measured of each test set, in the order of the jobs, and what was left out: the
        reason and the remedy, in one line.

    Raises:
        EvaluationError: Files differ in lines or have none, or the config names a model that
            cannot be used; raised before any work.
        DataError: A text is not UTF-8.
    """
    lines = sum(job.count() for job in jobs.values())
    plan = plan_scoring(config, [job.target for job in jobs.values()])
    processes = max(1, min(workers, lines // LINES_PER_WORKER))
    arguments = {name: (job, plan.metrics, plan.identify) for name, job in jobs.items()}
    scored: Dict[str, Scored] = Jobs(workers=processes).run(score_job, arguments, "scoring")
    left_out = dict(plan.left_out)
    if plan.identify:
        unknown = {job.target for name, job in jobs.items() if scored[name].off_target is None}
        for target in sorted(unknown):
            left_out[f"{off_target.NAME} ({target})"] = f"{PACKAGE} does not know this language"
    for comet in (metric for metric in plan.metrics if isinstance(metric, Comet) and jobs):
        try:
            scores = comet.score_all((name, job.read()) for name, job in jobs.items())
        # Such as a full disk: the other scores must not be lost to it.
        except (CometFailure, OSError) as failure:
            left_out[comet.name] = str(failure)
        else:
            scored = _add(comet.name, scores, scored, config.metrics)
    return scored, left_out


def score_job(job: ScoringJob, metrics: Sequence[Metric], identify: bool) -> Scored:
    """Measure one test set, with all metrics that sacrebleu computes."""
    sources, hypotheses, references = job.read()
    rates: List[Optional[float]] = [None, None]
    if identify:
        identifier = load_identifier()
        rates = [off_target_rate(t, job.target, identifier) for t in (hypotheses, references)]
    return Scored(
        lines=len(references),
        scores=score_texts(hypotheses, references, job.target, metrics),
        source_use=measure_source_use(sources, hypotheses, references),
        off_target=rates[0],
        off_target_references=rates[1],
        references_sha256=sha256_of(job.references),
    )


def score_texts(
    hypotheses: Sequence[str], references: Sequence[str], target: str, metrics: Sequence[Metric]
) -> Dict[str, MetricScore]:
    """Score sentences by each of sacrebleu's metrics that can score the target language."""
    return {
        metric.name: metric.score(hypotheses, references, target)
        for metric in metrics
        if isinstance(metric, SacrebleuMetric) and not metric.missing(target)
    }


def _add(
    metric: str,
    scores: Mapping[str, MetricScore],
    scored: Mapping[str, Scored],
    order: Sequence[str],
) -> Dict[str, Scored]:
    """Add the scores of one more metric, in the order of all metrics."""
    result = {}
    for name, measured in scored.items():
        together = {**measured.scores, metric: scores[name]}
        ordered = {other: together[other] for other in order if other in together}
        result[name] = replace(measured, scores=ordered)
    return result

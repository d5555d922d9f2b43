"""Builds the report of one system from its hypotheses, and writes its files.

The hypotheses may be of any system.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.hypotheses import Hypotheses
from deepnet_fairseq.evaluation.decode.test_data import Direction
from deepnet_fairseq.evaluation.report.html import write_html
from deepnet_fairseq.evaluation.report.plots import write_heat_maps
from deepnet_fairseq.evaluation.report.report import (
    DirectionResult,
    Example,
    Report,
    write_scores,
    write_tsv,
)
from deepnet_fairseq.evaluation.report.summary import mean_table, resource_class
from deepnet_fairseq.evaluation.report.text_table import write_markdown
from deepnet_fairseq.evaluation.report.training_log import read_curves
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.evaluation.score.published_scores import (
    AgainstReference,
    Published,
    against,
    load_published,
)
from deepnet_fairseq.evaluation.score.score import Scored, ScoringJob, plan_scoring, score_all
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair, sort_pair


@dataclass(frozen=True)
class Origin:
    """The origin of hypotheses; see Report."""

    name: str
    config: str
    checkpoint: str
    averaged_from: List[Dict[str, object]]
    decoding: str


def build_report(
    hypotheses: Sequence[Hypotheses],
    corpus: Path,
    pivot: str,
    training_pairs: Mapping[Pair, int],
    config: EvaluationConfig,
    origin: Origin,
    workers: int = 1,
) -> Report:
    """Score every direction and build the report.

    Args:
        hypotheses: The hypotheses of each direction.
        corpus: The folder with sources and references.
        pivot: The language that the means are into and out of.
        training_pairs: Sentence pairs of the training text, by language pair.
        config: The metrics and other options of the evaluation.
        origin: The origin of the hypotheses.
        workers: Processes.

    Raises:
        EvaluationError: No metric can be computed, or `score_all` or `load_published` fails.
    """
    published = None
    if config.reference_scores:
        published = load_published(config.reference_scores, config.reference_system)
    jobs = {h.direction.name: _job(h, corpus) for h in hypotheses}
    scored, left_out = score_all(jobs, config, workers)
    signatures = signatures_of(config.metrics, hypotheses, scored)
    if not signatures:
        raise EvaluationError(
            f"none of the metrics could be computed: {'; '.join(left_out.values())}"
        )
    directions = [_result(h, scored[h.direction.name], training_pairs, config) for h in hypotheses]
    reference = None
    if published is not None:
        reference = _reference(published, directions)
        if reference is None:
            left_out["win ratio"] = (
                f"no direction has {published.metric} both here and in {config.reference_scores}"
            )
    return Report(
        name=origin.name,
        config=origin.config,
        pivot=pivot,
        corpus=str(corpus),
        hypotheses=str(hypotheses[0].path.parent),
        checkpoint=origin.checkpoint,
        averaged_from=origin.averaged_from,
        decoding=origin.decoding,
        signatures=signatures,
        left_out=left_out,
        directions=directions,
        means=mean_table(directions, pivot),
        examples=pick_examples(jobs, {d.direction: d.lines for d in directions}, config.examples),
        reference=reference,
    )


def write_report(report: Report, training_log: Optional[Path], folder: Path) -> List[Path]:
    """Write scores.json, scores.md, scores.tsv, report.html and the heat maps atomically.

    Args:
        report: The report.
        training_log: The --log-file of fairseq-train; without it there are no training curves.
        folder: The output folder.

    Returns:
        The paths of the files.
    """
    return [
        write_scores(report, folder),
        write_markdown(report, folder),
        write_tsv(report, folder),
        write_html(report, read_curves(training_log), folder),
        *write_heat_maps(report, folder),
    ]


def check_scoring(config: EvaluationConfig, directions: Sequence[Direction]) -> None:
    """Check, before hours of translation, that the evaluation's metrics can be computed.

    Raises:
        EvaluationError: The config names something that cannot be used, or no metric can be
            computed.
    """
    if config.reference_scores:
        published = load_published(config.reference_scores, config.reference_system)
        if published.metric not in config.metrics:
            raise EvaluationError(
                f"reference_scores are {published.metric}, which metrics leaves out; add it, or "
                "leave out reference_scores"
            )
        if not any(direction.name in published.scores for direction in directions):
            raise EvaluationError(
                f"reference_scores {config.reference_scores} has none of the directions; leave it "
                "out"
            )
    plan = plan_scoring(config, [direction.target for direction in directions])
    if not plan.metrics:
        reasons = "; ".join(f"{name}: {why}" for name, why in plan.left_out.items())
        raise EvaluationError(f"none of the metrics can be computed: {reasons}")


def signatures_of(
    metrics: Sequence[str], hypotheses: Sequence[Hypotheses], scored: Mapping[str, Scored]
) -> Dict[str, Dict[str, List[str]]]:
    """Return the signatures of each metric, each with its target languages."""
    targets: Dict[str, Dict[str, set]] = {metric: {} for metric in metrics}
    for h in hypotheses:
        for metric, score in scored[h.direction.name].scores.items():
            targets[metric].setdefault(score.signature, set()).add(h.direction.target)
    signatures = {}
    for metric, by_signature in targets.items():
        if by_signature:
            signatures[metric] = {name: sorted(codes) for name, codes in by_signature.items()}
    return signatures


def pick_examples(
    jobs: Mapping[str, ScoringJob], lines: Mapping[str, int], count: int
) -> List[Example]:
    """Pick one sentence from each of `count` directions, evenly spread over all directions.

    The sentences are from different positions in their test sets.

    Args:
        jobs: The files by direction.
        lines: The number of lines of these files, by direction.
        count: Maximum number of examples.
    """
    names = list(jobs)
    count = min(count, len(names))
    examples = []
    for number in range(count):
        # the middles of equal parts, so that the first and the last direction are not favoured
        name = names[(2 * number + 1) * len(names) // (2 * count)]
        job = jobs[name]
        line = (2 * number + 1) * lines[name] // (2 * count)
        texts = [_read_line(path, line) for path in (job.sources, job.references, job.hypotheses)]
        examples.append(Example(name, line + 1, *texts))
    return examples


def _job(hypotheses: Hypotheses, corpus: Path) -> ScoringJob:
    direction = hypotheses.direction
    sources, references = direction.source_file(corpus), direction.reference_file(corpus)
    return ScoringJob(sources, hypotheses.path, references, direction.target)


def _result(
    hypotheses: Hypotheses,
    scored: Scored,
    training_pairs: Mapping[Pair, int],
    config: EvaluationConfig,
) -> DirectionResult:
    direction, special = hypotheses.direction, hypotheses.special
    training = training_pairs.get(sort_pair(direction.source, direction.target), 0)
    return DirectionResult(
        direction=direction.name,
        source=direction.source,
        target=direction.target,
        test_set=direction.test_set,
        zero_shot=direction.zero_shot,
        training_pairs=training,
        resource=resource_class(training, config.high_resource, config.medium_resource),
        lines=scored.lines,
        scores={metric: score.value for metric, score in scored.scores.items()},
        shuffled_bleu=scored.source_use.shuffled_bleu,
        distinct=scored.source_use.distinct,
        ignores_source=scored.source_use.ignores_source,
        references_sha256=scored.references_sha256,
        off_target=scored.off_target,
        off_target_references=scored.off_target_references,
        empty=len(special.empty),
        too_long=len(special.too_long),
        cut=len(special.cut),
        unknown=len(special.unknown),
    )


def _reference(
    published: Published, directions: Sequence[DirectionResult]
) -> Optional[AgainstReference]:
    """Compare with a published system; None if no direction has both scores."""
    ours = {}
    for d in directions:
        if not d.test_set and published.metric in d.scores:
            ours[d.direction] = d.scores[published.metric]
    return against(published, ours) if published.scores.keys() & ours.keys() else None


def _read_line(path: Path, number: int) -> str:
    """Return a line by its 0-based number, without reading the lines after it."""
    return next(islice(read_lines(path), number, None))

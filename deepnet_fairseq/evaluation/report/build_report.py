"""Hypotheses and scores of many directions put together into a report. Whose hypotheses they are does not matter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.direction import Direction
from deepnet_fairseq.evaluation.decode.hypotheses import Hypotheses
from deepnet_fairseq.evaluation.report.examples import TranslatedFile, pick_examples
from deepnet_fairseq.evaluation.report.means import mean_table, resource_class
from deepnet_fairseq.evaluation.report.report import DirectionResult, Report
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.evaluation.score.published_scores import against, load_published
from deepnet_fairseq.evaluation.score.score import Scored, ScoringJob, plan_scoring, score_all
from deepnet_fairseq.languages import Pair, sort_pair


@dataclass(frozen=True)
class Origin:
    """What a report says of where its hypotheses come from; see Report."""

    name: str
    config: str
    checkpoint: str
    averaged_from: List[Dict[str, object]]
    decoding: str


def build_report(
    found: Sequence[Hypotheses],
    corpus: Path,
    pivot: str,
    training_pairs: Mapping[Pair, int],
    config: EvaluationConfig,
    origin: Origin,
    workers: int = 1,
) -> Report:
    """Score every direction and put the report together.

    Args: corpus: the folder with sources and references; training_pairs: sentence pairs of the training text, by languages.

    Raises EvaluationError for what `score_all` and `load_published` refuse.
    """
    published = (
        load_published(config.reference_scores, config.reference_system)
        if config.reference_scores
        else None
    )
    jobs = {
        h.direction.name: ScoringJob(
            h.direction.sources(corpus), h.path, h.direction.references(corpus), h.direction.target
        )
        for h in found
    }
    scored, left_out = score_all(jobs, config, workers)
    directions = [_result(h, scored[h.direction.name], training_pairs, config) for h in found]
    signatures = signatures_of(config.metrics, found, scored)
    if not signatures:
        raise EvaluationError(
            f"none of the metrics could be computed: {'; '.join(left_out.values())}"
        )
    reference = None
    if published is not None:
        ours = {
            d.direction: d.scores[published.metric]
            for d in directions
            if not d.test_set and published.metric in d.scores
        }
        if published.scores.keys() & ours.keys():
            reference = against(published, ours)
        else:
            left_out["win ratio"] = (
                f"no direction has {published.metric} both here and in {config.reference_scores}"
            )
    examples = [
        TranslatedFile(name, job.sources, job.references, job.hypotheses, scored[name].lines)
        for name, job in jobs.items()
    ]
    return Report(
        name=origin.name,
        config=origin.config,
        pivot=pivot,
        corpus=str(corpus),
        hypotheses=str(found[0].path.parent),
        checkpoint=origin.checkpoint,
        averaged_from=origin.averaged_from,
        decoding=origin.decoding,
        signatures=signatures,
        left_out=left_out,
        directions=directions,
        means=mean_table(directions, pivot),
        examples=pick_examples(examples, config.examples),
        reference=reference,
    )


def check_scoring(config: EvaluationConfig, directions: Sequence[Direction]) -> None:
    """Raise EvaluationError, before hours of translation, for what the config names and cannot be used, or if no metric can be computed."""
    if config.reference_scores:
        published = load_published(config.reference_scores, config.reference_system)
        if published.metric not in config.metrics:
            raise EvaluationError(
                f"reference_scores are {published.metric}, which metrics leaves out; add it, or leave out reference_scores"
            )
        if not any(direction.name in published.scores for direction in directions):
            raise EvaluationError(
                f"reference_scores {config.reference_scores} has none of the directions; leave it out"
            )
    plan = plan_scoring(config, [direction.target for direction in directions])
    if not plan.metrics:
        raise EvaluationError(
            f"none of the metrics can be computed: {'; '.join(f'{name}: {why}' for name, why in plan.left_out.items())}"
        )


def signatures_of(
    metrics: Sequence[str], found: Sequence[Hypotheses], scored: Mapping[str, Scored]
) -> Dict[str, Dict[str, List[str]]]:
    """The signatures of each metric, in the order of metrics, and the target languages of each signature."""
    targets: Dict[str, Dict[str, set]] = {metric: {} for metric in metrics}
    for hypotheses in found:
        for metric, score in scored[hypotheses.direction.name].scores.items():
            targets[metric].setdefault(score.signature, set()).add(hypotheses.direction.target)
    return {
        metric: {signature: sorted(languages) for signature, languages in by.items()}
        for metric, by in targets.items()
        if by
    }


def _result(
    found: Hypotheses, scored: Scored, training_pairs: Mapping[Pair, int], config: EvaluationConfig
) -> DirectionResult:
    direction, special = found.direction, found.special
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

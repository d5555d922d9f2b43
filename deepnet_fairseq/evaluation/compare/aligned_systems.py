"""What several systems share: directions on the same references, metrics with equal signatures."""

from bisect import insort
from typing import List, Optional, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.result import ComparedDirection, Signatures
from deepnet_fairseq.evaluation.compare.systems import System
from deepnet_fairseq.evaluation.score.metrics import is_testable

MAIN_METRIC = "BLEU"  # of win ratio and test, if the caller names none
NAMED = 8  # further directions are counted, not named


def shared_directions(systems: Sequence[System]) -> List[str]:
    """Return the directions that all systems have, in the baseline's order.

    Raises:
        EvaluationError: There are none, or references differ.
    """
    baseline = systems[0]
    shared = [d for d in baseline.results if all(d in system.results for system in systems)]
    if not shared:
        lists = [f"{system.name} has {name_first(list(system.results))}" for system in systems]
        raise EvaluationError(
            f"nothing to compare: no direction is in all of them. {'; '.join(lists)}"
        )
    references = {d: baseline.results[d].references_sha256 for d in shared}
    for system in systems[1:]:
        other = [d for d in shared if system.results[d].references_sha256 != references[d]]
        if other:
            raise EvaluationError(
                f"{baseline.path} and {system.path} were scored on different references "
                f"({name_first(other)}); evaluate both on the same corpus"
            )
    return shared


def missing_directions(systems: Sequence[System]) -> List[str]:
    """Return a sentence per system that lacks directions of the others."""
    every = list(dict.fromkeys(direction for system in systems for direction in system.results))
    sentences = []
    for system in systems:
        missing = [direction for direction in every if direction not in system.results]
        if missing:
            them = "this direction" if len(missing) == 1 else f"these {len(missing)} directions"
            sentences.append(
                f"Left out, because {system.name} lacks {them}: {name_first(missing)}."
            )
    return sentences


def shared_metrics(
    systems: Sequence[System], directions: Sequence[str], left_out: List[str]
) -> List[str]:
    """Return the metrics that all systems have with equal signatures, in the baseline's order.

    Args:
        systems: The systems, the baseline first.
        directions: The directions whose target languages count.
        left_out: Gets a sentence per metric that is left out.

    Raises:
        EvaluationError: No metric is left.
    """
    targets = sorted({systems[0].results[direction].target for direction in directions})
    metrics = []
    for metric in dict.fromkeys(metric for system in systems for metric in system.signatures):
        without = [system.name for system in systems if metric not in system.signatures]
        differing = "" if without else _first_difference(systems, metric, targets)
        if without:
            left_out.append(f"{metric} is left out: {', '.join(without)} has none.")
        elif differing:
            left_out.append(f"{metric} is left out: its signatures differ ({differing}).")
        else:
            metrics.append(metric)
    if not metrics:
        raise EvaluationError(
            f"nothing to compare: no metric is in all of them in the same way. {' '.join(left_out)}"
        )
    return metrics


def order_metrics(metrics: Sequence[str], requested: Sequence[str]) -> List[str]:
    """Return the metrics with the requested ones first; without any, with BLEU first.

    Raises:
        EvaluationError: A requested metric is not among the metrics.
    """
    for metric in requested:
        if metric not in metrics:
            raise EvaluationError(
                f"--metrics {metric}: not in all of these runs, or not in the same way; they share "
                f"{', '.join(metrics)}"
            )
    first = list(requested)
    if not first and MAIN_METRIC in metrics:
        first = [MAIN_METRIC]
    elif not first:
        first = [metric for metric in metrics if is_testable(metric)][:1]
    return first + [metric for metric in metrics if metric not in first]


def shared_signatures(
    system: System, metrics: Sequence[str], directions: Sequence[str]
) -> Signatures:
    """Return the metrics' signatures for the target languages of the directions."""
    signatures: Signatures = {}
    for target in sorted({system.results[direction].target for direction in directions}):
        for metric in metrics:
            signature = signature_of(system, metric, target)
            if signature is not None:
                add_signature(signatures, metric, signature, target)
    return signatures


def signature_of(system: System, metric: str, target: str) -> Optional[str]:
    """Return a metric's signature for a target language; None if it cannot score it."""
    for signature, targets in system.signatures[metric].items():
        if target in targets:
            return signature
    return None


def add_signature(signatures: Signatures, metric: str, signature: str, target: str) -> None:
    """Add a metric's signature for a target language."""
    languages = signatures.setdefault(metric, {}).setdefault(signature, [])
    if target not in languages:
        insort(languages, target)


def align_scores(systems: Sequence[System], name: str, metrics: Sequence[str]) -> ComparedDirection:
    """Return the scores of one direction by all metrics that every system has for it.

    Raises:
        EvaluationError: The main metric is not among them.
    """
    scores = {}
    for metric in metrics:
        if all(metric in system.results[name].scores for system in systems):
            scores[metric] = {s.name: s.results[name].scores[metric] for s in systems}
    if metrics[0] not in scores:
        raise EvaluationError(
            f"{name} has no {metrics[0]} in all of these runs; choose another with --metrics"
        )
    result = systems[0].results[name]
    return ComparedDirection(
        direction=result.direction,
        source=result.source,
        target=result.target,
        test_set=result.test_set,
        zero_shot=result.zero_shot,
        resource=result.resource,
        lines=result.lines,
        scores=scores,
        tests={},
    )


def name_first(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _first_difference(systems: Sequence[System], metric: str, targets: Sequence[str]) -> str:
    """Return the first pair of signatures that differ, or ""."""
    for target in targets:
        first, *others = (
            signature_of(system, metric, target) or f"none for {target}" for system in systems
        )
        for other in others:
            if other != first:
                return f"{first} and {other}"
    return ""

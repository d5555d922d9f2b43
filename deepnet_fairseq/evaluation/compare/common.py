"""What several systems have in common: directions on the same references, and metrics computed in the same way."""

from bisect import insort
from typing import List, Optional, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.systems import Signatures, System

NAMED = 8  # more directions than these are counted, not named


def common_directions(systems: Sequence[System]) -> List[str]:
    """The directions that all have, in the baseline's order.

    Raises EvaluationError if there are none, or if references differ.
    """
    baseline = systems[0]
    common = [
        direction
        for direction in baseline.results
        if all(direction in system.results for system in systems)
    ]
    if not common:
        each = "; ".join(
            f"{system.name} has {name_some(list(system.results))}" for system in systems
        )
        raise EvaluationError(f"nothing to compare: no direction is in all of them. {each}")
    for system in systems[1:]:
        other = [
            d
            for d in common
            if system.results[d].references_sha256 != baseline.results[d].references_sha256
        ]
        if other:
            raise EvaluationError(
                f"{baseline.path} and {system.path} were scored on different references ({name_some(other)}); "
                "evaluate both on the same corpus"
            )
    return common


def lacking_directions(systems: Sequence[System]) -> List[str]:
    """A sentence for every system that lacks directions of the others."""
    every = list(dict.fromkeys(direction for system in systems for direction in system.results))
    lacking = {
        system.name: [direction for direction in every if direction not in system.results]
        for system in systems
    }
    return [
        f"Left out, because {name} lacks {_them(found)}: {name_some(found)}."
        for name, found in lacking.items()
        if found
    ]


def common_metrics(
    systems: Sequence[System], directions: Sequence[str], left_out: List[str]
) -> List[str]:
    """The metrics that all have with equal signatures for the directions' target languages, in the baseline's order.

    Adds a sentence to left_out for each of the others. Raises EvaluationError if none is left.
    """
    targets = sorted({systems[0].results[direction].target for direction in directions})
    metrics = []
    for metric in dict.fromkeys(metric for system in systems for metric in system.signatures):
        without = [system.name for system in systems if metric not in system.signatures]
        differing = (
            []
            if without
            else [d for target in targets for d in _differing(systems, metric, target)]
        )
        if without:
            left_out.append(f"{metric} is left out: {', '.join(without)} has none.")
        elif differing:
            left_out.append(f"{metric} is left out: its signatures differ ({differing[0]}).")
        else:
            metrics.append(metric)
    if not metrics:
        raise EvaluationError(
            f"nothing to compare: no metric is in all of them in the same way. {' '.join(left_out)}"
        )
    return metrics


def common_signatures(
    system: System, metrics: Sequence[str], directions: Sequence[str]
) -> Signatures:
    """By metric, the signatures that stand for these directions, with the target languages that each is of."""
    found: Signatures = {}
    for target in sorted({system.results[direction].target for direction in directions}):
        for metric in metrics:
            signature = signature_of(system, metric, target)
            if signature is not None:
                add_signature(found, metric, signature, target)
    return found


def signature_of(system: System, metric: str, target: str) -> Optional[str]:
    """A metric's signature for translations into a language; None if it cannot score them."""
    return next(
        (
            signature
            for signature, targets in system.signatures[metric].items()
            if target in targets
        ),
        None,
    )


def add_signature(signatures: Signatures, metric: str, signature: str, target: str) -> None:
    """Note that a metric has this signature for translations into a language."""
    languages = signatures.setdefault(metric, {}).setdefault(signature, [])
    if target not in languages:
        insort(languages, target)


def name_some(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _differing(systems: Sequence[System], metric: str, target: str) -> List[str]:
    signatures = [signature_of(system, metric, target) for system in systems]
    named = [signature or f"none for {target}" for signature in signatures]
    return list(
        dict.fromkeys(f"{named[0]} and {other}" for other in named[1:] if other != named[0])
    )


def _them(directions: Sequence[str]) -> str:
    return "this direction" if len(directions) == 1 else f"these {len(directions)} directions"

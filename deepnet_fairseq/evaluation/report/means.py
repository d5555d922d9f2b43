"""Means over directions, as papers report them."""

from statistics import fmean
from typing import Dict, List, Sequence

from deepnet_fairseq.evaluation.report.report import DirectionResult, Mean

ALL_SUPERVISED = "all supervised"
ZERO_SHOT = "zero-shot"
HIGH, MEDIUM, LOW = RESOURCE_CLASSES = ("high", "medium", "low")
RESOURCE_NAMES = {
    HIGH: "high-resource",
    MEDIUM: "medium-resource",
    LOW: "low-resource",
    "": "without training text",
}


def resource_class(training_pairs: int, high: int, medium: int) -> str:
    """Whether two languages are high-, medium- or low-resource, by their sentence pairs in the training text; "" without any.

    high and medium are the fewest that count as such (Zhang et al. 2020, arXiv 2004.11867, section 5).
    """
    return (
        HIGH
        if training_pairs >= high
        else MEDIUM
        if training_pairs >= medium
        else LOW
        if training_pairs
        else ""
    )


def into_pivot(pivot: str) -> str:
    """What the mean over directions into the pivot is called."""
    return f"X→{pivot}"


def out_of_pivot(pivot: str) -> str:
    return f"{pivot}→X"


def mean_table(directions: Sequence[DirectionResult], pivot: str) -> List[Mean]:
    """The unweighted means: into and out of the pivot, all supervised, zero-shot, each further test set, then by resource class.

    All but those of further test sets are over the corpus's own. OPUS-100's figure for "both" (94 directions either way) is that of all
    supervised directions. Groups without directions are left out, and so are resource classes when there is only one.
    """
    supervised = [d for d in directions if not d.zero_shot and not d.test_set]
    groups = {
        into_pivot(pivot): [d for d in supervised if d.target == pivot],
        out_of_pivot(pivot): [d for d in supervised if d.source == pivot],
        ALL_SUPERVISED: supervised,
        ZERO_SHOT: [d for d in directions if d.zero_shot and not d.test_set],
    }
    for name in sorted({d.test_set for d in directions} - {""}):
        groups[name] = [d for d in directions if d.test_set == name]
    if len({d.resource for d in supervised} - {""}) > 1:
        for way in (into_pivot(pivot), out_of_pivot(pivot)):
            for resource in RESOURCE_CLASSES:
                groups[f"{way} {resource}"] = [d for d in groups[way] if d.resource == resource]
    return [Mean(name, len(group), _mean_scores(group)) for name, group in groups.items() if group]


def _mean_scores(group: Sequence[DirectionResult]) -> Dict[str, float]:
    """By metric; one that any direction lacks is absent: a mean over fewer would not compare with the others."""
    in_all = [metric for metric in group[0].scores if all(metric in d.scores for d in group)]
    return {metric: fmean(d.scores[metric] for d in group) for metric in in_all}

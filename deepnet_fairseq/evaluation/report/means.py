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
    """Return the resource class of a language pair, or "" if it has no training text.

    Zhang et al. 2020, arXiv 2004.11867, section 5.

    Args:
        training_pairs: Sentence pairs of the two languages in the training text.
        high: Minimum number of sentence pairs of a high-resource pair.
        medium: Minimum number of sentence pairs of a medium-resource pair.
    """
    if training_pairs >= high:
        return HIGH
    if training_pairs >= medium:
        return MEDIUM
    return LOW if training_pairs else ""


def into_pivot(pivot: str) -> str:
    """Return the name of the mean over directions into the pivot."""
    return f"X→{pivot}"


def out_of_pivot(pivot: str) -> str:
    """Return the name of the mean over directions out of the pivot."""
    return f"{pivot}→X"


def mean_table(directions: Sequence[DirectionResult], pivot: str) -> List[Mean]:
    """Return the unweighted means over groups of directions; a group without any is left out.

    The groups: into and out of the pivot, all supervised, zero-shot, each further test set and,
    if there are several resource classes, into and out of the pivot per class. All groups but
    those of further test sets are over the corpus's own test set. OPUS-100's figure for "both"
    (94 directions either way) is that of all supervised directions.
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
    """Return the mean of each metric that all directions have.

    A mean over fewer directions could not be compared with the other metrics.
    """
    shared = [metric for metric in group[0].scores if all(metric in d.scores for d in group)]
    return {metric: fmean(d.scores[metric] for d in group) for metric in shared}

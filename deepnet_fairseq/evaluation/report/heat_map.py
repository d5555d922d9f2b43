"""Where every direction's score stands in a heat map, for the page and the figure alike.

A corpus around a pivot would leave a matrix of all its languages nearly empty (OPUS-100: 218 of 9,900 places). Its languages stand in
rows that wrap instead, each with the direction into the pivot and the one out of it, and only the others have a matrix.
"""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from deepnet_fairseq.evaluation.report.means import RESOURCE_NAMES
from deepnet_fairseq.evaluation.report.report import DirectionResult, Report

FEWEST = 3  # directions; fewer are no map
DENSE = 0.4  # the share of a matrix that must be filled for all languages to stand in one

Place = Tuple[str, str]  # source, target


@dataclass(frozen=True)
class Strip:
    """Languages of one resource class, alphabetically."""

    title: str  # "" if there is but one strip
    languages: List[str]


@dataclass(frozen=True)
class HeatMap:
    """One test set's scores by one metric."""

    test_set: str  # "" for the corpus's own
    metric: str
    pivot: str
    results: Dict[Place, DirectionResult]
    strips: List[Strip]  # empty if the matrix holds all
    sources: List[str]  # the matrix's rows; empty if the strips hold all
    targets: List[str]  # its columns

    @property
    def bounds(self) -> Tuple[float, float]:
        """The lowest and the highest score."""
        scores = [result.scores[self.metric] for result in self.results.values()]
        return min(scores), max(scores)

    def value(self, source: str, target: str) -> Optional[float]:
        """A direction's score, or None."""
        result = self.results.get((source, target))
        return None if result is None else result.scores[self.metric]

    def share(self, value: float) -> float:
        """Where a score lies between the lowest (0) and the highest (1)."""
        low, high = self.bounds
        return (value - low) / (high - low) if high > low else 0.5


def heat_maps(report: Report) -> List[HeatMap]:
    """A heat map by the report's first metric for the corpus's own test set and each further one that has directions enough."""
    metric = report.metrics[0]
    maps = []
    for test_set in sorted({d.test_set for d in report.directions}):
        scored = [d for d in report.directions if d.test_set == test_set and metric in d.scores]
        if len(scored) >= FEWEST:
            maps.append(_arrange(scored, test_set, metric, report.pivot))
    return maps


def _arrange(scored: Sequence[DirectionResult], test_set: str, metric: str, pivot: str) -> HeatMap:
    results = {(d.source, d.target): d for d in scored}
    languages = {language for place in results for language in place}
    around = [d for d in scored if pivot in (d.source, d.target)]
    if not around or len(results) >= DENSE * len(languages) * (len(languages) - 1):
        in_matrix, strips = list(results), []
    else:
        in_matrix, strips = (
            [place for place in results if pivot not in place],
            _strips(around, pivot),
        )
    sources, targets = (sorted({place[side] for place in in_matrix}) for side in (0, 1))
    return HeatMap(test_set, metric, pivot, results, strips, sources, targets)


def _strips(around: Sequence[DirectionResult], pivot: str) -> List[Strip]:
    classes: Dict[str, List[str]] = {}
    for resource, title in RESOURCE_NAMES.items():
        found = {
            d.target if d.source == pivot else d.source for d in around if d.resource == resource
        }
        if found:
            classes[title] = sorted(found)
    return [
        Strip(title if len(classes) > 1 else "", languages) for title, languages in classes.items()
    ]

"""The layout of a heat map of scores, and its colours; shared by the PNG and report.html.

For a corpus around a pivot, a matrix of all languages would be nearly empty (OPUS-100: 218 of 9,900
cells). Its languages are in wrapped rows instead, each with the direction into the pivot and
the one out of it, and only the other directions are in a matrix.
"""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from matplotlib import colormaps
from matplotlib.colors import to_hex

from deepnet_fairseq.evaluation.report.report import DirectionResult, Report
from deepnet_fairseq.evaluation.report.summary import RESOURCE_NAMES

MINIMUM_DIRECTIONS = 3  # fewer are no map
DENSE = 0.4  # the share of filled cells from which one matrix holds all languages
COLORMAP = "viridis"
BLACK, WHITE = "#000000", "#ffffff"

Cell = Tuple[str, str]  # source, target


@dataclass(frozen=True)
class Strip:
    """Languages of one resource class, in alphabetical order."""

    title: str  # "" if there is only one strip
    languages: List[str]


@dataclass(frozen=True)
class HeatMap:
    """The scores of one test set by one metric."""

    test_set: str  # "" for the corpus's own
    metric: str
    pivot: str
    results: Dict[Cell, DirectionResult]
    strips: List[Strip]  # empty if the matrix holds all directions
    sources: List[str]  # rows of the matrix; empty if the strips hold all directions
    targets: List[str]  # columns of the matrix

    @property
    def title(self) -> str:
        """The heading above the map."""
        return f"{self.metric} by direction" + (f", {self.test_set}" if self.test_set else "")

    @property
    def bounds(self) -> Tuple[float, float]:
        """The lowest and the highest score."""
        scores = [result.scores[self.metric] for result in self.results.values()]
        return min(scores), max(scores)

    def value(self, source: str, target: str) -> Optional[float]:
        """Return the score of a direction, or None if it has none."""
        result = self.results.get((source, target))
        return None if result is None else result.scores[self.metric]

    def share(self, value: float) -> float:
        """Return the position of a score between the lowest (0) and the highest (1)."""
        low, high = self.bounds
        return (value - low) / (high - low) if high > low else 0.5


@dataclass(frozen=True)
class Shade:
    """A background and a text colour that is legible on it: their contrast is at least 4.5."""

    background: str  # #rrggbb
    ink: str


def heat_maps(report: Report) -> List[HeatMap]:
    """Return the heat maps of a report by its main metric, one per test set.

    A test set with fewer than `MINIMUM_DIRECTIONS` scored directions has none.
    """
    metric = report.metrics[0]
    maps = []
    for test_set in sorted({d.test_set for d in report.directions}):
        scored = [d for d in report.directions if d.test_set == test_set and metric in d.scores]
        if len(scored) >= MINIMUM_DIRECTIONS:
            maps.append(_arrange(scored, test_set, metric, report.pivot))
    return maps


def shade(share: float) -> Shade:
    """Return the colours of a share from 0 to 1; a value outside is clipped."""
    # float: matplotlib takes an integer as an index into the colormap's table
    red, green, blue, _ = colormaps[COLORMAP](float(min(max(share, 0.0), 1.0)))
    luminance = _luminance((red, green, blue))
    # WCAG 2.2, contrast ratio: on any background the better of black and white reaches 4.58.
    ink = BLACK if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else WHITE
    return Shade(to_hex((red, green, blue)), ink)


def _arrange(scored: Sequence[DirectionResult], test_set: str, metric: str, pivot: str) -> HeatMap:
    results = {(d.source, d.target): d for d in scored}
    languages = {language for cell in results for language in cell}
    around_pivot = [d for d in scored if pivot in (d.source, d.target)]
    if not around_pivot or len(results) >= DENSE * len(languages) * (len(languages) - 1):
        in_matrix, strips = list(results), []
    else:
        in_matrix = [cell for cell in results if pivot not in cell]
        strips = _strips(around_pivot, pivot)
    sources, targets = (sorted({cell[side] for cell in in_matrix}) for side in (0, 1))
    return HeatMap(test_set, metric, pivot, results, strips, sources, targets)


def _strips(around_pivot: Sequence[DirectionResult], pivot: str) -> List[Strip]:
    classes: Dict[str, List[str]] = {}
    for resource, title in RESOURCE_NAMES.items():
        members = [d for d in around_pivot if d.resource == resource]
        if members:
            languages = {d.target if d.source == pivot else d.source for d in members}
            classes[title] = sorted(languages)
    titled = len(classes) > 1
    return [Strip(title if titled else "", languages) for title, languages in classes.items()]


def _luminance(colour: Tuple[float, float, float]) -> float:
    """Return WCAG 2.2's relative luminance of an sRGB colour, from 0 to 1."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

"""The data model of a comparison, with its file comparison.json."""

import json
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

import sacrebleu

from deepnet_fairseq.evaluation.report.report import utc_now
from deepnet_fairseq.evaluation.score.significance import BETTER, UNDECIDED, WORSE
from deepnet_fairseq.io import write_text

JSON_NAME = "comparison.json"
Signatures = Dict[str, Dict[str, List[str]]]  # metric: {signature: its target languages}


@dataclass
class Significance:
    """The paired test of one system against the baseline; see score/significance.py."""

    p_value: Optional[float]  # None for the baseline itself
    outcome: str  # better, worse or no significant difference; "" for the baseline itself
    mean: Optional[float] = None  # of the score over the bootstrap's samples
    interval: Optional[float] = None  # 95 % of the samples are within mean ± this


@dataclass
class ComparedDirection:
    """One direction of one test set; scores and tests by metric, then by system."""

    direction: str
    source: str
    target: str
    test_set: str
    zero_shot: bool
    resource: str
    lines: int
    scores: Dict[str, Dict[str, float]]
    tests: Dict[str, Dict[str, Significance]]

    @property
    def label(self) -> str:
        """The direction's name in tables."""
        return self.direction + (" (zero-shot)" if self.zero_shot else "")


@dataclass
class ComparedMean:
    """The unweighted mean over directions; scores by metric, then by system."""

    name: str
    directions: int
    scores: Dict[str, Dict[str, float]]
    win_ratio: Dict[str, float]  # by system: % of directions above the baseline, main metric


@dataclass
class SystemOutcome:
    """A system against the baseline over all directions, by the unrounded main metric."""

    system: str
    wins: int
    ties: int
    losses: int
    better: Optional[int] = None  # significant wins; None without a test
    worse: Optional[int] = None

    @property
    def directions(self) -> int:
        """The number of compared directions."""
        return self.wins + self.ties + self.losses

    @property
    def win_ratio(self) -> float:
        """The percentage of directions that beat the baseline; a tie is no win."""
        return 100 * self.wins / self.directions


@dataclass
class ComparedExample:
    """A sentence that one system translates better than another.

    Hypotheses and sentence chrF are by system.
    """

    direction: str
    source_language: str
    target_language: str
    line: int  # from 1
    source: str
    reference: str
    hypotheses: Dict[str, str]
    chrf: Dict[str, float]


@dataclass
class Comparison:
    """Systems on the directions that all of them have.

    The first system is the baseline, the first metric the main one.
    """

    systems: Dict[str, str]  # name: the folder or file that it was read from
    metrics: List[str]
    signatures: Signatures
    test: str  # one of significance.TESTS, or none
    samples: int  # 0 without a test
    level: float  # a p-value below it is called significant
    test_signatures: Signatures  # of the tested metrics
    directions: List[ComparedDirection]
    means: List[ComparedMean]
    outcomes: List[SystemOutcome]  # in the order of the systems
    left_out: List[str]  # a sentence per metric or direction that cannot be compared
    examples: List[ComparedExample]
    date: str = field(default_factory=utc_now)
    versions: Dict[str, str] = field(
        default_factory=lambda: {
            "sacrebleu": sacrebleu.__version__,
            "python": platform.python_version(),
        }
    )

    @property
    def baseline(self) -> str:
        """The name of the first system."""
        return next(iter(self.systems))

    @property
    def others(self) -> List[str]:
        """The names of all systems but the baseline."""
        return list(self.systems)[1:]

    @property
    def metric(self) -> str:
        """The main metric: that of win ratios, outcomes and drawings."""
        return self.metrics[0]

    @property
    def by_chance(self) -> float:
        """How many differences would be significant if the systems did not differ at all."""
        return self.level * len(self.directions)

    def difference(self, direction: ComparedDirection, system: str) -> float:
        """Return a system's score minus the baseline's."""
        scores = direction.scores[self.metric]
        return scores[system] - scores[self.baseline]

    def significance(self, direction: ComparedDirection, system: str) -> Optional[Significance]:
        """Return the test of a system in a direction; None if it was not tested."""
        return direction.tests.get(self.metric, {}).get(system)

    def outcome(self, direction: ComparedDirection, system: str) -> str:
        """Return whether a system is better, worse or not significantly different."""
        significance = self.significance(direction, system)
        return UNDECIDED if significance is None else significance.outcome


def count_outcomes(comparison: Comparison, system: str) -> SystemOutcome:
    """Count the wins, ties and losses of a system, and those that are significant."""
    differences = [comparison.difference(direction, system) for direction in comparison.directions]
    counts = SystemOutcome(
        system,
        wins=sum(difference > 0 for difference in differences),
        ties=sum(difference == 0 for difference in differences),
        losses=sum(difference < 0 for difference in differences),
    )
    if any(comparison.significance(d, system) for d in comparison.directions):
        outcomes = [comparison.outcome(direction, system) for direction in comparison.directions]
        counts.better, counts.worse = outcomes.count(BETTER), outcomes.count(WORSE)
    return counts


def write_json(comparison: Comparison, folder: Path) -> Path:
    """Write comparison.json atomically, with the win ratios, and return its path."""
    path, values = folder / JSON_NAME, asdict(comparison)
    for row, outcome in zip(values["outcomes"], comparison.outcomes, strict=True):
        row["win_ratio"] = outcome.win_ratio
    values["significant_by_chance"] = comparison.by_chance
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    return path

"""What a comparison found, as comparison.json holds it."""

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Dict, List, Optional

import sacrebleu

from deepnet_fairseq.io import write_text

JSON_NAME = "comparison.json"


@dataclass
class Significance:
    """Of one system against the baseline, which itself has neither p nor verdict; see scoring/significance.py."""

    p_value: Optional[float]
    verdict: str
    mean: Optional[float] = (
        None  # of the system's score over the bootstrap's samples; None for the randomisation
    )
    interval: Optional[float] = None  # 95 % of them lie within mean ± this


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


@dataclass
class ComparedMean:
    """The unweighted mean over directions; scores by metric, then by system."""

    name: str
    directions: int
    scores: Dict[str, Dict[str, float]]
    win_ratio: Dict[
        str, float
    ]  # by system: % of these directions above the baseline's, by the first metric


@dataclass
class Outcome:
    """A system against the baseline over all directions, by the first metric, unrounded."""

    system: str
    wins: int
    ties: int
    losses: int
    better: Optional[int] = None  # significant wins; None without a test
    worse: Optional[int] = None

    @property
    def directions(self) -> int:
        return self.wins + self.ties + self.losses

    @property
    def win_ratio(self) -> float:
        """The share of directions that beat the baseline, in per cent; a tie is no win."""
        return 100 * self.wins / self.directions


@dataclass
class ComparedExample:
    """A sentence that the systems translate differently well; hypotheses and sentence chrF by system."""

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
    """Systems on the directions that all of them have. The first one is the baseline, the first metric decides."""

    systems: Dict[str, str]  # name: the folder or file that it was read from
    metrics: List[str]
    signatures: Dict[
        str, Dict[str, List[str]]
    ]  # as in a report: by metric, each with the target languages that it is of
    test: str  # one of significance.TESTS, or none
    samples: int  # 0 without a test
    level: float  # p below this is called significant
    test_signatures: Dict[str, Dict[str, List[str]]]  # likewise, of the tested metrics
    directions: List[ComparedDirection]
    means: List[ComparedMean]
    outcomes: List[Outcome]  # in the order of the systems
    left_out: List[str]  # sentences: metrics and directions that can't be compared
    examples: List[ComparedExample]
    date: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )
    versions: Dict[str, str] = field(
        default_factory=lambda: {
            "sacrebleu": sacrebleu.__version__,
            "python": platform.python_version(),
        }
    )

    @property
    def baseline(self) -> str:
        return next(iter(self.systems))

    @property
    def others(self) -> List[str]:
        return list(self.systems)[1:]

    @property
    def metric(self) -> str:
        """The one that win ratio, verdicts and drawings are of."""
        return self.metrics[0]

    @property
    def by_chance(self) -> float:
        """How many significant differences are to be expected if the systems don't differ at all."""
        return self.level * len(self.directions)

    def difference(self, direction: ComparedDirection, system: str) -> float:
        """How far a system's score is above the baseline's."""
        scores = direction.scores[self.metric]
        return scores[system] - scores[self.baseline]

    def significance(self, direction: ComparedDirection, system: str) -> Optional[Significance]:
        return direction.tests.get(self.metric, {}).get(system)


def write_json(comparison: Comparison, folder: Path) -> Path:
    """Write comparison.json, whole or not at all; return its path. Win ratios, which follow from the counts, are written out as well."""
    held = asdict(comparison)
    for row, outcome in zip(held["outcomes"], comparison.outcomes, strict=True):
        row["win_ratio"] = outcome.win_ratio
    held["significant_by_chance"] = comparison.by_chance
    write_text(folder / JSON_NAME, json.dumps(held, indent=1, ensure_ascii=False) + "\n")
    return folder / JSON_NAME

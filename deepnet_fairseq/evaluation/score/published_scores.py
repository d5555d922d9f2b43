"""Published scores of a system per direction, and the win ratio of Zhang et al. 2020 against them.

Such scores are a TSV file: a header with the column `direction` and one column per system (a column
`kind` is ignored), then one line per direction, where a cell is empty if a system has no score.
Lines that begin with `#` may give `# source:`, where the scores were published, and `# metric:`.
`published/` holds those that the package ships. The scores.json of another run works as well.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.io import read_lines

SHIPPED = Path(__file__).parent / "published"
DIRECTION, KIND = "direction", "kind"  # columns; all others are systems
MAIN_METRIC = "BLEU"


@dataclass(frozen=True)
class Published:
    """The scores of one system."""

    system: str
    source: str  # where they were published
    metric: str
    scores: Dict[str, float]  # by direction: de-en
    decimals: Optional[int] = None  # published digits after the point; None: as exact as ours


@dataclass
class AgainstReference:
    """How many directions beat a published system."""

    system: str
    source: str  # where its scores were published
    metric: str  # the metric that both have, such as BLEU
    scores: Dict[str, float]  # the published ones, by direction
    wins: int
    ties: int
    losses: int

    @property
    def win_ratio(self) -> float:
        """The percentage of directions that beat the reference.

        It is defined in section 5 of Zhang et al. 2020, arXiv 2004.11867.
        """
        return 100 * self.wins / (self.wins + self.ties + self.losses)


def load_published(name_or_path: str, system: str) -> Published:
    """Return a system's scores from the file of that name in published/, a TSV file or scores.json.

    Raises:
        EvaluationError: There is no such file or system, or a line of it cannot be read.
    """
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.tsv"))}
    path = shipped.get(name_or_path, Path(name_or_path))
    if not path.is_file():
        raise EvaluationError(
            f"{name_or_path}: neither a file nor one of the published scores: {', '.join(shipped)}"
        )
    return _from_run(path, system) if path.suffix == ".json" else _from_table(path, system)


def against(published: Published, ours: Mapping[str, float]) -> AgainstReference:
    """Count the directions in which our scores, rounded as the published ones, are higher or equal.

    Only directions that both have count, and a tie is no win.

    Raises:
        EvaluationError: No direction is in both.
    """
    theirs = {name: score for name, score in published.scores.items() if name in ours}
    if not theirs:
        own, known = (", ".join(list(names)[:5]) for names in (ours, published.scores))
        raise EvaluationError(
            f"{published.source} has no {published.metric} of {published.system} for any direction "
            f"of ours ({own} …), only for {known} …"
        )
    differences = [
        _as_published(ours[direction], published.decimals) - score
        for direction, score in theirs.items()
    ]
    return AgainstReference(
        system=published.system,
        source=published.source,
        metric=published.metric,
        scores=theirs,
        wins=sum(difference > 0 for difference in differences),
        ties=sum(difference == 0 for difference in differences),
        losses=sum(difference < 0 for difference in differences),
    )


def _as_published(score: float, decimals: Optional[int]) -> float:
    return score if decimals is None else round(score, decimals)


def _from_run(path: Path, system: str) -> Published:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        name, scores = str(report["name"]), {}
        for row in report["directions"]:
            if not row.get("test_set") and MAIN_METRIC in row["scores"]:
                scores[row["direction"]] = float(row["scores"][MAIN_METRIC])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EvaluationError(
            f"{path} holds no scores of this version; run scripts/evaluate.sh again ({error})"
        ) from error
    if system != name:
        raise EvaluationError(_unknown_system(path, system, [name]))
    return Published(system, str(path), MAIN_METRIC, scores)


def _from_table(path: Path, system: str) -> Published:
    facts, rows = _read_table(path)
    number, header = rows[0] if rows else (1, [])
    if DIRECTION not in header:
        columns = ", ".join(map(repr, header)) or "none"
        raise EvaluationError(
            f"{path}, line {number}: the head has no column {DIRECTION!r}, only {columns}"
        )
    systems = [name for name in header if name not in (DIRECTION, KIND)]
    if system not in systems:
        raise EvaluationError(_unknown_system(path, system, systems))
    scores: Dict[str, float] = {}
    decimals = 0
    for number, cells in rows[1:]:
        line = f"{path}, line {number}"
        if len(cells) != len(header):
            raise EvaluationError(f"{line}: {len(cells)} columns, but the head has {len(header)}")
        direction, score = cells[header.index(DIRECTION)], cells[header.index(system)].strip()
        if direction in scores:
            raise EvaluationError(f"{line}: {direction} occurs twice")
        if score and not re.fullmatch(r"-?\d+(\.\d+)?", score):
            raise EvaluationError(
                f"{line}: {score!r} is no score of {system}; write a number such as 31.4, or "
                "nothing"
            )
        if score:
            scores[direction] = float(score)
            decimals = max(decimals, len(score.partition(".")[2]))  # 39 may stand for 39.0
    source, metric = facts.get("source", str(path)), facts.get("metric", MAIN_METRIC)
    return Published(system, source, metric, scores, decimals)


def _read_table(path: Path) -> Tuple[Dict[str, str], List[Tuple[int, List[str]]]]:
    """Return what the comments state, by key, and all other lines: their numbers and cells."""
    facts: Dict[str, str] = {}
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        fact = re.fullmatch(r"# *(source|metric): *(.+)", line)
        if fact:
            facts[fact[1]] = fact[2].strip()
        elif line.strip() and not line.startswith("#"):
            rows.append((number, line.split("\t")))
    return facts, rows


def _unknown_system(path: Path, system: str, known: List[str]) -> str:
    return f"{path} has no system {system!r}; it has {', '.join(known) or 'none'}"

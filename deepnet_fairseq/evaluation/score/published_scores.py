"""A system's published scores per direction, and how many directions beat them: the win ratio of Zhang et al. 2020.

Such scores are a TSV file: a head with the column `direction` and one column per system (a column `kind` is passed over), then a line per
direction, empty where a system has no score. Lines that begin with `#` may give `# source:`, where the scores stand, and `# metric:`.
`published/` holds the ones that come with the package. Another run's scores.json does as well.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.report.report import AgainstReference, read_report
from deepnet_fairseq.io import read_lines

SHIPPED = Path(__file__).parent / "published"
DIRECTION, KIND = "direction", "kind"  # columns; all others are systems
MAIN_METRIC = "BLEU"


@dataclass(frozen=True)
class Published:
    """One system's scores."""

    system: str
    source: str  # where they stand
    metric: str
    scores: Dict[str, float]  # by direction: de-en
    decimals: Optional[int] = (
        None  # digits after the point that were published; None: as exact as ours
    )


def load_published(name_or_path: str, system: str) -> Published:
    """Return a system's scores from the file of that name in published/, a TSV file, or a run's scores.json.

    Raises EvaluationError if there is no such file or system, or a line of it can't be read.
    """
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.tsv"))}
    path = shipped.get(name_or_path, Path(name_or_path))
    if not path.is_file():
        raise EvaluationError(
            f"{name_or_path}: neither a file nor one of the published scores: {', '.join(shipped)}"
        )
    return _from_run(path, system) if path.suffix == ".json" else _from_table(path, system)


def against(published: Published, ours: Mapping[str, float]) -> AgainstReference:
    """Count the directions in which ours, rounded as the published ones are, is above, equal to or below them.

    Only directions that both have count, and a tie is no win. Raises EvaluationError if there are none.
    """
    theirs = {
        direction: score for direction, score in published.scores.items() if direction in ours
    }
    if not theirs:
        own, known = (", ".join(list(names)[:5]) for names in (ours, published.scores))
        raise EvaluationError(
            f"{published.source} has no {published.metric} of {published.system} for any direction of ours ({own} …), only for {known} …"
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
    report = read_report(path)
    if system != report.name:
        raise EvaluationError(_unknown_system(path, system, [report.name]))
    own = [result for result in report.directions if not result.test_set]
    scores = {
        result.direction: result.scores[MAIN_METRIC]
        for result in own
        if MAIN_METRIC in result.scores
    }
    return Published(system, str(path), MAIN_METRIC, scores)


def _from_table(path: Path, system: str) -> Published:
    facts, rows = _read_table(path)
    number, head = rows[0] if rows else (1, [])
    if DIRECTION not in head:
        raise EvaluationError(
            f"{path}, line {number}: the head has no column {DIRECTION!r}, only {', '.join(map(repr, head)) or 'none'}"
        )
    systems = [name for name in head if name not in (DIRECTION, KIND)]
    if system not in systems:
        raise EvaluationError(_unknown_system(path, system, systems))
    scores: Dict[str, float] = {}
    decimals = 0
    for number, cells in rows[1:]:
        if len(cells) != len(head):
            raise EvaluationError(
                f"{path}, line {number}: {len(cells)} columns, but the head has {len(head)}"
            )
        direction, score = cells[head.index(DIRECTION)], cells[head.index(system)].strip()
        if direction in scores:
            raise EvaluationError(f"{path}, line {number}: {direction} stands there twice")
        if score and not re.fullmatch(r"-?\d+(\.\d+)?", score):
            raise EvaluationError(
                f"{path}, line {number}: {score!r} is no score of {system}; write a number such as 31.4, or nothing"
            )
        if score:
            scores[direction] = float(score)
            decimals = max(decimals, len(score.partition(".")[2]))  # 39 may stand for 39.0
    return Published(
        system, facts.get("source", str(path)), facts.get("metric", MAIN_METRIC), scores, decimals
    )


def _read_table(path: Path) -> Tuple[Dict[str, str], List[Tuple[int, List[str]]]]:
    """What the comments say by key, and every other line, split at its tabs, with its number."""
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

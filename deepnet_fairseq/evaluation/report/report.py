"""What an evaluation found, as scores.json holds it, with all that it came from."""

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Dict, List, Optional

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score.published_scores import AgainstReference
from deepnet_fairseq.io import write_text

JSON_NAME = "scores.json"
PACKAGES = ("deepnet_fairseq", "fairseq", "torch", "sacrebleu", "sentencepiece")


@dataclass
class DirectionResult:
    """One direction of one test set. Percentages are from 0 to 100; what could not be measured is None, or absent from scores."""

    direction: str  # with the name of a further test set in front: newstest2014.en-de
    source: str
    target: str
    test_set: str  # "" for the corpus's own
    zero_shot: bool
    training_pairs: int  # sentence pairs of these two languages in the training text
    resource: str  # high, medium, low; "" without training text
    lines: int
    scores: Dict[str, float]  # by metric, as in Report.signatures
    shuffled_bleu: float  # BLEU against other sentences' references
    distinct: float  # different hypotheses / different sources
    ignores_source: bool
    references_sha256: str
    off_target: Optional[float] = None  # % of the hypotheses in another language than the target
    off_target_references: Optional[float] = (
        None  # the same of the references: what the identifier gets wrong
    )
    empty: int = 0  # lines whose source is empty; so are their hypotheses
    too_long: int = 0  # lines too long for the model; their hypotheses are empty
    cut: int = 0  # hypotheses that reached the longest that the search allows
    unknown: int = 0  # lines whose source holds characters that the vocabulary lacks


@dataclass
class Mean:
    """The unweighted mean over directions, as papers report it. A metric that some of them lack is absent."""

    name: str  # X→en, en→X, all supervised, zero-shot, newstest2014, X→en low …
    directions: int
    scores: Dict[str, float]


@dataclass
class Example:
    direction: str
    line: int  # from 1
    source: str
    reference: str
    hypothesis: str


@dataclass
class Report:
    """One evaluation of one system."""

    name: str  # the config's, or the system's whose hypotheses were given
    config: str
    pivot: str
    corpus: str  # the folder with sources and references
    hypotheses: str  # the folder with one file per direction
    checkpoint: str  # "" for hypotheses of another system
    averaged_from: List[
        Dict[str, Any]
    ]  # file, updates; empty for a checkpoint of the caller's choice
    decoding: str  # the fairseq-generate command that gives the first direction's hypotheses
    signatures: Dict[
        str, Dict[str, List[str]]
    ]  # metric: {signature: the target languages that it is of}
    left_out: Dict[str, str]  # metric: why, and how to get it
    directions: List[DirectionResult]
    means: List[Mean]
    examples: List[Example]
    reference: Optional[AgainstReference] = None
    date: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )
    versions: Dict[str, str] = field(
        default_factory=lambda: (
            {name: _version(name) for name in PACKAGES} | {"python": platform.python_version()}
        )
    )

    @property
    def metrics(self) -> List[str]:
        return list(self.signatures)


def write_scores(report: Report, folder: Path) -> Path:
    """Write scores.json, whole or not at all; return its path."""
    path = folder / JSON_NAME
    write_text(path, json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n")
    return path


def read_report(path: Path) -> Report:
    """Return the report in a scores.json. Raises EvaluationError if it is none."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        for name, kind in (("directions", DirectionResult), ("means", Mean), ("examples", Example)):
            held[name] = [kind(**row) for row in held[name]]
        held["reference"] = AgainstReference(**held["reference"]) if held["reference"] else None
        return Report(**held)
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read; run scripts/evaluate.sh first ({error.strerror})"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise EvaluationError(
            f"{path} holds no scores of this version; run scripts/evaluate.sh again ({error})"
        ) from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from its folder, not installed
        return "not installed"

"""The data model of a report, with its files scores.json and scores.tsv."""

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Dict, List, Optional

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score.published_scores import AgainstReference
from deepnet_fairseq.io import write_lines, write_text

JSON_NAME, TSV_NAME = "scores.json", "scores.tsv"
PACKAGES = ("deepnet_fairseq", "fairseq", "torch", "sacrebleu", "sentencepiece")
# DirectionResult's counts of special lines, in words.
LINE_COUNTS = {
    "empty": "empty source",
    "too_long": "too long for the model, hypothesis left empty",
    "cut": "hypothesis cut off at the longest that the search allows",
    "unknown": "source with characters that the vocabulary lacks",
}


def utc_now() -> str:
    """Return the time in UTC, to the second, in ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def installed_versions() -> Dict[str, str]:
    """Return the versions of the packages that scores depend on, and of Python."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # run from its folder, not installed
            versions[package] = "not installed"
    return {**versions, "python": platform.python_version()}


@dataclass
class DirectionResult:
    """The scores of one direction of one test set.

    Percentages are from 0 to 100. A value that could not be measured is None, or absent from
    `scores`.
    """

    direction: str  # with the name of a further test set in front: newstest2014.en-de
    source: str
    target: str
    test_set: str  # "" for the corpus's own
    zero_shot: bool
    training_pairs: int  # sentence pairs of these two languages in the training text
    resource: str  # high, medium, low; "" without training text
    lines: int
    scores: Dict[str, float]  # by metric, as in Report.signatures
    shuffled_bleu: float  # BLEU against the references of other sentences
    distinct: float  # different hypotheses / different sources
    ignores_source: bool
    references_sha256: str
    off_target: Optional[float] = None  # % of the hypotheses in another language than the target
    off_target_references: Optional[float] = None  # the same of the references: identifier errors
    empty: int = 0  # lines whose source is empty; so are their hypotheses
    too_long: int = 0  # lines too long for the model; their hypotheses are empty
    cut: int = 0  # hypotheses that reached the maximum length of the search
    unknown: int = 0  # lines whose source has characters that the vocabulary lacks


@dataclass
class Mean:
    """The unweighted mean over directions; a metric that one of them lacks is absent."""

    name: str  # X→en, en→X, all supervised, zero-shot, newstest2014, X→en low …
    directions: int
    scores: Dict[str, float]


@dataclass
class Example:
    """One translated sentence."""

    direction: str
    line: int  # from 1
    source: str
    reference: str
    hypothesis: str


@dataclass
class Report:
    """One evaluation of one system."""

    name: str  # of the config, or of the system whose hypotheses were given
    config: str
    pivot: str
    corpus: str  # the folder with sources and references
    hypotheses: str  # the folder with one file per direction
    checkpoint: str  # "" for hypotheses of another system
    averaged_from: List[Dict[str, Any]]  # file, updates; empty for a single checkpoint
    decoding: str  # the fairseq-generate command that gives the first direction's hypotheses
    signatures: Dict[str, Dict[str, List[str]]]  # metric: {signature: its target languages}
    left_out: Dict[str, str]  # metric: why, and how to get it
    directions: List[DirectionResult]
    means: List[Mean]
    examples: List[Example]
    reference: Optional[AgainstReference] = None
    date: str = field(default_factory=utc_now)
    versions: Dict[str, str] = field(default_factory=installed_versions)

    @property
    def metrics(self) -> List[str]:
        """The metrics, the main one first."""
        return list(self.signatures)

    @property
    def has_off_target(self) -> bool:
        """Whether the languages of any direction's hypotheses were identified."""
        return any(d.off_target is not None for d in self.directions)

    def reference_difference(self, result: DirectionResult) -> Optional[float]:
        """Return a score minus the reference system's; None if either is missing."""
        if self.reference is None:
            return None
        score = result.scores.get(self.reference.metric)
        reference = self.reference.scores.get(result.direction)
        return None if score is None or reference is None else score - reference


def write_scores(report: Report, folder: Path) -> Path:
    """Write scores.json atomically and return its path."""
    path = folder / JSON_NAME
    write_text(path, json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n")
    return path


def read_report(path: Path) -> Report:
    """Read a report from a scores.json.

    Raises:
        EvaluationError: The file is missing or is not such a report.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for name, kind in (("directions", DirectionResult), ("means", Mean), ("examples", Example)):
            values[name] = [kind(**row) for row in values[name]]
        if values["reference"]:
            values["reference"] = AgainstReference(**values["reference"])
        return Report(**values)
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read; run scripts/evaluate.sh first ({error.strerror})"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise EvaluationError(
            f"{path} holds no scores of this version; run scripts/evaluate.sh again ({error})"
        ) from error


def write_tsv(report: Report, folder: Path) -> Path:
    """Write scores.tsv atomically and return its path."""
    path = folder / TSV_NAME
    write_lines(path, ["\t".join(row) for row in tsv_rows(report)])
    return path


def tsv_rows(report: Report) -> List[List[str]]:
    """Return a header and a row per direction, with four decimals; a missing value is empty."""
    counts = ("training_pairs", "resource", "lines", *LINE_COUNTS)
    measures = ("shuffled_bleu", "distinct", "off_target", "off_target_references")
    header = ["direction", "source", "target", "test_set", "zero_shot", *counts, *report.metrics]
    header += [*measures, "ignores_source"]
    rows = [header + (["reference"] if report.reference else [])]
    for d in report.directions:
        row = [d.direction, d.source, d.target, d.test_set, str(int(d.zero_shot))]
        row += [str(getattr(d, name)) for name in counts]
        row += [_four_decimals(d.scores.get(metric)) for metric in report.metrics]
        row += [_four_decimals(getattr(d, name)) for name in measures]
        row += [str(int(d.ignores_source))]
        if report.reference:
            row += [_four_decimals(report.reference.scores.get(d.direction))]
        rows.append(row)
    return rows


def _four_decimals(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.4f}"

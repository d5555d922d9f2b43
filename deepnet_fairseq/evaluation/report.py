"""The result of an evaluation, as JSON to compute with, Markdown to read and text for the terminal, with all that it came from."""

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from deepnet_fairseq.data.layout import read_lines
from deepnet_fairseq.evaluation import EvaluationError
from deepnet_fairseq.evaluation.decode import Hypotheses
from deepnet_fairseq.evaluation.dependence import Dependence
from deepnet_fairseq.evaluation.direction import Direction
from deepnet_fairseq.evaluation.files import write_whole
from deepnet_fairseq.evaluation.score import Score, mean_scores

JSON_NAME, MARKDOWN_NAME = "scores.json", "scores.md"
PACKAGES = ("deepnet_fairseq", "fairseq", "torch", "sacrebleu", "sentencepiece")
COLUMNS = ("direction", "lines", "BLEU", "chrF", "shuffled BLEU")
MEAN_COLUMNS = ("mean over", "directions", "BLEU", "chrF")


@dataclass
class Report:
    """One evaluation: plain types throughout, as scores.json holds them."""

    config: str
    checkpoint: str
    averaged_from: List[Dict[str, Any]]  # file, updates; empty for a checkpoint of the caller's choice
    decoding: str  # the fairseq-generate command of the first direction
    signatures: Dict[str, str]
    directions: List[Dict[str, Any]]
    means: List[Dict[str, Any]]
    examples: List[Dict[str, Any]]
    date: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))
    versions: Dict[str, str] = field(
        default_factory=lambda: {name: _version(name) for name in PACKAGES} | {"python": platform.python_version()}
    )


def score_table(
    found: Sequence[Hypotheses], scores: Mapping[Direction, Score], checks: Mapping[Direction, Dependence]
) -> List[Dict[str, Any]]:
    """One row per direction, with the shuffled BLEU that tells whether its hypotheses depend on the source."""
    return [
        {
            "direction": h.direction.name,
            "zero_shot": h.direction.zero_shot,
            "lines": h.lines,
            "skipped": h.skipped,
            "bleu": scores[h.direction].bleu,
            "chrf": scores[h.direction].chrf,
            "shuffled_bleu": checks[h.direction].shuffled_bleu,
            "distinct": checks[h.direction].distinct,
            "ignores_source": checks[h.direction].ignores_source,
        }
        for h in found
    ]


def mean_table(scores: Mapping[Direction, Score], pivot: str) -> List[Dict[str, Any]]:
    """One row per group of directions."""
    return [{"name": name, **asdict(mean)} for name, mean in mean_scores(scores, pivot).items()]


def common_signatures(scores: Mapping[Direction, Score]) -> Dict[str, str]:
    """sacrebleu's signatures, which every direction shares."""
    bleu, chrf = {score.bleu_signature for score in scores.values()}, {score.chrf_signature for score in scores.values()}
    if len(bleu) != 1 or len(chrf) != 1:
        raise EvaluationError(f"scores of different kinds in one table: {', '.join(sorted(bleu | chrf))}")
    return {"BLEU": bleu.pop(), "chrF": chrf.pop()}


def pick_examples(found: Sequence[Hypotheses], corpus: Path, count: int) -> List[Dict[str, Any]]:
    """One sentence each of count directions spread evenly over all, from different places in their test sets."""
    count = min(count, len(found))
    picked = []
    for number in range(count):
        # middles of equal parts, so that the first and the last direction are not favoured
        chosen = found[(2 * number + 1) * len(found) // (2 * count)]
        line = (2 * number + 1) * chosen.lines // (2 * count)
        files = {"source": chosen.direction.sources(corpus), "reference": chosen.direction.references(corpus), "hypothesis": chosen.path}
        sentences = {kind: list(read_lines(path))[line] for kind, path in files.items()}
        picked.append({"direction": chosen.direction.name, "line": line + 1, **sentences})
    return picked


def write_report(report: Report, folder: Path) -> List[Path]:
    """Write scores.json and scores.md, each whole or not at all; return their paths."""
    paths = [folder / JSON_NAME, folder / MARKDOWN_NAME]
    write_whole(paths[0], json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n")
    write_whole(paths[1], as_markdown(report))
    return paths


def read_report(path: Path) -> Report:
    """Return the report in a scores.json. Raises EvaluationError if it is none."""
    try:
        return Report(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise EvaluationError(f"{path} holds no scores: {error}") from error


def as_text(report: Report) -> str:
    """The tables in columns, the signatures and the examples."""
    blocks = [_columns([COLUMNS, *_rows(report)]), _columns([MEAN_COLUMNS, *_mean_rows(report)])]
    blocks.append("\n".join(f"{name}: {signature}" for name, signature in report.signatures.items()))
    for example in report.examples:
        lines = [f"{example['direction']}, line {example['line']}"]
        blocks.append("\n".join(lines + [f"  {kind:<10} {example[kind]}" for kind in ("source", "reference", "hypothesis")]))
    return "\n\n".join(blocks)


def as_markdown(report: Report) -> str:
    """The whole report as a Markdown page."""
    origin = ", ".join(f"{source['file']} (update {source['updates']})" for source in report.averaged_from)
    facts = {
        "checkpoint": report.checkpoint + (f", the mean of {origin}" if origin else ""),
        **{f"{name} signature": f"`{signature}`" for name, signature in report.signatures.items()},
        "decoded with": f"`{report.decoding}`",
        "versions": ", ".join(f"{name} {number}" for name, number in report.versions.items()),
        "date": report.date,
    }
    parts = [f"# Scores of {report.config}", _markdown_table([MEAN_COLUMNS, *_mean_rows(report)])]
    parts += [_markdown_table([COLUMNS, *_rows(report)]), "\n".join(f"- {name}: {value}" for name, value in facts.items())]
    if report.examples:
        keys = ("direction", "line", "source", "reference", "hypothesis")
        parts += ["## Examples", _markdown_table([keys, *([str(example[key]) for key in keys] for example in report.examples)])]
    return "\n\n".join(parts) + "\n"


def _rows(report: Report) -> List[List[str]]:
    rows = []
    for row in report.directions:
        name = row["direction"] + (" (zero-shot)" if row["zero_shot"] else "")
        lines = str(row["lines"]) + (f" ({row['skipped']} skipped)" if row["skipped"] else "")
        rows.append([name, lines, *(f"{row[key]:.1f}" for key in ("bleu", "chrf", "shuffled_bleu"))])
    return rows


def _mean_rows(report: Report) -> List[List[str]]:
    return [[row["name"], str(row["directions"]), f"{row['bleu']:.1f}", f"{row['chrf']:.1f}"] for row in report.means]


def _columns(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns: the first to the left, the others, numbers, to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]) for row in rows)


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    cells.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from its folder, not installed
        return "not installed"

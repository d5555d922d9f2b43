"""Rows as a Markdown table and as a CSV file."""

import csv
import os
from pathlib import Path
from typing import Any, Iterable, List, Sequence


def markdown(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; the first column to the left, the others to the right."""
    lines: List[str] = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write rows under a header, beside path, then rename; return path."""
    beside = path.with_name(path.name + ".partial")
    with beside.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(header)
        lines.writerows(rows)
    os.replace(beside, path)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write text and a line end, beside path, then rename; return path."""
    beside = path.with_name(path.name + ".partial")
    beside.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    os.replace(beside, path)
    return path


def significant(value: float, digits: int = 2) -> str:
    """A number with so many significant digits, without an exponent down to 0.0001."""
    return f"{value:.{digits}g}"

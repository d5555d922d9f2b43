"""Rows as a CSV file, and numbers as tables show them."""

import csv
import io
from pathlib import Path
from typing import Any, Iterable, Sequence

from deepnet_fairseq.io import write_text


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows under a header, beside path, then rename."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(header)
    lines.writerows(rows)
    write_text(path, text.getvalue())


def significant(value: float) -> str:
    """A number with two significant digits."""
    return f"{value:.2g}"

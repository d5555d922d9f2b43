"""Files that are whole or not there."""

import os
from pathlib import Path
from typing import Iterable


def write_whole(path: Path, text: str) -> None:
    """Write text as UTF-8 beside path, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(text, encoding="utf-8", newline="\n")
    os.replace(beside, path)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one line each, beside path, then rename. Raises ValueError for a line with a line break in it."""
    text = [line + "\n" for line in lines]
    for number, line in enumerate(text, start=1):
        if "\n" in line[:-1] or "\r" in line:
            raise ValueError(f"{path}, line {number}: a line must not hold a line break: {line!r}")
    write_whole(path, "".join(text))

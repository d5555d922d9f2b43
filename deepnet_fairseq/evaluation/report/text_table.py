"""Rows of cells as text: columns for the terminal, Markdown to read."""

import re
from typing import Sequence

# Control characters, and those at which some programs end a line: a model can write them, and a terminal obeys them.
CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")


def one_line(text: str) -> str:
    """The text with a space for every control character."""
    return CONTROL.sub(" ", text)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns: the first to the left, the others, numbers, to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    )


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is its head."""
    cells = [
        [one_line(cell).replace("\\", "\\\\").replace("|", "\\|") for cell in row] for row in rows
    ]
    cells.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)

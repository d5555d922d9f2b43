"""How tables and pages write numbers."""

from typing import Optional

ABSENT = "–"


def one(value: Optional[float]) -> str:
    """A number with one decimal; a dash for None."""
    return ABSENT if value is None else f"{value:.1f}"


def signed(value: Optional[float]) -> str:
    """A difference with one decimal and its sign; a dash for None."""
    # + 0.0: no minus before what rounds to nothing
    return ABSENT if value is None else f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")

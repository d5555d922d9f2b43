"""Colours that the colour-blind can tell apart, and that paper keeps apart as well."""

from dataclasses import dataclass
from typing import Tuple

from matplotlib import colormaps
from matplotlib.colors import to_hex

# Okabe & Ito, jfly.uni-koeln.de/color: their order from dark to light survives print without colour.
RESOURCES = {"high": "#0072b2", "medium": "#009e73", "low": "#e69f00", "": "#8a8f96"}
TRAINING, VALIDATION, RATE = "#0072b2", "#d55e00", "#009e73"
SEQUENTIAL = "viridis"
BLACK, WHITE = "#000000", "#ffffff"


@dataclass(frozen=True)
class Shade:
    """A background, and the ink that is legible on it: their contrast is at least 4.5."""

    background: str  # #rrggbb
    ink: str


def shade(share: float) -> Shade:
    """The colour of a share from 0 to 1; what lies outside counts as the nearer end."""
    # float: matplotlib takes a whole number for a place in the colormap's table
    red, green, blue, _ = colormaps[SEQUENTIAL](float(min(max(share, 0.0), 1.0)))
    light = _luminance((red, green, blue))
    # WCAG 2.2, contrast ratio: whatever the background, the better of black and white reaches at least 4.58.
    ink = BLACK if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else WHITE
    return Shade(to_hex((red, green, blue)), ink)


def _luminance(colour: Tuple[float, float, float]) -> float:
    """WCAG 2.2's relative luminance of an sRGB colour, from 0 to 1."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

"""Colours: whatever a tile's is, its number can be read."""

from matplotlib.colors import to_rgb

from deepnet_fairseq.evaluation.report.colours import Shade, shade


def contrast(one: Shade) -> float:
    """WCAG 2.2's contrast ratio, computed here on its own."""
    lights = []
    for colour in (one.background, one.ink):
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        )
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_ink_is_legible_on_every_shade() -> None:
    assert min(contrast(shade(step / 200)) for step in range(201)) >= 4.5


def test_what_lies_outside_counts_as_the_nearer_end() -> None:
    assert shade(-1) == shade(0) != shade(1) == shade(2)

"""The layout of a heat map, and the contrast of its numbers."""

import dataclasses

import pytest
from matplotlib.colors import to_rgb
from support.large_reports import opus100_report, quick_start_report
from support.sample_reports import make_result

from deepnet_fairseq.evaluation.report.heat_map import Shade, heat_maps, shade


def test_a_corpus_around_a_pivot_has_strips_and_a_small_matrix() -> None:
    (heat,) = heat_maps(opus100_report())
    assert [strip.title for strip in heat.strips] == [
        "high-resource",
        "medium-resource",
        "low-resource",
    ]
    languages = [language for strip in heat.strips for language in strip.languages]
    assert len(languages) == len(set(languages)) == 94 and "en" not in languages
    assert heat.sources == heat.targets == ["ar", "de", "fr", "nl", "ru", "zh"]


def test_sixteen_directions_of_six_languages_are_in_one_matrix() -> None:
    (heat,) = heat_maps(quick_start_report())
    assert heat.strips == [] and heat.sources == heat.targets == [
        "de",
        "el",
        "en",
        "es",
        "hi",
        "ru",
    ]
    assert heat.value("de", "es") is not None and heat.value("es", "ru") is None


def test_a_star_without_zero_shot_directions_has_no_matrix() -> None:
    report = quick_start_report()
    rows = [make_result(f"x{i}-en", float(i)) for i in range(8)]
    (heat,) = heat_maps(dataclasses.replace(report, directions=rows))
    assert [strip.title for strip in heat.strips] == [""] and heat.sources == heat.targets == []
    assert heat.bounds == (0.0, 7.0) and heat.share(3.5) == 0.5


def test_many_to_many_without_the_pivot_has_a_matrix() -> None:
    rows = [make_result(name, 1.0) for name in ("de-fr", "fr-de", "de-ru")]
    (heat,) = heat_maps(dataclasses.replace(quick_start_report(), directions=rows))
    assert (heat.sources, heat.targets, heat.strips) == (["de", "fr"], ["de", "fr", "ru"], [])
    assert heat.share(1.0) == 0.5  # all alike


@pytest.mark.parametrize(("count", "maps"), [(2, 0), (3, 1)])
def test_a_test_set_of_its_own_has_its_own_map_if_it_is_large_enough(count: int, maps: int) -> None:
    rows = [make_result(name, 1.0, test_set="ted") for name in ("de-en", "en-de", "fr-en")[:count]]
    report = dataclasses.replace(quick_start_report(), directions=rows)
    assert [heat.test_set for heat in heat_maps(report)] == ["ted"] * maps


def test_a_direction_without_the_metric_is_not_in_the_map() -> None:
    rows = [make_result(name, 1.0) for name in ("de-en", "en-de", "fr-en")] + [
        make_result("en-fr", None)
    ]
    (heat,) = heat_maps(dataclasses.replace(quick_start_report(), directions=rows))
    assert heat.value("en", "fr") is None


def contrast(colours: Shade) -> float:
    """Compute WCAG 2.2's contrast ratio independently of the module."""
    lights = []
    for colour in (colours.background, colours.ink):
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        )
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_ink_is_legible_on_every_shade() -> None:
    assert min(contrast(shade(step / 200)) for step in range(201)) >= 4.5


def test_a_share_outside_0_to_1_is_clipped() -> None:
    assert shade(-1) == shade(0) != shade(1) == shade(2)

"""Where directions stand in a heat map."""

import dataclasses

import pytest
from support.large_reports import opus100_report, quick_start_report
from test_means import result

from deepnet_fairseq.evaluation.report.heat_map import heat_maps


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


def test_sixteen_directions_of_six_languages_stand_in_one_matrix() -> None:
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
    rows = [result(f"x{i}-en", float(i)) for i in range(8)]
    (heat,) = heat_maps(dataclasses.replace(report, directions=rows))
    assert [strip.title for strip in heat.strips] == [""] and heat.sources == heat.targets == []
    assert heat.bounds == (0.0, 7.0) and heat.share(3.5) == 0.5


def test_many_to_many_without_the_pivot_has_a_matrix() -> None:
    rows = [result(name, 1.0) for name in ("de-fr", "fr-de", "de-ru")]
    (heat,) = heat_maps(dataclasses.replace(quick_start_report(), directions=rows))
    assert (heat.sources, heat.targets, heat.strips) == (["de", "fr"], ["de", "fr", "ru"], [])
    assert heat.share(1.0) == 0.5  # all alike


@pytest.mark.parametrize(("count", "maps"), [(2, 0), (3, 1)])
def test_a_test_set_of_its_own_has_its_own_map_if_it_is_large_enough(count: int, maps: int) -> None:
    rows = [result(name, 1.0, test_set="ted") for name in ("de-en", "en-de", "fr-en")[:count]]
    report = dataclasses.replace(quick_start_report(), directions=rows)
    assert [heat.test_set for heat in heat_maps(report)] == ["ted"] * maps


def test_a_direction_without_the_metric_is_not_in_the_map() -> None:
    rows = [result(name, 1.0) for name in ("de-en", "en-de", "fr-en")] + [result("en-fr", None)]
    (heat,) = heat_maps(dataclasses.replace(quick_start_report(), directions=rows))
    assert heat.value("en", "fr") is None

"""Means over directions are those computed by hand."""

from typing import Dict, List

import pytest
from support.large_reports import opus100_report
from support.sample_reports import make_result

from deepnet_fairseq.evaluation.report.report import DirectionResult, Mean
from deepnet_fairseq.evaluation.report.summary import mean_table, resource_class


def table(directions: List[DirectionResult]) -> Dict[str, Mean]:
    return {mean.name: mean for mean in mean_table(directions, "en")}


def test_the_papers_means_are_unweighted_over_directions() -> None:
    directions = [
        make_result("de-en", 10),
        make_result("fr-en", 30),
        make_result("en-de", 4),
        make_result("en-fr", 8),
        make_result("de-fr", 1, zero_shot=True),
    ]
    means = table(directions)
    assert list(means) == ["X→en", "en→X", "all supervised", "zero-shot"]
    assert {name: (mean.directions, mean.scores["BLEU"]) for name, mean in means.items()} == {
        "X→en": (2, 20.0),
        "en→X": (2, 6.0),
        "all supervised": (4, 13.0),
        "zero-shot": (1, 1.0),
    }


def test_opus100s_figure_for_both_is_that_of_all_supervised() -> None:
    means = table(opus100_report().directions)
    assert [means[name].directions for name in ("X→en", "en→X", "all supervised", "zero-shot")] == [
        94,
        94,
        188,
        30,
    ]
    both = (means["X→en"].scores["BLEU"] + means["en→X"].scores["BLEU"]) / 2
    assert means["all supervised"].scores["BLEU"] == pytest.approx(both, rel=1e-12)


def test_further_test_sets_have_means_of_their_own_and_touch_no_other() -> None:
    directions = [
        make_result("de-en", 10),
        make_result("de-en", 50, test_set="ted"),
        make_result("fr-de", 70, zero_shot=True, test_set="ted"),
    ]
    means = table(directions)
    assert {name: (mean.directions, mean.scores["BLEU"]) for name, mean in means.items()} == {
        "X→en": (1, 10.0),
        "all supervised": (1, 10.0),
        "ted": (2, 60.0),
    }


def test_resource_classes_are_told_apart_if_there_are_several() -> None:
    low, high = (
        [make_result("am-en", 7, "low"), make_result("en-am", 3, "low")],
        [make_result("de-en", 10), make_result("fr-en", 20), make_result("en-de", 5)],
    )
    assert list(table(high)) == ["X→en", "en→X", "all supervised"]
    means = table(low + high)
    assert list(means)[3:] == ["X→en high", "X→en low", "en→X high", "en→X low"]
    assert means["X→en high"] == Mean("X→en high", 2, {"BLEU": 15.0})
    assert means["en→X low"] == Mean("en→X low", 1, {"BLEU": 3.0})


@pytest.mark.parametrize("first", [0, 1], ids=["the first lacks it", "the last lacks it"])
def test_a_metric_that_one_direction_lacks_has_no_mean(first: int) -> None:
    directions = [make_result("de-en", 10, spBLEU=1.0), make_result("fr-en", 30)]
    assert table(directions[:: 1 if first else -1])["X→en"].scores == {"BLEU": 20.0}


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (1_000_000, "high"),
        (900_000, "high"),
        (899_999, "medium"),
        (100_000, "medium"),
        (99_999, "low"),
        (0, ""),
    ],
)
def test_resource_classes_begin_where_zhang_et_al_put_them(pairs: int, expected: str) -> None:
    assert resource_class(pairs, 900_000, 100_000) == expected

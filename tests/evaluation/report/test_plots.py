"""The plots show the report's numbers."""

from pathlib import Path
from typing import List

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle
from support.large_reports import opus100_report, quick_start_report

from deepnet_fairseq.evaluation.report.heat_map import heat_maps
from deepnet_fairseq.evaluation.report.plots import (
    curves_as_svg,
    plot_curves,
    plot_heat_map,
    write_heat_maps,
)
from deepnet_fairseq.evaluation.report.report import Report
from deepnet_fairseq.evaluation.report.training_log import TrainingCurves

CURVES = TrainingCurves(
    training_nll={100: 9.0, 200: 5.5},
    validation_nll={200: 6.0},
    learning_rate={100: 1e-4, 200: 2e-4},
)


def tiles(figure: Figure) -> List[Rectangle]:
    return [
        patch
        for axes in figure.axes
        for patch in axes.patches
        if isinstance(patch, Rectangle) and patch.get_gid()
    ]


@pytest.mark.parametrize(
    "report", [quick_start_report(), opus100_report()], ids=["16 directions", "218 directions"]
)
def test_the_heat_map_has_a_tile_with_its_number_for_every_direction(report: Report) -> None:
    (heat,) = heat_maps(report)
    figure = plot_heat_map(heat)
    assert sorted(tile.get_gid() for tile in tiles(figure)) == sorted(
        d.direction for d in report.directions
    )
    numbers = sorted(
        text.get_text()
        for axes in figure.axes
        for text in axes.texts
        if text.get_text()[-2:-1] == "."
    )
    assert numbers == sorted(f"{d.scores['BLEU']:.1f}" for d in report.directions)


def test_a_matrix_is_labelled_with_its_languages() -> None:
    (heat,) = heat_maps(quick_start_report())
    axes = plot_heat_map(heat).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == heat.targets
    assert [label.get_text() for label in axes.get_yticklabels()] == heat.sources


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
def test_training_curves_are_those_of_the_log(narrow: bool) -> None:
    losses, rate = plot_curves(CURVES, narrow).axes
    drawn = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in losses.lines
    }
    assert drawn == {"training": ([100, 200], [9.0, 5.5]), "validation": ([200], [6.0])}
    assert list(rate.lines[0].get_ydata()) == [1e-4, 2e-4]
    assert losses.get_ylabel() == "bits per token" and losses.get_xlabel() == "updates"


def test_without_likelihoods_the_loss_itself_is_drawn() -> None:
    losses = plot_curves(TrainingCurves(training_loss={1: 3.0}, validation_loss={1: 2.0})).axes[0]
    assert [list(line.get_ydata()) for line in losses.lines] == [
        [3.0],
        [2.0],
    ] and losses.get_ylabel() == "loss (bits per token)"


def test_the_heat_map_is_written_and_replaces_figures_of_an_earlier_evaluation(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "evaluation"
    folder.mkdir()
    for name in ("heat_map.ted.png", "bars.png", "training.png"):
        (folder / name).touch()
    (path,) = write_heat_maps(quick_start_report(), folder)
    assert path.name == "heat_map.png"
    pixels = imread(path)
    assert min(pixels.shape[:2]) > 300 and pixels.std() > 0.05  # something is drawn
    assert list(folder.iterdir()) == [path]


def test_two_directions_have_no_heat_map(tmp_path: Path) -> None:
    report = quick_start_report()
    report.directions = report.directions[:2]
    assert write_heat_maps(report, tmp_path) == []


def test_the_curves_as_svg_are_the_same_each_time_and_hold_text() -> None:
    svg = curves_as_svg(CURVES)
    assert (
        svg == curves_as_svg(CURVES)
        and svg.startswith("<svg ")
        and "http" not in svg.replace("http://www.w3.org", "")
    )
    assert ">validation</text>" in svg and ">updates</text>" in svg

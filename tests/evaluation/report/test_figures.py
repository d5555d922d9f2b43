"""What the figures show, and that only those are written which show something."""

from pathlib import Path
from typing import List

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle
from support.large_reports import opus100_report, quick_start_report

from deepnet_fairseq.evaluation.report import figures
from deepnet_fairseq.evaluation.report.colours import RESOURCES
from deepnet_fairseq.evaluation.report.draw_bars import draw_bars
from deepnet_fairseq.evaluation.report.draw_curves import draw_curves
from deepnet_fairseq.evaluation.report.draw_heat_map import draw_heat_map
from deepnet_fairseq.evaluation.report.heat_map import heat_maps
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
    figure = draw_heat_map(heat)
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
    axes = draw_heat_map(heat).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == heat.targets
    assert [label.get_text() for label in axes.get_yticklabels()] == heat.sources


def test_bars_are_sorted_coloured_by_class_and_as_long_as_the_scores() -> None:
    report = opus100_report()
    panels = draw_bars(report, "BLEU").axes
    assert [axes.get_title(loc="left") for axes in panels] == [
        "BLEU, X→en",
        "BLEU, en→X",
        "BLEU, zero-shot",
    ]
    assert [len(axes.patches) for axes in panels] == [94, 94, 30]
    into = sorted(
        (d for d in report.directions if d.target == "en"), key=lambda d: -d.scores["BLEU"]
    )
    assert [label.get_text() for label in panels[0].get_yticklabels()] == [
        d.direction for d in into
    ]
    assert [bar.get_width() for bar in panels[0].patches] == pytest.approx(
        [d.scores["BLEU"] for d in into]
    )
    to_hex = {
        tuple(round(int(code[i : i + 2], 16) / 255, 4) for i in (1, 3, 5)): name
        for name, code in RESOURCES.items()
    }
    assert [
        to_hex[tuple(round(c, 4) for c in bar.get_facecolor()[:3])] for bar in panels[0].patches
    ] == [d.resource for d in into]
    assert len({axes.get_xlim() for axes in panels}) == 1


def test_the_reference_systems_scores_are_marked() -> None:
    report = opus100_report()
    assert report.reference is not None
    marks = {
        line.get_gid(): line.get_xdata()[0]
        for axes in draw_bars(report, "BLEU").axes
        for line in axes.lines
    }
    assert marks == {f"reference {name}": score for name, score in report.reference.scores.items()}
    assert not [
        line for axes in draw_bars(report, "chrF++").axes for line in axes.lines
    ]  # BLEU is no chrF++


def test_of_very_many_directions_the_best_and_the_worst_have_bars() -> None:
    report = quick_start_report()
    many = [report.directions[0]] * 30 + [report.directions[1]] * 130
    report.directions = many
    panels = draw_bars(report, "BLEU").axes
    assert [len(axes.patches) for axes in panels] == [30, 100]
    assert panels[1].get_title(loc="left") == "BLEU, en→X: 50 best, 50 worst of 130"


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
def test_training_curves_are_those_of_the_log(narrow: bool) -> None:
    losses, rate = draw_curves(CURVES, narrow).axes
    drawn = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in losses.lines
    }
    assert drawn == {"training": ([100, 200], [9.0, 5.5]), "validation": ([200], [6.0])}
    assert list(rate.lines[0].get_ydata()) == [1e-4, 2e-4]
    assert losses.get_ylabel() == "bits per token" and losses.get_xlabel() == "updates"


def test_without_likelihoods_the_loss_itself_is_drawn() -> None:
    losses = draw_curves(TrainingCurves(training_loss={1: 3.0}, validation_loss={1: 2.0})).axes[0]
    assert [list(line.get_ydata()) for line in losses.lines] == [
        [3.0],
        [2.0],
    ] and losses.get_ylabel() == "loss (bits per token)"


def test_every_figure_is_written_whole(tmp_path: Path) -> None:
    paths = figures.write_figures(quick_start_report(), CURVES, tmp_path / "evaluation")
    assert [path.name for path in paths] == ["heat_map.png", "bars.png", "training.png"]
    for path in paths:
        pixels = imread(path)
        assert min(pixels.shape[:2]) > 300 and pixels.std() > 0.05  # something is drawn
    assert sorted(path.parent.iterdir()) == sorted(paths)


def test_figures_without_data_are_left_out(tmp_path: Path) -> None:
    report = quick_start_report()
    report.directions = report.directions[:2]
    assert [path.name for path in figures.write_figures(report, TrainingCurves(), tmp_path)] == [
        "bars.png"
    ]


def test_the_curves_as_svg_are_the_same_each_time_and_hold_text() -> None:
    svg = figures.curves_as_svg(CURVES)
    assert (
        svg == figures.curves_as_svg(CURVES)
        and svg.startswith("<svg ")
        and "http" not in svg.replace("http://www.w3.org", "")
    )
    assert ">validation</text>" in svg and ">updates</text>" in svg

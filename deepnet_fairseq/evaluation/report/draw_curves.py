"""How the loss fell: training and validation over updates, with the learning rate in a small plot of its own."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from deepnet_fairseq.evaluation.report.colours import RATE, TRAINING, VALIDATION
from deepnet_fairseq.evaluation.report.training_log import TrainingCurves

WIDE, NARROW = (11.0, 3.6), (4.8, 5.6)  # inches
FONT_SIZE = {
    WIDE: 11,
    NARROW: 15,
}  # points: what of the narrow one is still 12 pixels on a phone of 390


def draw_curves(curves: TrainingCurves, narrow: bool = False) -> Figure:
    """The figure, losses and learning rate beside each other or, for a phone, below one another."""
    size = NARROW if narrow else WIDE
    figure = Figure(figsize=size, layout="constrained")
    ratios = {"height_ratios": (2, 1)} if narrow else {"width_ratios": (2, 1)}
    losses, rate = figure.subplots(2 if narrow else 1, 1 if narrow else 2, gridspec_kw=ratios)
    _draw_losses(losses, curves)
    rate.plot(
        list(curves.learning_rate), list(curves.learning_rate.values()), color=RATE, linewidth=1.8
    )
    rate.set_ylabel("learning rate")
    rate.yaxis.set_major_formatter(_short)
    for axes in (losses, rate):
        _dress(axes, FONT_SIZE[size])
    return figure


def _draw_losses(axes: Axes, curves: TrainingCurves) -> None:
    """The likelihood alone, where the log has it: label smoothing is no part of it, so runs can be compared."""
    likelihood = bool(curves.training_nll or curves.validation_nll)
    training = curves.training_nll if likelihood else curves.training_loss
    validation = curves.validation_nll if likelihood else curves.validation_loss
    axes.plot(
        list(training), list(training.values()), color=TRAINING, linewidth=1.2, label="training"
    )
    marker = "o" if len(validation) <= 40 else ""
    axes.plot(
        list(validation),
        list(validation.values()),
        color=VALIDATION,
        linewidth=2,
        marker=marker,
        markersize=4,
        label="validation",
    )
    axes.set_ylabel("bits per token" if likelihood else "loss (bits per token)")
    axes.set_ylim(bottom=0)


def _short(value: float, _: int) -> str:
    """6e-4, as configs write learning rates."""
    digits, exponent = f"{value:.1e}".split("e")
    return f"{float(digits):g}e{int(exponent)}" if value else "0"


def _dress(axes: Axes, size: float) -> None:
    axes.set_xlabel("updates", fontsize=size)
    axes.yaxis.label.set_size(size)
    axes.tick_params(labelsize=size)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 250k
    axes.yaxis.get_offset_text().set_size(size)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    if len(axes.lines) > 1:
        axes.legend(frameon=False, fontsize=size)

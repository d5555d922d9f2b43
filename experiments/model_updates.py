"""How far the model moves in its first updates, by depth and residual scheme: the measurement that DeepNet's Section 3 begins with.

‖F(x,θ_i) − F(x,θ_0)‖ / ‖F(x,θ_0)‖, x a batch of the corpus that stays, F the decoder's output, θ_i the weights after i updates. The
paper does not divide; of a LayerNorm's output the denominator is one number at all depths.
"""

import math
from pathlib import Path
from statistics import fmean
from typing import Dict, List

from matplotlib.figure import Figure

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.evaluation.report.figures import write_png
from deepnet_fairseq.evaluation.report.text_table import markdown_table
from deepnet_fairseq.io import write_text
from deepnet_fairseq.training.diagnostics import measurements as names
from experiments.study import Case, Options, Plan, Study, case_name, cases, network
from experiments.styles import NAMES, dress, panels, plain_ticks, scheme_style
from experiments.tables import significant, write_csv
from experiments.trials import Outcome, Trial

Curve = Dict[int, float]  # by update

# [paper] learning rate and warm-up on IWSLT-14, where it measures this: the first updates are the first steps of the warm-up.
EARLY = {
    "lr": 5e-4,
    "warmup-updates": 4000,
    "save-interval-updates": None,
    "disable-validation": True,
    "log-interval": 1,
}
DEFAULTS = Options(
    depths=(6, 12, 25, 50, 100), schemes=("deepnorm", "post-ln"), seeds=(1, 2, 3), updates=20
)


def trials(plan: Plan) -> List[Trial]:
    """One short training per case, measured at every update."""
    options = plan.options
    measuring = {"stability-interval": 1, "stability-layers": True}
    return [
        Trial(
            case_name(case),
            {**EARLY, **measuring, **network(case, options.updates)},
            case[1] * options.updates,
        )
        for case in cases(options)
    ]


def write(plan: Plan, outcomes: Dict[str, Outcome], folder: Path) -> str:
    """Write model_updates.csv, layers.csv, .png and .md; return the table. Raises DataError if a training did not get to its end."""
    options = plan.options
    held = {}
    for case in cases(options):
        outcome = outcomes[case_name(case)]
        held[case] = outcome.measurements()
        if outcome.status or max((m.update for m in held[case]), default=0) < options.updates:
            raise DataError(
                f"{outcome.folder}/output.log: the training ended early, with status {outcome.status}"
            )
    columns = ("scheme", "layers_per_side", "seed")
    model_rows = [
        (*c, m.update, m.quantity, m.value)
        for c, rows in held.items()
        for m in rows
        if m.stack == "model"
    ]
    layer_rows = [
        (*c, *m)
        for c, rows in held.items()
        for m in rows
        if m.stack != "model" and m.update in (0, 1, options.updates)
    ]
    write_csv(folder / "model_updates.csv", (*columns, "update", "quantity", "value"), model_rows)
    write_csv(folder / "layers.csv", (*columns, *names.COLUMNS), layer_rows)
    curves = {
        case: {m.update: m.value for m in rows if m.quantity == names.MODEL_UPDATE and m.update}
        for case, rows in held.items()
    }
    write_png(draw(options, curves), folder / "model_updates.png")
    write_png(draw_layers(options, held), folder / "layers.png")
    text = describe(options, curves)
    write_text(folder / "model_updates.md", text + "\n")
    return text


def describe(options: Options, curves: Dict[Case, Curve]) -> str:
    """The tables, and what they come to."""
    shown = [(scheme, depth) for scheme in options.schemes for depth in _ends(options)]
    head = [
        "model update after",
        *(f"{NAMES[scheme]} {depth}L-{depth}L" for scheme, depth in shown),
    ]
    by_update = [
        [
            f"{i} update{'s' * (i > 1)}",
            *(significant(_mean(options, curves, *case, i)) for case in shown),
        ]
        for i in sorted({1, *range(5, options.updates + 1, 5), options.updates})
    ]
    by_depth = [
        [
            NAMES[scheme],
            *(
                significant(_mean(options, curves, scheme, depth, options.updates))
                for depth in options.depths
            ),
        ]
        for scheme in options.schemes
    ]
    head_by_depth = [
        f"after {options.updates}",
        *(f"{depth}L-{depth}L" for depth in options.depths),
    ]
    text = [markdown_table([head, *by_update]), markdown_table([head_by_depth, *by_depth])]
    if {"deepnorm", "post-ln"} <= set(options.schemes):
        text += [_compare(options, curves, depth) for depth in _ends(options)]
    text.append(
        f"Model update: ‖F(x,θ_i) − F(x,θ_0)‖ / ‖F(x,θ_0)‖, x a batch that stays, F the decoder's output; {options.said_seeds}."
    )
    return "\n\n".join(text)


def _compare(options: Options, curves: Dict[Case, Curve], shallow: int) -> str:
    """How far a Post-LN of some depth moves beside the deepest DeepNorm."""
    deep, updates = max(options.depths), range(1, options.updates + 1)

    def ratio(post_ln: float, deepnorm: float) -> float:
        return post_ln / deepnorm if deepnorm else math.inf

    means = [
        ratio(
            _mean(options, curves, "post-ln", shallow, i),
            _mean(options, curves, "deepnorm", deep, i),
        )
        for i in updates
    ]
    singly = [
        ratio(curves["post-ln", shallow, s][i], curves["deepnorm", deep, s][i])
        for s in options.seeds
        for i in updates
    ]
    single = (
        f"; of any one seed at any update, at least {min(singly):.2g} times"
        if len(options.seeds) > 1
        else ""
    )
    return (
        f"The {shallow}L-{shallow}L Post-LN moved {min(means):.2g} to {max(means):.2g} times as far as the {deep}L-{deep}L DeepNorm, over "
        f"updates 1 to {options.updates}{single}."
    )


def _ends(options: Options) -> List[int]:
    """The least and the greatest depth, or the only one."""
    return sorted({min(options.depths), max(options.depths)})


def draw(options: Options, curves: Dict[Case, Curve]) -> Figure:
    """Left, over the depth after the last update; right, over the updates for the least and the greatest depth."""
    figure, (by_depth, by_update) = panels(2)
    for scheme in options.schemes:
        values = [
            _mean(options, curves, scheme, depth, options.updates) for depth in options.depths
        ]
        by_depth.plot(options.depths, values, label=NAMES[scheme], **scheme_style(scheme))
        for depth in _ends(options):
            filled = depth == max(options.depths)
            updates = range(1, options.updates + 1)
            line = {
                **scheme_style(scheme),
                "markevery": max(1, options.updates // 8),
                "markerfacecolor": None if filled else "white",
            }
            label = f"{NAMES[scheme]} {depth}L-{depth}L"
            by_update.plot(
                updates,
                [_mean(options, curves, scheme, depth, i) for i in updates],
                label=label,
                **line,
            )
    plain_ticks(by_depth, options.depths)
    by_update.set_xscale("log")
    for axes in (by_depth, by_update):
        axes.set_yscale("log")
        axes.legend(frameon=False, fontsize=9)
    dress(by_depth, f"after {options.updates} updates", "layers per side", "model update, relative")
    dress(by_update, "over the training", "updates", "model update, relative")
    return figure


def draw_layers(options: Options, held: Dict[Case, List[names.Measurement]]) -> Figure:
    """Of the deepest networks, each layer's gradient, change of output and variance: encoder first, then decoder."""
    deep, seed = max(options.depths), options.seeds[0]
    shown = ((names.GRADIENT, 1, "gradient norm, update 1"), (names.VARIANCE, 0, "output variance at the start"),
             (names.CHANGE, options.updates, f"change of output, {options.updates} updates"))  # fmt: skip
    figure, plots = panels(len(shown))
    for axes, (quantity, update, title) in zip(plots, shown, strict=True):
        for scheme in options.schemes:
            rows = [
                m for m in held[scheme, deep, seed] if m.quantity == quantity and m.update == update
            ]
            places = [m.layer + (deep if m.stack == "decoder" else 0) for m in rows]
            line = {**scheme_style(scheme), "marker": ""}
            axes.plot(places, [m.value for m in rows], label=NAMES[scheme], **line)
        axes.axvline(deep + 0.5, color="#8a8f96", linewidth=0.8)
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        if high < 10 * low:  # all the same, but for rounding
            axes.set_ylim((low * high) ** 0.5 / 10, (low * high) ** 0.5 * 10)
        dress(axes, title, f"layer: encoder 1–{deep}, then decoder", "")
    plots[0].legend(frameon=False, fontsize=9)
    return figure


def _mean(
    options: Options, curves: Dict[Case, Curve], scheme: str, depth: int, update: int
) -> float:
    return fmean(curves[scheme, depth, seed][update] for seed in options.seeds)


STUDY = Study("how far does the model move in its first updates?", DEFAULTS, trials, write)

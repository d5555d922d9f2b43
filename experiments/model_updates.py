"""How far does the model move in its first updates? By depth and residual scheme, as in Section 3.

The measure is ‖F(x,θ_i) − F(x,θ_0)‖ / ‖F(x,θ_0)‖: x is a fixed batch, F the decoder's output, θ_i
the weights after i updates. The paper does not divide; for the output of a LayerNorm the
denominator is the same at all depths.
"""

import math
from statistics import fmean
from typing import Dict, List

from matplotlib.figure import Figure

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.evaluation.report.text_table import markdown_table
from deepnet_fairseq.training.diagnostics import measurements as names
from deepnet_fairseq.training.diagnostics.measurements import Measurement
from experiments.plot_styles import (
    label_axes,
    log_ticks,
    make_plots,
    marker_spacing,
    scheme_name,
    scheme_style,
)
from experiments.runs import Run
from experiments.study import (
    CASE_COLUMNS,
    Case,
    Options,
    Plan,
    Report,
    Results,
    Study,
    Table,
    case_flags,
)

Curve = Dict[int, float]  # model update by number of updates

# [paper] Learning rate and warm-up on IWSLT-14, where it measures this: the first updates are the
# first steps of the warm-up.
FIRST_UPDATES = {
    "lr": 5e-4,
    "warmup-updates": 4000,
    "save-interval-updates": None,
    "disable-validation": True,
    "log-interval": 1,
}
MEASURING = {"stability-interval": 1, "stability-layers": True}
DEFAULTS = Options(
    depths=(6, 12, 25, 50, 100), schemes=("deepnorm", "post-ln"), seeds=(1, 2, 3), updates=20
)


def plan_runs(plan: Plan) -> List[Run]:
    """Return one short training per case, measured at each update."""
    options = plan.options
    runs = []
    for case in options.cases:
        flags = {**FIRST_UPDATES, **MEASURING, **case_flags(case, options.updates)}
        runs.append(Run(case.name, flags, case.depth * options.updates))
    return runs


def report(plan: Plan, results: Results) -> Report:
    """Return model_updates.md, .csv and .png, layers.csv and layers.png.

    Raises:
        DataError: a training has not completed its updates.
    """
    options, rows = plan.options, _read_measurements(plan, results)
    model_rows, layer_rows = [], []
    curves: Dict[Case, Curve] = {}
    for case, case_rows in rows.items():
        curves[case] = {}
        for m in case_rows:
            if m.stack == "model":
                model_rows.append((*case, m.update, m.quantity, m.value))
            elif m.update in (0, 1, options.updates):
                layer_rows.append((*case, *m))
            if m.quantity == names.MODEL_UPDATE and m.update:
                curves[case][m.update] = m.value
    means = Means(options, curves)
    model_columns = (*CASE_COLUMNS, "update", "quantity", "value")
    return Report(
        "model_updates",
        _describe(options, curves, means),
        {
            "model_updates.csv": Table(model_columns, model_rows),
            "layers.csv": Table((*CASE_COLUMNS, *names.COLUMNS), layer_rows),
        },
        {"model_updates.png": _plot(options, means), "layers.png": _plot_layers(options, rows)},
    )


def _read_measurements(plan: Plan, results: Results) -> Dict[Case, List[Measurement]]:
    rows = {}
    for case in plan.options.cases:
        result = results[case.name]
        rows[case] = result.measurements()
        last = max((m.update for m in rows[case]), default=0)
        if result.status or last < plan.options.updates:
            raise DataError(
                f"{result.folder}/output.log: the training ended early, with status {result.status}"
            )
    return rows


class Means:
    """Model updates, the mean over seeds."""

    def __init__(self, options: Options, curves: Dict[Case, Curve]) -> None:
        self.options = options
        self.curves = curves

    def at(self, scheme: str, depth: int, update: int) -> float:
        """Return the model update of a scheme and depth after a number of updates."""
        seeds = self.options.seeds
        return fmean(self.curves[Case(scheme, depth, seed)][update] for seed in seeds)


def _describe(options: Options, curves: Dict[Case, Curve], means: Means) -> str:
    """Return the tables by update and by depth, and the comparison of DeepNorm with Post-LN."""
    extremes = [(scheme, depth) for scheme in options.schemes for depth in _extreme_depths(options)]
    by_update = [
        [
            "model update after",
            *(f"{scheme_name(scheme)} {depth}L-{depth}L" for scheme, depth in extremes),
        ]
    ]
    for i in sorted({1, *range(5, options.updates + 1, 5), options.updates}):
        cells = [f"{means.at(*extreme, i):.2g}" for extreme in extremes]
        by_update.append([f"{i} update{'s' * (i > 1)}", *cells])
    by_depth = [[f"after {options.updates}", *(f"{depth}L-{depth}L" for depth in options.depths)]]
    for scheme in options.schemes:
        cells = [f"{means.at(scheme, depth, options.updates):.2g}" for depth in options.depths]
        by_depth.append([scheme_name(scheme), *cells])
    text = [markdown_table(by_update), markdown_table(by_depth)]
    if {"deepnorm", "post-ln"} <= set(options.schemes):
        text += [_compare(options, curves, means, depth) for depth in _extreme_depths(options)]
    text.append(
        "Model update: ‖F(x,θ_i) − F(x,θ_0)‖ / ‖F(x,θ_0)‖, x a fixed batch, F the decoder's "
        f"output; {options.seeds_text}."
    )
    if "branchnorm" in options.schemes:
        text.append("BranchNorm's formula is not verified against its paper.")
    return "\n\n".join(text)


def _compare(options: Options, curves: Dict[Case, Curve], means: Means, depth: int) -> str:
    """Return how far a Post-LN of some depth moved, compared with the deepest DeepNorm."""
    deep, updates = max(options.depths), range(1, options.updates + 1)
    mean_ratios, seed_ratios = [], []
    for i in updates:
        mean_ratios.append(_ratio(means.at("post-ln", depth, i), means.at("deepnorm", deep, i)))
        for seed in options.seeds:
            post_ln = curves[Case("post-ln", depth, seed)][i]
            seed_ratios.append(_ratio(post_ln, curves[Case("deepnorm", deep, seed)][i]))
    of_one_seed = ""
    if len(options.seeds) > 1:
        of_one_seed = f"; of any one seed at any update, at least {min(seed_ratios):.2g} times"
    return (
        f"The {depth}L-{depth}L Post-LN moved {min(mean_ratios):.2g} to {max(mean_ratios):.2g} "
        f"times as far as the {deep}L-{deep}L DeepNorm, over updates 1 to {options.updates}"
        f"{of_one_seed}."
    )


def _ratio(post_ln: float, deepnorm: float) -> float:
    return post_ln / deepnorm if deepnorm else math.inf


def _extreme_depths(options: Options) -> List[int]:
    """Return the minimum and the maximum depth, or the only one."""
    return sorted({min(options.depths), max(options.depths)})


def _plot(options: Options, means: Means) -> Figure:
    """Return model updates over depth, and over updates for the extreme depths."""
    figure, (by_depth, by_update) = make_plots(2)
    updates = range(1, options.updates + 1)
    for scheme in options.schemes:
        name, style = scheme_name(scheme), scheme_style(scheme)
        values = [means.at(scheme, depth, options.updates) for depth in options.depths]
        by_depth.plot(options.depths, values, label=name, **style)
        for depth in _extreme_depths(options):
            by_update.plot(
                updates,
                [means.at(scheme, depth, i) for i in updates],
                label=f"{name} {depth}L-{depth}L",
                **style,
                markevery=marker_spacing(options.updates, markers=8),
                markerfacecolor=None if depth == max(options.depths) else "white",
            )
    log_ticks(by_depth, options.depths)
    by_update.set_xscale("log")
    for axes in (by_depth, by_update):
        axes.set_yscale("log")
        axes.legend(frameon=False, fontsize=9)
    title = f"after {options.updates} updates"
    label_axes(by_depth, title, "layers per side", "model update, relative")
    label_axes(by_update, "over the training", "updates", "model update, relative")
    return figure


def _plot_layers(options: Options, rows: Dict[Case, List[Measurement]]) -> Figure:
    """Return gradient, variance and change of each layer of the deepest networks."""
    deep, seed = max(options.depths), options.seeds[0]
    quantities = (
        (names.GRADIENT, 1, "gradient norm, update 1"),
        (names.VARIANCE, 0, "output variance at the start"),
        (names.CHANGE, options.updates, f"change of output, {options.updates} updates"),
    )
    figure, plots = make_plots(len(quantities))
    for axes, (quantity, update, title) in zip(plots, quantities, strict=True):
        for scheme in options.schemes:
            layers, values = [], []
            for m in rows[Case(scheme, deep, seed)]:
                if m.quantity == quantity and m.update == update:
                    layers.append(m.layer + (deep if m.stack == "decoder" else 0))
                    values.append(m.value)
            style = {**scheme_style(scheme), "marker": ""}
            axes.plot(layers, values, label=scheme_name(scheme), **style)
        axes.axvline(deep + 0.5, color="#8a8f96", linewidth=0.8)
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        if high < 10 * low:  # all equal up to rounding
            axes.set_ylim((low * high) ** 0.5 / 10, (low * high) ** 0.5 * 10)
        label_axes(axes, title, f"layer: encoder 1–{deep}, then decoder", "")
    plots[0].legend(frameon=False, fontsize=9)
    return figure


STUDY = Study("how far does the model move in its first updates?", DEFAULTS, plan_runs, report)

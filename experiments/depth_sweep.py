"""Which residual scheme trains at which depth? The same number of updates for all, as in Table 1.

BranchNorm's formula is not verified against its paper, and its schedule has the length of the
config's warm-up (T = 400 of 500 updates by default): most of a run is spent before its branches
have their full weight.
"""

from statistics import fmean
from typing import Dict, List

from matplotlib.figure import Figure

from deepnet_fairseq.evaluation.report.text_table import markdown_table
from deepnet_fairseq.network.schemes import RESIDUALS
from experiments.outcome import (
    DIVERGED,
    Outcome,
    classify,
    format_outcomes,
    require_a_conclusive_run,
    seconds_per_update,
    unigram_nll,
)
from experiments.plot_styles import (
    label_axes,
    make_plots,
    plot_mean_and_range,
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

DEFAULTS = Options(depths=(6, 18, 50, 100), schemes=tuple(RESIDUALS), seeds=(1,), updates=500)
VALIDATIONS = 10  # per training
OUTCOME_COLUMNS = (
    "outcome",
    "reason",
    "validation_nll",
    "shuffled_source_nll_gap",
    "token_variance_ratio",
    "max_model_step",
    "seconds_per_update",
    "seconds",
    "peak_gib",
)


def plan_runs(plan: Plan) -> List[Run]:
    """Return one training per case, with the config's learning rate."""
    options, (_, warmup) = plan.options, plan.learning_rate()
    interval = max(1, options.updates // VALIDATIONS)
    flags = {"save-interval-updates": interval, "stability-interval": interval}
    runs = []
    for case in options.cases:
        all_flags = {**flags, **case_flags(case, options.updates, warmup)}
        runs.append(Run(case.name, all_flags, case.depth * options.updates))
    return runs


def report(plan: Plan, results: Results) -> Report:
    """Return sweep.md, sweep.csv, curves.csv and sweep.png.

    Raises:
        DataError: all runs failed.
    """
    options, frequency_nll = plan.options, unigram_nll(plan.recipe)
    outcomes: Dict[Case, Outcome] = {}
    for case in options.cases:
        outcomes[case] = classify(results[case.name], options.updates, frequency_nll)
    failed = require_a_conclusive_run({c.name: o for c, o in outcomes.items()}, plan.folder)
    rows, curves = [], []
    for case, outcome in outcomes.items():
        rows.append([*case, *_outcome_cells(outcome, results, case)])
        curves += [(*case, update, nll) for update, nll in outcome.curve.items()]
    text = [
        _nll_table(options, outcomes),
        _notes(plan, frequency_nll),
        *_list_reasons(outcomes, failed),
        _cost_table(options, results),
    ]
    return Report(
        "sweep",
        "\n\n".join(text),
        {
            "sweep.csv": Table((*CASE_COLUMNS, *OUTCOME_COLUMNS), rows),
            "curves.csv": Table((*CASE_COLUMNS, "update", "validation_nll"), curves),
        },
        {"sweep.png": _plot(options, outcomes, frequency_nll)},
    )


def _outcome_cells(outcome: Outcome, results: Results, case: Case) -> List[str]:
    result = results[case.name]
    numbers = (
        outcome.nll,
        outcome.shuffled_source_nll_gap,
        outcome.token_variance_ratio,
        outcome.max_model_step,
        seconds_per_update(result),
        result.seconds,
        result.peak_memory,
    )
    return [outcome.kind, outcome.reason, *(f"{number:.4g}" for number in numbers)]


def _nll_table(options: Options, outcomes: Dict[Case, Outcome]) -> str:
    rows = [["", *(f"{depth}L-{depth}L" for depth in options.depths)]]
    for scheme in options.schemes:
        row = [scheme_name(scheme)]
        for depth in options.depths:
            seeds = [outcomes[Case(scheme, depth, seed)] for seed in options.seeds]
            row.append(format_outcomes(seeds))
        rows.append(row)
    return markdown_table(rows)


def _notes(plan: Plan, frequency_nll: float) -> str:
    options = plan.options
    notes = (
        f"Validation NLL in bits per token after {options.updates} updates, {options.seeds_text}; "
        f"word frequencies alone: {frequency_nll:.2f}. D: diverged, that is, not finite, no better "
        "than word frequencies, or far above its own minimum; F: the run failed, which tells "
        "nothing about the model. *: the model does not use the source, so this is a language "
        "model's loss."
    )
    if "branchnorm" in options.schemes:
        _, warmup = plan.learning_rate()
        notes += (
            f" BranchNorm's formula is not verified against its paper; its schedule is T = {warmup}"
            f" of {options.updates} updates."
        )
    return notes


def _list_reasons(outcomes: Dict[Case, Outcome], failed: List[str]) -> List[str]:
    """Return the lists of runs that diverged and failed, as far as there are any."""
    diverged = []
    for case, outcome in outcomes.items():
        if outcome.kind == DIVERGED:
            diverged.append(f"{case.name}: {outcome.reason}, ended at {outcome.nll:.2f}")
    lists = []
    for title, lines in (("Diverged:", diverged), ("Failed:", failed)):
        if lines:
            lists.append("\n".join([title, "", *(f"- {line}" for line in lines)]))
    return lists


def _cost_table(options: Options, results: Results) -> str:
    """Return time and memory per depth, the mean over schemes and seeds."""
    rows = [["", "seconds per update", "GiB of memory"]]
    for depth in options.depths:
        at_depth = [results[case.name] for case in options.cases if case.depth == depth]
        seconds = [s for s in map(seconds_per_update, at_depth) if s == s]
        mean_seconds = f"{fmean(seconds):.2g}" if seconds else ""
        memory = fmean(result.peak_memory for result in at_depth)
        rows.append([f"{depth}L-{depth}L", mean_seconds, f"{memory:.2f}"])
    return markdown_table(rows)


def _plot(options: Options, outcomes: Dict[Case, Outcome], frequency_nll: float) -> Figure:
    """Return validation curves: a plot per depth, a line per scheme, mean and range over seeds."""
    figure, plots = make_plots(len(options.depths), columns=min(2, len(options.depths)))
    for axes, depth in zip(plots, options.depths, strict=False):  # the last plot may stay empty
        for scheme in options.schemes:
            curves = [outcomes[Case(scheme, depth, seed)].curve for seed in options.seeds]
            plot_mean_and_range(axes, curves, scheme_name(scheme), scheme_style(scheme))
        axes.axhline(frequency_nll, color="#8a8f96", linewidth=0.8)
        axes.annotate(
            "word frequencies",
            (0.99, frequency_nll - 0.1),
            xycoords=axes.get_yaxis_transform(),  # x from 0 to 1 over the plot
            ha="right",
            va="top",
            fontsize=8,
            color="#555b63",
        )
        label_axes(axes, f"{depth}L-{depth}L", "updates", "validation NLL (bits per token)")
        axes.set_ylim(0, frequency_nll * 1.6)
    plots[0].legend(frameon=False, fontsize=8, ncols=2)
    return figure


STUDY = Study("which residual scheme trains at which depth?", DEFAULTS, plan_runs, report)

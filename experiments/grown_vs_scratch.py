"""Is a deep model better grown from a shallow one than trained from scratch, at equal compute?

Compute is layers times updates, to which time is proportional at one width. The shallow model gets
a third of the budget and the deep model grown from it the rest; the deep model from scratch gets
all of it.
"""

from pathlib import Path
from typing import Any, Dict, List, Tuple

from fairseq.options import get_training_parser
from matplotlib.figure import Figure

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.errors import DataError, UsageError
from deepnet_fairseq.evaluation.report.text_table import markdown_table
from deepnet_fairseq.training.grow_from import grow_checkpoint
from experiments.outcome import Outcome, classify, unigram_nll
from experiments.plot_styles import label_axes, line_style, make_plots, marker_spacing, scheme_name
from experiments.runs import Run, RunResult, training_command
from experiments.study import Case, Options, Plan, Report, Results, Study, Table, case_flags

# updates: of the deep model from scratch
DEFAULTS = Options(depths=(6, 18), schemes=("deepnorm",), seeds=(1, 2, 3), updates=400)
VALIDATIONS = 20  # per training
SHALLOW_SHARE = 3  # the shallow model gets 1/3 of the compute
KEEP_CHECKPOINTS = {"no-save": None, "no-epoch-checkpoints": True, "keep-interval-updates": 1}
WAYS = ("shallow", "grown", "scratch")

Key = Tuple[str, int, str]  # scheme, seed, way
Point = Tuple[int, float]  # layers times updates so far, validation NLL


class Budget:
    """Depths and updates of the three models.

    Raises:
        UsageError: the options do not have two depths, one a multiple of the other.
    """

    def __init__(self, options: Options) -> None:
        if len(options.depths) != 2 or options.depths[1] % options.depths[0]:
            raise UsageError(
                f"--depths {' '.join(map(str, options.depths))}: give two, the second a multiple "
                "of the first"
            )
        self.shallow, self.deep = options.depths
        share = options.updates / SHALLOW_SHARE
        self.shallow_updates = round(share * self.deep / self.shallow)
        self.grown_updates = round(options.updates * (1 - 1 / SHALLOW_SHARE))


def plan_runs(plan: Plan) -> List[Run]:
    """Return the shallow models, which save checkpoints, and the deep ones from scratch.

    Raises:
        UsageError: the depths do not fit.
    """
    budget = Budget(plan.options)
    runs = []
    for deep in _deep_cases(plan.options):
        shallow = deep._replace(depth=budget.shallow)
        runs.append(_make_run(plan, shallow, budget.shallow_updates, KEEP_CHECKPOINTS))
        runs.append(_make_run(plan, deep, plan.options.updates, {}))
    return runs


def plan_grown_runs(plan: Plan, results: Results) -> List[Run]:
    """Return the deep models that start from the shallow ones.

    Raises:
        DataError: a shallow model has not completed its updates, or cannot grow.
    """
    budget, frequency_nll = Budget(plan.options), unigram_nll(plan.recipe)
    runs = []
    for deep in _deep_cases(plan.options):
        shallow = results[deep._replace(depth=budget.shallow).name]
        outcome = classify(shallow, budget.shallow_updates, frequency_nll)
        _require_completion(shallow, outcome, budget.shallow_updates)
        grown = Path(shallow.folder) / "grown.pt"
        flags: Dict[str, Any] = {"finetune-from-model": str(grown)}
        if deep.scheme == "branchnorm":
            flags["branchnorm-updates"] = 1
        run = _make_run(plan, deep, budget.grown_updates, flags, "_grown")
        _grow(plan, run, Path(shallow.folder) / "checkpoint_last.pt", grown)
        runs.append(run)
    return runs


def _grow(plan: Plan, run: Run, trained: Path, grown: Path) -> None:
    """Write the checkpoint that a run starts from."""
    command = training_command(plan.recipe, run, plan.folder / run.name, plan.extra)
    try:
        grow_checkpoint(trained, parse_flags(get_training_parser(), command[1:]), grown)
    except ValueError as error:
        raise DataError(str(error)) from error


def report(plan: Plan, results: Results) -> Report:
    """Return growing.md, .csv and .png.

    Raises:
        DataError: a training has not completed its updates.
    """
    curves = _read_curves(plan, results)
    rows = []
    for key, points in curves.items():
        rows += [(*key, *point) for point in points]
    columns = ("scheme", "seed", "way", "layers_times_updates", "validation_nll")
    return Report(
        "growing",
        _describe(plan.options, curves),
        {"growing.csv": Table(columns, rows)},
        {"growing.png": _plot(plan.options, curves)},
    )


def _read_curves(plan: Plan, results: Results) -> Dict[Key, List[Point]]:
    budget, frequency_nll = Budget(plan.options), unigram_nll(plan.recipe)
    spent = budget.shallow * budget.shallow_updates  # before the grown model starts
    curves: Dict[Key, List[Point]] = {}
    for deep in _deep_cases(plan.options):
        shallow = deep._replace(depth=budget.shallow)
        runs = {
            "shallow": (shallow.name, shallow.depth, budget.shallow_updates, 0),
            "grown": (f"{deep.name}_grown", deep.depth, budget.grown_updates, spent),
            "scratch": (deep.name, deep.depth, plan.options.updates, 0),
        }
        for way, (name, depth, updates, start) in runs.items():
            outcome = classify(results[name], updates, frequency_nll)
            _require_completion(results[name], outcome, updates)
            curves[deep.scheme, deep.seed, way] = [
                (start + depth * update, nll) for update, nll in outcome.curve.items()
            ]
    return curves


def _make_run(
    plan: Plan, case: Case, updates: int, further: Dict[str, Any], suffix: str = ""
) -> Run:
    _, warmup = plan.learning_rate()
    flags = {
        "save-interval-updates": max(1, updates // VALIDATIONS),
        **case_flags(case, updates, warmup),
        **further,
    }
    return Run(case.name + suffix, flags, case.depth * updates)


def _deep_cases(options: Options) -> List[Case]:
    deep = Budget(options).deep
    return [case for case in options.cases if case.depth == deep]


def _require_completion(result: RunResult, outcome: Outcome, updates: int) -> None:
    if result.status or max(outcome.curve, default=0) < updates:
        raise DataError(f"{result.folder}: {outcome.reason}; see its output.log")


def _describe(options: Options, curves: Dict[Key, List[Point]]) -> str:
    """Return the table of the final losses, a column per seed."""
    budget = Budget(options)
    titles = {
        "shallow": f"{budget.shallow}L-{budget.shallow}L, with 1/{SHALLOW_SHARE} of it",
        "grown": f"grown from {budget.shallow}L-{budget.shallow}L",
        "scratch": f"{budget.deep}L-{budget.deep}L from scratch",
    }
    seeds = [f"seed {seed}" for seed in options.seeds]
    rows = [["", "validation NLL at the end of the budget", *seeds]]
    starts = []
    for scheme in options.schemes:
        name = scheme_name(scheme) if len(options.schemes) > 1 else ""
        for way in WAYS:
            final = [f"{curves[scheme, seed, way][-1][1]:.2f}" for seed in options.seeds]
            rows.append([name, titles[way], *final])
            starts += final if way == "shallow" else []
    return (
        f"{markdown_table(rows)}\n\nCompute: that of {options.updates} updates of the "
        f"{budget.deep}L-{budget.deep}L model; the grown models start at {', '.join(starts)}."
    )


def _plot(options: Options, curves: Dict[Key, List[Point]]) -> Figure:
    """Return a plot per scheme: loss over compute, for each way and seed."""
    budget = Budget(options)
    figure, plots = make_plots(len(options.schemes), columns=min(2, len(options.schemes)))
    titles = {
        "scratch": f"{budget.deep}L-{budget.deep}L from scratch",
        "shallow": f"{budget.shallow}L-{budget.shallow}L",
        "grown": f"{budget.deep}L-{budget.deep}L grown from it",
    }
    for axes, scheme in zip(plots, options.schemes, strict=False):  # the last plot may stay empty
        for number, (way, title) in enumerate(titles.items()):
            for seed in options.seeds:
                points = curves[scheme, seed, way]
                style = {**line_style(number), "markevery": marker_spacing(len(points))}
                label = title if seed == options.seeds[0] else None
                axes.plot([p[0] for p in points], [p[1] for p in points], label=label, **style)
        label_axes(
            axes,
            scheme_name(scheme),
            "compute (layers per side × updates)",
            "validation NLL (bits per token)",
        )
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=9)
    return figure


STUDY = Study(
    "is a deep model better grown than trained from scratch?",
    DEFAULTS,
    plan_runs,
    report,
    plan_grown_runs,
)

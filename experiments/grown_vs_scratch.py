"""Is a deep model better grown from a shallow one or trained from scratch? Validation loss against compute.

Compute is counted in layers times updates, which is what time is proportional to at one width. The shallow model takes a third of the
budget, the deep one that grows from it the rest; the deep one from scratch takes all of it.
"""

from pathlib import Path
from typing import Any, Dict, List, Tuple

from fairseq.options import get_training_parser
from matplotlib.figure import Figure

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.errors import DataError, UsageError
from deepnet_fairseq.evaluation.report.figures import write_png
from deepnet_fairseq.evaluation.report.text_table import markdown_table
from deepnet_fairseq.io import write_text
from deepnet_fairseq.training.grow_from import grow_checkpoint
from experiments.study import Case, Options, Plan, Study, case_name, network
from experiments.styles import NAMES, dress, panels, style
from experiments.tables import write_csv
from experiments.trials import Outcome, Trial, command_of
from experiments.verdict import Verdict, judge, unigram_nll

# updates: of the deepest model from scratch
DEFAULTS = Options(depths=(6, 18), schemes=("deepnorm",), seeds=(1, 2, 3), updates=400)
VALIDATIONS = 20  # over a training
SHALLOW_SHARE = 3  # the shallow model has one in so many parts of the compute
KEPT = {"no-save": None, "no-epoch-checkpoints": True, "keep-interval-updates": 1}

Key = Tuple[str, int, str]  # scheme, seed, "shallow", "grown" or "scratch"
Point = Tuple[int, float]  # layers times updates so far, validation nll


def trials(plan: Plan) -> List[Trial]:
    """The shallow models, whose checkpoints are kept, and the deep ones from scratch. Raises UsageError for depths that do not fit."""
    shallow, deep = _ends(plan.options)
    wanted = []
    for case in _cases(plan.options):
        for depth, updates, kept in (
            (shallow, _shallow_updates(plan.options), KEPT),
            (deep, plan.options.updates, {}),
        ):
            wanted.append(_trial(plan, (case[0], depth, case[2]), updates, kept))
    return wanted


def grown_trials(plan: Plan, outcomes: Dict[str, Outcome], folder: Path) -> List[Trial]:
    """The deep models that go on from the shallow ones. Raises DataError for a shallow one that did not get to its end or cannot grow."""
    shallow, _ = _ends(plan.options)
    frequencies, updates = unigram_nll(plan.recipe), _shallow_updates(plan.options)
    wanted = []
    for case in _cases(plan.options):
        source = outcomes[case_name((case[0], shallow, case[2]))]
        _require_end(source, judge(source, updates, frequencies), updates)
        grown = Path(source.folder) / "grown.pt"
        flags = {
            "finetune-from-model": str(grown),
            **({"branchnorm-updates": 1} if case[0] == "branchnorm" else {}),
        }
        trial = _trial(plan, case, _grown_updates(plan.options), flags, "_grown")
        words = command_of(plan.recipe, trial, folder / trial.name, plan.extra)
        try:
            grow_checkpoint(
                Path(source.folder) / "checkpoint_last.pt",
                parse_flags(get_training_parser(), words[1:]),
                grown,
            )
        except ValueError as error:
            raise DataError(str(error)) from error
        wanted.append(trial)
    return wanted


def write(plan: Plan, outcomes: Dict[str, Outcome], folder: Path) -> str:
    """Write growing.csv, .png and .md; return the table. Raises DataError if a training did not get to its end."""
    options, frequencies = plan.options, unigram_nll(plan.recipe)
    (shallow, deep), first = _ends(options), _shallow_updates(options)
    curves: Dict[Key, List[Point]] = {}
    for scheme, _, seed in _cases(options):
        runs = {
            "shallow": (case_name((scheme, shallow, seed)), shallow, first, 0),
            "grown": (
                case_name((scheme, deep, seed)) + "_grown",
                deep,
                _grown_updates(options),
                shallow * first,
            ),
            "scratch": (case_name((scheme, deep, seed)), deep, options.updates, 0),
        }
        for way, (name, depth, updates, spent) in runs.items():
            verdict = judge(outcomes[name], updates, frequencies)
            _require_end(outcomes[name], verdict, updates)
            curves[scheme, seed, way] = [
                (spent + depth * update, nll) for update, nll in verdict.curve.items()
            ]
    rows = [
        (scheme, seed, way, *point)
        for (scheme, seed, way), points in curves.items()
        for point in points
    ]
    write_csv(
        folder / "growing.csv",
        ("scheme", "seed", "way", "layers_times_updates", "validation_nll"),
        rows,
    )
    write_png(draw(options, curves), folder / "growing.png")
    text = describe(options, curves)
    write_text(folder / "growing.md", text + "\n")
    return text


def _trial(
    plan: Plan, case: Case, updates: int, further: Dict[str, Any], suffix: str = ""
) -> Trial:
    _, warmup = plan.learning_rate()
    flags = {
        "save-interval-updates": max(1, updates // VALIDATIONS),
        **network(case, updates, warmup),
        **further,
    }
    return Trial(case_name(case) + suffix, flags, case[1] * updates)


def _cases(options: Options) -> List[Case]:
    """Every scheme and seed, at the depth of the deep model."""
    return [
        (scheme, _ends(options)[1], seed) for scheme in options.schemes for seed in options.seeds
    ]


def _ends(options: Options) -> Tuple[int, int]:
    """The least and the greatest depth. Raises UsageError unless these are two depths, one a multiple of the other."""
    if len(options.depths) != 2 or options.depths[1] % options.depths[0]:
        raise UsageError(
            f"--depths {' '.join(map(str, options.depths))}: give two, the second a multiple of the first"
        )
    return options.depths[0], options.depths[1]


def _shallow_updates(options: Options) -> int:
    """The updates of the shallow model that are its share of the compute."""
    shallow, deep = _ends(options)
    return round(options.updates / SHALLOW_SHARE * deep / shallow)


def _grown_updates(options: Options) -> int:
    """The updates of the deep model that are left."""
    return round(options.updates * (1 - 1 / SHALLOW_SHARE))


def _require_end(outcome: Outcome, verdict: Verdict, updates: int) -> None:
    if outcome.status or max(verdict.curve, default=0) < updates:
        raise DataError(f"{outcome.folder}: {verdict.reason}; see its output.log")


def describe(options: Options, curves: Dict[Key, List[Point]]) -> str:
    """The loss at the end of either way, seed by seed."""
    shallow, deep = _ends(options)
    titles = {
        "shallow": f"{shallow}L-{shallow}L, with 1/{SHALLOW_SHARE} of it",
        "grown": f"grown from {shallow}L-{shallow}L",
        "scratch": f"{deep}L-{deep}L from scratch",
    }
    rows = [
        [
            NAMES[scheme] if len(options.schemes) > 1 else "",
            titles[way],
            *(f"{curves[scheme, seed, way][-1][1]:.2f}" for seed in options.seeds),
        ]
        for scheme in options.schemes
        for way in ("shallow", "grown", "scratch")
    ]
    header = [
        "",
        "validation nll at the end of the budget",
        *(f"seed {seed}" for seed in options.seeds),
    ]
    start = ", ".join(
        f"{curves[s, seed, 'shallow'][-1][1]:.2f}"
        for s in options.schemes
        for seed in options.seeds
    )
    budget = f"{options.updates} updates of the {deep}L-{deep}L model"
    return f"{markdown_table([header, *rows])}\n\nCompute: that of {budget}; the grown ones begin at {start}."


def draw(options: Options, curves: Dict[Key, List[Point]]) -> Figure:
    """A plot per scheme: loss over compute, the two ways, every seed."""
    shallow, deep = _ends(options)
    figure, plots = panels(len(options.schemes), columns=min(2, len(options.schemes)))
    titles = {
        "scratch": f"{deep}L-{deep}L from scratch",
        "shallow": f"{shallow}L-{shallow}L",
        "grown": f"{deep}L-{deep}L grown from it",
    }
    for axes, scheme in zip(
        plots, options.schemes, strict=False
    ):  # of the plots the last may be left over
        for number, (way, title) in enumerate(titles.items()):
            for seed in options.seeds:
                points = curves[scheme, seed, way]
                line = {**style(number), "markevery": max(1, len(points) // 6)}
                axes.plot(
                    [p[0] for p in points],
                    [p[1] for p in points],
                    label=title if seed == options.seeds[0] else None,
                    **line,
                )
        dress(
            axes,
            NAMES[scheme],
            "compute (layers per side × updates)",
            "validation nll (bits per token)",
        )
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=9)
    return figure


STUDY = Study(
    "is a deep model better grown than trained from scratch?", DEFAULTS, trials, write, grown_trials
)

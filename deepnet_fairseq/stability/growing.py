"""Is a deep model better grown from a shallow one or trained from scratch? Validation loss against compute.

Compute is counted in layers times updates, which is what time is proportional to at one width. The shallow model takes a third of the
budget, the deep one that grows from it the rest; the deep one from scratch takes all of it.
"""

from pathlib import Path
from typing import Dict, List, Tuple

from fairseq.options import get_training_parser
from matplotlib.figure import Figure

from deepnet_fairseq.data.layout import DataError
from deepnet_fairseq.evaluation.reporting.figures import write_png
from deepnet_fairseq.flags import parse_flags
from deepnet_fairseq.recipe import Recipe
from deepnet_fairseq.stability.study import Options, Study, case_name, network
from deepnet_fairseq.stability.styles import NAMES, dress, panels, style
from deepnet_fairseq.stability.tables import markdown, write_csv, write_text
from deepnet_fairseq.stability.trials import Outcome, Trial, command_of
from deepnet_fairseq.stability.verdict import Verdict, judge, unigram_nll
from deepnet_fairseq.training.growing import GrowthError, grow_checkpoint

# updates: of the deepest model from scratch
DEFAULTS = Options(depths=(6, 18), schemes=("deepnorm",), seeds=(1, 2, 3), updates=400)
VALIDATIONS = 20  # over a training
SHARE = 1 / 3  # of the compute, for the shallow model
KEPT = {"no-save": None, "no-epoch-checkpoints": True}

Key = Tuple[str, int, str]  # scheme, seed, "shallow", "grown" or "scratch"
Point = Tuple[int, float]  # layers times updates so far, validation nll


def trials(recipe: Recipe, options: Options) -> List[Trial]:
    """The shallow models, whose checkpoints are kept, and the deep ones from scratch."""
    shallow, deep = ends(options)
    wanted: List[Trial] = []
    for scheme in options.schemes:
        for seed in options.seeds:
            for depth, updates, kept in ((shallow, shallow_updates(options), KEPT), (deep, options.updates, {})):
                flags = {**_validating(updates), **kept, **network((scheme, depth, seed), updates)}
                wanted.append(Trial(case_name((scheme, depth, seed)), flags, depth * updates))
    return wanted


def grown_trials(recipe: Recipe, options: Options, folder: Path) -> List[Trial]:
    """The deep models that go on from the shallow ones, with the checkpoints they start from. Raises DataError if one cannot grow."""
    shallow, deep = ends(options)
    updates = round(options.updates * (1 - SHARE))
    wanted = []
    for scheme in options.schemes:
        for seed in options.seeds:
            source, name = folder / case_name((scheme, shallow, seed)), f"{case_name((scheme, deep, seed))}_grown"
            flags = {**_validating(updates), **network((scheme, deep, seed), updates)}
            command = command_of(recipe, Trial(name, flags), folder / name)
            try:
                grow_checkpoint(source / "checkpoint_last.pt", parse_flags(get_training_parser(), command[1:]), source / "grown.pt")
            except GrowthError as error:
                raise DataError(str(error)) from error
            wanted.append(Trial(name, {**flags, "finetune-from-model": str(source / "grown.pt")}, deep * updates))
    return wanted


def ends(options: Options) -> Tuple[int, int]:
    """The least and the greatest depth. Raises DataError unless these are two depths, one a multiple of the other."""
    if len(options.depths) != 2 or options.depths[1] % options.depths[0]:
        raise DataError(f"--depths {' '.join(map(str, options.depths))}: give two, the second a multiple of the first")
    return options.depths[0], options.depths[1]


def shallow_updates(options: Options) -> int:
    """The updates of the shallow model that are its share of the compute."""
    shallow, deep = ends(options)
    return round(options.updates * SHARE * deep / shallow)


def _validating(updates: int) -> Dict[str, int]:
    return {"save-interval-updates": max(1, updates // VALIDATIONS)}


def write(recipe: Recipe, options: Options, outcomes: Dict[str, Outcome], folder: Path) -> str:
    """Write growing.csv, .png and .md; return the table. Raises DataError if a training did not get to its end."""
    shallow, deep = ends(options)
    frequencies = unigram_nll(recipe)
    curves: Dict[Key, List[Point]] = {}
    for scheme in options.schemes:
        for seed in options.seeds:
            runs = {
                "shallow": (case_name((scheme, shallow, seed)), shallow, shallow_updates(options), 0),
                "scratch": (case_name((scheme, deep, seed)), deep, options.updates, 0),
                "grown": (
                    f"{case_name((scheme, deep, seed))}_grown",
                    deep,
                    round(options.updates * (1 - SHARE)),
                    shallow * shallow_updates(options),
                ),
            }
            for way, (name, depth, updates, spent) in runs.items():
                verdict: Verdict = judge(outcomes[name], updates, frequencies)
                if max(verdict.curve, default=0) < updates:
                    raise DataError(f"{outcomes[name].folder}: {verdict.reason}")
                curves[scheme, seed, way] = [(spent + depth * update, nll) for update, nll in verdict.curve.items()]
    rows = [(scheme, seed, way, *point) for (scheme, seed, way), points in curves.items() for point in points]
    write_csv(folder / "growing.csv", ("scheme", "seed", "way", "layers_times_updates", "validation_nll"), rows)
    write_png(draw(options, curves), folder / "growing.png")
    text = describe(options, curves)
    write_text(folder / "growing.md", text)
    return text


def describe(options: Options, curves: Dict[Key, List[Point]]) -> str:
    """The loss at the end of either way, seed by seed."""
    shallow, deep = ends(options)
    titles = {
        "shallow": f"{shallow}L-{shallow}L, a third of it",
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
    header = ["", "validation nll at equal compute", *(f"seed {seed}" for seed in options.seeds)]
    start = ", ".join(f"{curves[s, seed, 'shallow'][-1][1]:.2f}" for s in options.schemes for seed in options.seeds)
    budget = f"{options.updates} updates of the {deep}L-{deep}L model"
    return f"{markdown(header, rows)}\n\nCompute: that of {budget}; the grown ones begin at {start}."


def draw(options: Options, curves: Dict[Key, List[Point]]) -> Figure:
    """A plot per scheme: loss over compute, the two ways, every seed."""
    shallow, deep = ends(options)
    figure, plots = panels(len(options.schemes), columns=min(2, len(options.schemes)))
    titles = {"scratch": f"{deep}L-{deep}L from scratch", "shallow": f"{shallow}L-{shallow}L", "grown": f"{deep}L-{deep}L grown from it"}
    for axes, scheme in zip(plots, options.schemes, strict=False):  # of the plots the last may be left over
        for number, (way, title) in enumerate(titles.items()):
            for seed in options.seeds:
                points = curves[scheme, seed, way]
                line = {**style(number), "markevery": max(1, len(points) // 6)}
                axes.plot([p[0] for p in points], [p[1] for p in points], label=title if seed == options.seeds[0] else None, **line)
        dress(axes, NAMES[scheme], "compute (layers per side × updates)", "validation nll (bits per token)")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=9)
    return figure


STUDY = Study("is a deep model better grown than trained from scratch?", DEFAULTS, trials, write, grown_trials)

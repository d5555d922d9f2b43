"""What makes a deep DeepNorm fail with small batches, and what prevents it: one setting changed at a time from a training that fails.

Others report 100L-100L to diverge at 8 × 4096 tokens with lr 1e-3, and BLEU to fall to 0 after 10 to 30 thousand updates at 35L-35L
(github microsoft/unilm, issue 663). Here the network is small, the batches are 500 tokens and the learning rate is what such a network
no longer bears.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from matplotlib.figure import Figure

from deepnet_fairseq.data.layout import DataError
from deepnet_fairseq.evaluation.reporting.figures import write_png
from deepnet_fairseq.recipe import Recipe
from deepnet_fairseq.stability.study import Case, Options, Study, network
from deepnet_fairseq.stability.styles import draw_band, dress, panels, style
from deepnet_fairseq.stability.tables import markdown, write_csv, write_text
from deepnet_fairseq.stability.trials import Outcome, Trial
from deepnet_fairseq.stability.verdict import FAILED, LEARNS, Verdict, judge, unigram_nll

DEFAULTS = Options(depths=(35,), schemes=("deepnorm",), seeds=(1, 2, 3), updates=400)
VALIDATIONS = 16  # over a training
LEARNING_RATE = 1e-2


class Variant(NamedTuple):
    """What differs from the training that fails."""

    title: str
    group: str  # of the plot it stands in
    flags: Dict[str, Any]


VARIANTS: Dict[str, Variant] = {
    "base": Variant(f"lr {LEARNING_RATE:g}, warm-up 100, 500 tokens", "", {}),
    "lr-half": Variant("lr / 2", "learning rate", {"lr": LEARNING_RATE / 2}),
    "lr-quarter": Variant("lr / 4", "learning rate", {"lr": LEARNING_RATE / 4}),
    "lr-tenth": Variant("lr / 10", "learning rate", {"lr": LEARNING_RATE / 10}),
    "warmup-400": Variant("warm-up 400", "learning rate", {"warmup-updates": 400}),
    "tokens-2000": Variant("2,000 tokens per update", "Adam and the batch", {"update-freq": 4}),
    "beta2-0.999": Variant("Adam β₂ 0.999", "Adam and the batch", {"adam-betas": "(0.9, 0.999)"}),
    "beta2-0.9": Variant("Adam β₂ 0.9", "Adam and the batch", {"adam-betas": "(0.9, 0.9)"}),
    "no-clipping": Variant("no clipping (clip 0)", "Adam and the batch", {"clip-norm": 0.0}),
    "clip-0.1": Variant("clip 0.1", "Adam and the batch", {"clip-norm": 0.1}),
    "gain-torchscale": Variant("torchscale's encoder gain", "the model", {"deepnorm-encoder-gain": "torchscale"}),
    "embedding-unscaled": Variant("embeddings not scaled", "the model", {"no-scale-embedding": True}),
    "embedding-layernorm": Variant("LayerNorm on embeddings", "the model", {"layernorm-embedding": True}),
    "no-smoothing": Variant("no label smoothing", "the model", {"label-smoothing": 0.0}),
    "bf16": Variant("bf16", "the model", {"bf16": True}),
}


def trials(recipe: Recipe, options: Options) -> List[Trial]:
    """One training per variant, depth, scheme and seed."""
    every = max(1, options.updates // VALIDATIONS)
    shared = {"lr": LEARNING_RATE, "save-interval-updates": every, "stability-interval": every}
    return [
        Trial(
            _name(name, case),
            {**shared, **network(case, options.updates), **variant.flags},
            case[1] * options.updates * variant.flags.get("update-freq", 1),
        )
        for case in _cases(options)
        for name, variant in VARIANTS.items()
    ]


def write(recipe: Recipe, options: Options, outcomes: Dict[str, Outcome], folder: Path) -> str:
    """Write small_batches.csv, curves.csv, .png and .md; return the table. Raises DataError if every single run failed."""
    frequencies = unigram_nll(recipe)
    verdicts = {
        (name, case): judge(outcomes[_name(name, case)], options.updates, frequencies) for case in _cases(options) for name in VARIANTS
    }
    failed = [f"{_name(*key)}: {v.reason}" for key, v in verdicts.items() if v.kind == FAILED]
    if len(failed) == len(verdicts):
        raise DataError(f"{folder}: all runs failed; the first: {failed[0]}")
    header = (
        "variant",
        "scheme",
        "layers_per_side",
        "seed",
        "verdict",
        "reason",
        "validation_nll",
        "source_gap",
        "largest_step",
        "seconds",
    )
    rows, curves = [], []
    for (name, case), v in verdicts.items():
        outcome = outcomes[_name(name, case)]
        rows.append(
            (name, *case, v.kind, v.reason, f"{v.nll:.3f}", f"{v.source_gap:.3f}", f"{v.largest_step:.3g}", f"{outcome.seconds:.0f}")
        )
        curves += [(name, *case, update, nll) for update, nll in v.curve.items()]
    write_csv(folder / "small_batches.csv", header, rows)
    write_csv(folder / "curves.csv", (*header[:4], "update", "validation_nll"), curves)
    write_png(draw(options, verdicts, frequencies), folder / "small_batches.png")
    text = describe(options, verdicts, frequencies)
    write_text(folder / "small_batches.md", "\n\n".join([text, *failed]))
    return text


def describe(options: Options, verdicts: Dict[Any, Verdict], frequencies: float) -> str:
    """A table per scheme and depth: each variant's losses, seed by seed, and what the source is worth at the end."""
    parts = []
    for scheme in options.schemes:
        for depth in options.depths:
            rows = []
            for name, variant in VARIANTS.items():
                found = [verdicts[name, (scheme, depth, seed)] for seed in options.seeds]
                rows.append([
                    variant.title,
                    " ".join(f"{v.nll:.2f}" for v in found),
                    " ".join(f"{v.source_gap:.2f}" for v in found),
                    " ".join(f"{v.largest_step:.2f}" for v in found),
                    f"{sum(v.kind == LEARNS for v in found)} of {len(found)}",
                ])  # fmt: skip
            header = [f"{scheme} {depth}L-{depth}L", "nll", "source worth", "largest step", "learn"]
            parts.append(markdown(header, rows))
    seeds = ", ".join(map(str, options.seeds))
    notes = (
        f"Validation nll in bits per token after {options.updates} updates, seeds {seeds}; word frequencies alone: {frequencies:.2f}. Source "
        "worth: bits per token that are lost with another sentence's source. Largest step: of the measured single updates, how much of the "
        "output's size it changed. Each line differs from the first in what it names."
    )
    return "\n\n".join([*parts, notes])


def draw(options: Options, verdicts: Dict[Any, Verdict], frequencies: float) -> Figure:
    """Validation curves in a plot per group of variants, the failing training in each; mean over seeds and their range."""
    groups = list(dict.fromkeys(variant.group for variant in VARIANTS.values() if variant.group))
    cases = [(scheme, depth) for scheme in options.schemes for depth in options.depths]
    figure, plots = panels(len(groups) * len(cases), columns=len(groups))
    for axes, (case, group) in zip(plots, ((case, group) for case in cases for group in groups), strict=True):
        chosen = [name for name, variant in VARIANTS.items() if variant.group in ("", group)]
        for number, name in enumerate(chosen):
            curves = [verdicts[name, (*case, seed)].curve for seed in options.seeds]
            look = {**style(number), "color": "#000000"} if name == "base" else style(number)
            draw_band(axes, curves, VARIANTS[name].title, look)
        axes.axhline(frequencies, color="#8a8f96", linewidth=0.8)
        dress(axes, f"{group}, {case[1]}L-{case[1]}L", "updates", "validation nll (bits per token)")
        axes.set_ylim(0, frequencies * 1.8)
        axes.legend(frameon=False, fontsize=8)
    return figure


def _cases(options: Options) -> List[Case]:
    return [(scheme, depth, seed) for scheme in options.schemes for depth in options.depths for seed in options.seeds]


def _name(variant: str, case: Case) -> str:
    scheme, depth, seed = case
    return f"{variant}_{scheme}_{depth}l_seed{seed}"


STUDY = Study("what makes a deep model fail with small batches, and what prevents it?", DEFAULTS, trials, write)

"""What makes a deep DeepNorm model ignore its source when trained with small batches, and what prevents it: one setting changed at a time.

Others report that 100L-100L diverges at 8 × 4096 tokens with lr 1e-3, and that BLEU falls to 0 after 10 to 30 thousand updates at 35L-35L
(github microsoft/unilm, issue 663). Here the network and its batches are small, and the training that all others are compared with has a
warm-up too short for its learning rate.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

from matplotlib.figure import Figure

from deepnet_fairseq.config.flags import is_given
from deepnet_fairseq.errors import DataError, UsageError
from deepnet_fairseq.evaluation.report.figures import write_png
from deepnet_fairseq.evaluation.report.text_table import markdown_table
from deepnet_fairseq.io import write_text
from deepnet_fairseq.training.diagnostics import measurements as names
from experiments.study import Case, Options, Plan, Study, case_name, cases, network
from experiments.styles import draw_band, dress, panels, style
from experiments.tables import write_csv
from experiments.trials import Outcome, Trial
from experiments.verdict import FAILED, LOOKS, Verdict, judge, unigram_nll

DEFAULTS = Options(depths=(18,), schemes=("deepnorm",), seeds=(1, 2, 3), updates=350)
MEASUREMENTS = 14  # over a training
SHORT_WARMUP = 100
SMALLEST = {
    names.ENCODER_SPREAD: 1e-6,
    names.SOURCE_GAP: 1e-4,
}  # that is drawn: a gap may be negative

Key = Tuple[str, Case]  # variant, case


class Variant(NamedTuple):
    """What differs from the training with the short warm-up."""

    title: str
    group: str  # of the plot it stands in, "" for all
    flags: Dict[str, Any]


def variants(plan: Plan) -> Dict[str, Variant]:
    """The trainings that are compared, with the config's learning rate, warm-up and batches."""
    lr, warmup = plan.learning_rate()
    batch = plan.recipe.batch()
    update_freq = batch.update_freq if batch else plan.recipe.training.get("update-freq") or 1
    steps, adam, model = "learning rate", "Adam and the batch", "the model"
    return {
        "base": Variant(f"lr {lr:g}, warm-up {SHORT_WARMUP}", "", {}),
        "lr-twice": Variant("lr × 2", steps, {"lr": lr * 2}),
        "lr-half": Variant("lr / 2", steps, {"lr": lr / 2}),
        "lr-quarter": Variant("lr / 4", steps, {"lr": lr / 4}),
        "warmup": Variant(f"warm-up {warmup}", steps, {"warmup-updates": warmup}),
        "robust": Variant(
            f"warm-up {warmup}, Adam ε 1e-4", steps, {"warmup-updates": warmup, "adam-eps": 1e-4}
        ),
        "eps-1e-6": Variant("Adam ε 1e-6", adam, {"adam-eps": 1e-6}),
        "eps-1e-4": Variant("Adam ε 1e-4", adam, {"adam-eps": 1e-4}),
        "beta2-0.999": Variant("Adam β₂ 0.999", adam, {"adam-betas": "(0.9, 0.999)"}),
        "no-clipping": Variant("no clipping", adam, {"clip-norm": 0.0}),
        "tokens-4": Variant("4 × the tokens", adam, {"update-freq": 4 * update_freq}),
        "gain-torchscale": Variant(
            "torchscale's encoder gain", model, {"deepnorm-encoder-gain": "torchscale"}
        ),
        "embedding-unscaled": Variant("embeddings not scaled", model, {"no-scale-embedding": True}),
        "embedding-layernorm": Variant(
            "LayerNorm on embeddings", model, {"layernorm-embedding": True}
        ),
        "no-smoothing": Variant("no label smoothing", model, {"label-smoothing": 0.0}),
        "bf16": Variant("bf16", model, {"bf16": True}),
    }


def trials(plan: Plan) -> List[Trial]:
    """One training per variant and case. Raises UsageError for schemes and optimizers whose options a variant would change in vain."""
    options = plan.options
    if set(options.schemes) != {"deepnorm"}:
        raise UsageError(
            f"--schemes {' '.join(options.schemes)}: this study is about deepnorm alone"
        )
    if is_given("optimizer", plan.extra):
        raise UsageError("--optimizer: this study is about Adam's settings, too")
    every = max(1, options.updates // MEASUREMENTS)
    shared = {
        "warmup-updates": SHORT_WARMUP,
        "save-interval-updates": every,
        "stability-interval": every,
    }
    wanted = []
    for case in cases(options):
        for name, variant in variants(plan).items():
            work = case[1] * options.updates * (4 if "update-freq" in variant.flags else 1)
            wanted.append(
                Trial(
                    _name((name, case)),
                    {**shared, **network(case, options.updates), **variant.flags},
                    work,
                )
            )
    return wanted


def write(plan: Plan, outcomes: Dict[str, Outcome], folder: Path) -> str:
    """Write small_batches.csv, curves.csv, .png and .md; return the table. Raises DataError if every single run failed."""
    options, frequencies = plan.options, unigram_nll(plan.recipe)
    keys = [(name, case) for case in cases(options) for name in variants(plan)]
    verdicts = {key: judge(outcomes[_name(key)], options.updates, frequencies) for key in keys}
    failed = [f"- {_name(key)}: {v.reason}" for key, v in verdicts.items() if v.kind == FAILED]
    if len(failed) == len(verdicts):
        raise DataError(f"{folder}: all runs failed; the first: {failed[0][2:]}")
    header = (
        "variant",
        "scheme",
        "layers_per_side",
        "seed",
        "verdict",
        "reason",
        "validation_nll",
        "source_gap",
        "encoder_spread",
    )
    rows = [
        (
            name,
            *case,
            v.kind,
            v.reason,
            *(f"{value:.4g}" for value in (v.nll, v.source_gap, v.encoder_spread)),
        )
        for (name, case), v in verdicts.items()
    ]
    write_csv(folder / "small_batches.csv", header, rows)
    held = {
        key: [m for m in outcomes[_name(key)].measurements() if m.stack == "model"] for key in keys
    }
    curves = [
        (name, *case, m.update, m.quantity, m.value)
        for (name, case), ms in held.items()
        for m in ms
    ]
    write_csv(folder / "curves.csv", (*header[:4], "update", "quantity", "value"), curves)
    write_png(draw(plan, held), folder / "small_batches.png")
    text = "\n\n".join(
        [
            describe(plan, verdicts, frequencies),
            *(["\n".join(["Failed:", "", *failed])] if failed else []),
        ]
    )
    write_text(folder / "small_batches.md", text + "\n")
    return text


def describe(plan: Plan, verdicts: Dict[Key, Verdict], frequencies: float) -> str:
    """A table per depth: each variant's figures, seed by seed."""
    options, parts = plan.options, []
    for depth in options.depths:
        rows = []
        for name, variant in variants(plan).items():
            found = [verdicts[name, ("deepnorm", depth, seed)] for seed in options.seeds]
            nlls, gaps = (
                " ".join(f"{round(x, 2) + 0.0:.2f}" for x in column)
                for column in ([v.nll for v in found], [v.source_gap for v in found])
            )
            shown = (nlls, gaps, " ".join(f"{v.encoder_spread:.1g}" for v in found))
            sound = [v for v in found if v.kind != FAILED]
            rows.append(
                [
                    variant.title,
                    *shown,
                    f"{sum(v.source_gap >= LOOKS for v in sound)} of {len(sound)}",
                ]
            )
        head = [f"{depth}L-{depth}L", "validation nll", "source gap", "encoder spread", "look"]
        parts.append(markdown_table([head, *rows]))
    notes = (
        f"After {options.updates} updates, seeds {', '.join(map(str, options.seeds))}. Each line differs from the first in what it "
        f"names. nll in bits per token (word frequencies alone: {frequencies:.2f}). Source gap: bits per token that are lost with "
        f"another sentence's source; a model looks at its source if that is {LOOKS:g} at least. Encoder spread: how much the encoder's "
        "output differs from token to token, 0 to 1."
    )
    return "\n\n".join([*parts, notes])


def draw(plan: Plan, held: Dict[Key, List[names.Measurement]]) -> Figure:
    """Encoder spread above, source gap below, a column per group of variants: mean over seeds and their range."""
    options, chosen = plan.options, variants(plan)
    groups = list(dict.fromkeys(variant.group for variant in chosen.values() if variant.group))
    rows = [
        (depth, q) for depth in options.depths for q in (names.ENCODER_SPREAD, names.SOURCE_GAP)
    ]
    figure, plots = panels(len(groups) * len(rows), columns=len(groups))
    titles = {
        names.ENCODER_SPREAD: "encoder spread",
        names.SOURCE_GAP: "source gap (bits per token)",
    }
    for axes, ((depth, quantity), group) in zip(
        plots, [(row, group) for row in rows for group in groups], strict=True
    ):
        for number, (name, variant) in enumerate(
            (n, v) for n, v in chosen.items() if v.group in ("", group)
        ):
            of_seeds = [held[name, ("deepnorm", depth, seed)] for seed in options.seeds]
            curves = [
                {
                    m.update: max(m.value, SMALLEST[quantity])
                    for m in found
                    if m.quantity == quantity
                }
                for found in of_seeds
            ]
            draw_band(
                axes,
                curves,
                variant.title,
                {**style(number), **({"color": "#000000"} if name == "base" else {})},
            )
        axes.set_yscale("log")
        dress(axes, f"{group}, {depth}L-{depth}L", "updates", titles[quantity])
        if quantity == rows[-1][1]:
            axes.legend(
                loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False, fontsize=9
            )
    return figure


def _name(key: Key) -> str:
    return f"{key[0]}_{case_name(key[1])}"


STUDY = Study(
    "what makes a deep model ignore its source with small batches, and what prevents it?",
    DEFAULTS,
    trials,
    write,
)

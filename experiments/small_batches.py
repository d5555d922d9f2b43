"""What makes a deep DeepNorm model ignore the source with small batches, and what prevents it?

One setting is changed at a time. Others report that 100L-100L diverges at 8 × 4096 tokens with a
learning rate of 1e-3, and that BLEU falls to 0 after 10 to 30 thousand updates at 35L-35L
(github.com/microsoft/unilm, issue 663). Here networks and batches are small, and the baseline has a
warm-up that is too short for its learning rate.
"""

from typing import Any, Dict, List, NamedTuple, Tuple

from matplotlib.figure import Figure

from deepnet_fairseq.config.flags import is_given
from deepnet_fairseq.errors import UsageError
from deepnet_fairseq.evaluation.report.text_table import markdown_table
from deepnet_fairseq.training.diagnostics import measurements as names
from deepnet_fairseq.training.diagnostics.measurements import Measurement
from experiments.outcome import (
    FAILED,
    MIN_GAP,
    Outcome,
    classify,
    require_a_conclusive_run,
    unigram_nll,
)
from experiments.plot_styles import label_axes, line_style, make_plots, plot_mean_and_range
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

DEFAULTS = Options(depths=(18,), schemes=("deepnorm",), seeds=(1, 2, 3), updates=350)
MEASUREMENTS = 14  # per training
SHORT_WARMUP = 100
# Plotted quantities: axis label, and the minimum that is drawn (a gap may be negative).
PLOTTED = {
    names.TOKEN_VARIANCE_RATIO: ("token variance ratio", 1e-6),
    names.NLL_GAP: ("shuffled-source NLL gap (bits per token)", 1e-4),
}
OUTCOME_COLUMNS = (
    "outcome",
    "reason",
    "validation_nll",
    "shuffled_source_nll_gap",
    "token_variance_ratio",
)


class Variant(NamedTuple):
    """What differs from the baseline, the training with the short warm-up."""

    title: str
    group: str  # of its plot, "" for all
    flags: Dict[str, Any]


class Key(NamedTuple):
    """A training of the study."""

    variant: str
    case: Case

    @property
    def name(self) -> str:
        """Its folder."""
        return f"{self.variant}_{self.case.name}"


def variants(plan: Plan) -> Dict[str, Variant]:
    """Return the trainings that are compared, with the config's learning rate and batches."""
    lr, warmup = plan.learning_rate()
    batch = plan.recipe.batch()
    update_freq = batch.update_freq if batch else plan.recipe.training.get("update-freq") or 1
    long_warmup = {"warmup-updates": warmup}
    groups = {
        "": {"base": (f"lr {lr:g}, warm-up {SHORT_WARMUP}", {})},
        "learning rate": {
            "lr-twice": ("lr × 2", {"lr": lr * 2}),
            "lr-half": ("lr / 2", {"lr": lr / 2}),
            "lr-quarter": ("lr / 4", {"lr": lr / 4}),
            "warmup": (f"warm-up {warmup}", long_warmup),
            "robust": (f"warm-up {warmup}, Adam ε 1e-4", {**long_warmup, "adam-eps": 1e-4}),
        },
        "Adam and the batch": {
            "eps-1e-6": ("Adam ε 1e-6", {"adam-eps": 1e-6}),
            "eps-1e-4": ("Adam ε 1e-4", {"adam-eps": 1e-4}),
            "beta2-0.999": ("Adam β₂ 0.999", {"adam-betas": "(0.9, 0.999)"}),
            "no-clipping": ("no clipping", {"clip-norm": 0.0}),
            "tokens-4": ("4 × the tokens", {"update-freq": 4 * update_freq}),
        },
        "the model": {
            "gain-torchscale": (
                "torchscale's encoder gain",
                {"deepnorm-encoder-gain": "torchscale"},
            ),
            "embedding-unscaled": ("embeddings not scaled", {"no-scale-embedding": True}),
            "embedding-layernorm": ("LayerNorm on embeddings", {"layernorm-embedding": True}),
            "no-smoothing": ("no label smoothing", {"label-smoothing": 0.0}),
            "bf16": ("bf16", {"bf16": True}),
        },
    }
    return {
        name: Variant(title, group, flags)
        for group, members in groups.items()
        for name, (title, flags) in members.items()
    }


def plan_runs(plan: Plan) -> List[Run]:
    """Return one training per variant and case.

    Raises:
        UsageError: a variant's flags would have no effect with the scheme or optimizer.
    """
    options = plan.options
    if set(options.schemes) != {"deepnorm"}:
        schemes = " ".join(options.schemes)
        raise UsageError(f"--schemes {schemes}: this study is only about deepnorm")
    if is_given("optimizer", plan.extra):
        raise UsageError("--optimizer: this study varies Adam's settings")
    interval = max(1, options.updates // MEASUREMENTS)
    baseline = {
        "warmup-updates": SHORT_WARMUP,
        "save-interval-updates": interval,
        "stability-interval": interval,
    }
    runs = []
    for case in options.cases:
        for name, variant in variants(plan).items():
            work = case.depth * options.updates * (4 if "update-freq" in variant.flags else 1)
            flags = {**baseline, **case_flags(case, options.updates), **variant.flags}
            runs.append(Run(Key(name, case).name, flags, work))
    return runs


def report(plan: Plan, results: Results) -> Report:
    """Return small_batches.md, .csv and .png, and curves.csv.

    Raises:
        DataError: all runs failed.
    """
    frequency_nll = unigram_nll(plan.recipe)
    outcomes: Dict[Key, Outcome] = {}
    rows: Dict[Key, List[Measurement]] = {}
    for case in plan.options.cases:
        for name in variants(plan):
            key = Key(name, case)
            result = results[key.name]
            outcomes[key] = classify(result, plan.options.updates, frequency_nll)
            rows[key] = [m for m in result.measurements() if m.stack == "model"]
    failed = require_a_conclusive_run({k.name: o for k, o in outcomes.items()}, plan.folder)
    text = _describe(plan, outcomes, frequency_nll)
    if failed:
        text += "\n\n" + "\n".join(["Failed:", "", *(f"- {line}" for line in failed)])
    columns = ("variant", *CASE_COLUMNS)
    curve_columns = (*columns, "update", "quantity", "value")
    return Report(
        "small_batches",
        text,
        {
            "small_batches.csv": Table((*columns, *OUTCOME_COLUMNS), _outcome_rows(outcomes)),
            "curves.csv": Table(curve_columns, _curve_rows(rows)),
        },
        {"small_batches.png": _plot(plan, rows)},
    )


def _outcome_rows(outcomes: Dict[Key, Outcome]) -> List[Tuple]:
    rows = []
    for key, o in outcomes.items():
        numbers = (o.nll, o.shuffled_source_nll_gap, o.token_variance_ratio)
        formatted = [f"{number:.4g}" for number in numbers]
        rows.append((key.variant, *key.case, o.kind, o.reason, *formatted))
    return rows


def _curve_rows(rows: Dict[Key, List[Measurement]]) -> List[Tuple]:
    curves = []
    for key, measurements in rows.items():
        for m in measurements:
            curves.append((key.variant, *key.case, m.update, m.quantity, m.value))
    return curves


def _describe(plan: Plan, outcomes: Dict[Key, Outcome], frequency_nll: float) -> str:
    """Return a table per depth: each variant's numbers, seed by seed."""
    options, parts = plan.options, []
    for depth in options.depths:
        rows = [
            [
                f"{depth}L-{depth}L",
                "validation NLL",
                "shuffled-source NLL gap",
                "token variance ratio",
                "use the source",
            ]
        ]
        for name, variant in variants(plan).items():
            cases = [Case("deepnorm", depth, seed) for seed in options.seeds]
            rows.append([variant.title, *_cells([outcomes[Key(name, case)] for case in cases])])
        parts.append(markdown_table(rows))
    parts.append(
        f"After {options.updates} updates, seeds {', '.join(map(str, options.seeds))}. Each row "
        "differs from the first in what it names. NLL in bits per token (word frequencies alone: "
        f"{frequency_nll:.2f}). Shuffled-source NLL gap: the bits per token that are lost with "
        f"another sentence's source; a model uses the source if this is at least {MIN_GAP:g}. "
        "Token variance ratio: how much the encoder's output differs from token to token, from 0 "
        "(collapsed) to 1."
    )
    return "\n\n".join(parts)


def _cells(seeds: List[Outcome]) -> List[str]:
    """Return a row's cells for the outcomes of all seeds."""
    conclusive = [o for o in seeds if o.kind != FAILED]
    using = sum(o.shuffled_source_nll_gap >= MIN_GAP for o in conclusive)
    return [
        " ".join(_two_decimals(o.nll) for o in seeds),
        " ".join(_two_decimals(o.shuffled_source_nll_gap) for o in seeds),
        " ".join(f"{o.token_variance_ratio:.1g}" for o in seeds),
        f"{using} of {len(conclusive)}",
    ]


def _two_decimals(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # + 0.0: never -0.00


def _plot(plan: Plan, rows: Dict[Key, List[Measurement]]) -> Figure:
    """Return token variance ratio and NLL gap: a column per group, mean and range over seeds."""
    chosen = variants(plan)
    groups = list(dict.fromkeys(variant.group for variant in chosen.values() if variant.group))
    plot_rows = [(depth, quantity) for depth in plan.options.depths for quantity in PLOTTED]
    figure, plots = make_plots(len(groups) * len(plot_rows), columns=len(groups))
    cells = [(*row, group) for row in plot_rows for group in groups]
    for axes, (depth, quantity, group) in zip(plots, cells, strict=True):
        label, minimum = PLOTTED[quantity]
        members = [(n, v) for n, v in chosen.items() if v.group in ("", group)]
        for number, (name, variant) in enumerate(members):
            curves = []
            for seed in plan.options.seeds:
                seed_rows = rows[Key(name, Case("deepnorm", depth, seed))]
                curve = {m.update: m.value for m in seed_rows if m.quantity == quantity}
                curves.append({update: max(v, minimum) for update, v in curve.items()})
            style = line_style(number)
            if name == "base":
                style["color"] = "#000000"
            plot_mean_and_range(axes, curves, variant.title, style)
        axes.set_yscale("log")
        label_axes(axes, f"{group}, {depth}L-{depth}L", "updates", label)
        if quantity == names.NLL_GAP:
            axes.legend(
                loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False, fontsize=9
            )
    return figure


STUDY = Study(
    "what makes a deep model ignore the source with small batches, and what prevents it?",
    DEFAULTS,
    plan_runs,
    report,
)

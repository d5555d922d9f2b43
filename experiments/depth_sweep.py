"""Which residual scheme trains at which depth: the same budget of updates for each, in the form of DeepNet's Table 1."""

from pathlib import Path
from statistics import fmean
from typing import Dict, List

from matplotlib.figure import Figure

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.evaluation.report.figures import write_png
from deepnet_fairseq.evaluation.report.text_table import markdown_table
from deepnet_fairseq.io import write_text
from deepnet_fairseq.network.residual import RESIDUALS
from experiments.study import Case, Options, Plan, Study, case_name, cases, network
from experiments.styles import NAMES, draw_band, dress, panels, scheme_style
from experiments.tables import write_csv
from experiments.trials import Outcome, Trial
from experiments.verdict import (
    DIVERGED,
    FAILED,
    Verdict,
    judge,
    seconds_per_update,
    summary,
    unigram_nll,
)

DEFAULTS = Options(depths=(6, 18, 50, 100), schemes=tuple(RESIDUALS), seeds=(1,), updates=500)
VALIDATIONS = 10  # over a training


def trials(plan: Plan) -> List[Trial]:
    """One training per case, with the config's learning rate; BranchNorm's schedule is as long as the warm-up."""
    options, (_, warmup) = plan.options, plan.learning_rate()
    every = max(1, options.updates // VALIDATIONS)
    flags = {"save-interval-updates": every, "stability-interval": every}
    return [
        Trial(
            case_name(case),
            {**flags, **network(case, options.updates, warmup)},
            case[1] * options.updates,
        )
        for case in cases(options)
    ]


def write(plan: Plan, outcomes: Dict[str, Outcome], folder: Path) -> str:
    """Write sweep.csv, curves.csv, .png and .md; return the table. Raises DataError if every single run failed."""
    options, frequencies = plan.options, unigram_nll(plan.recipe)
    verdicts = {
        case: judge(outcomes[case_name(case)], options.updates, frequencies)
        for case in cases(options)
    }
    failed = [f"{case_name(case)}: {v.reason}" for case, v in verdicts.items() if v.kind == FAILED]
    if len(failed) == len(verdicts):
        raise DataError(f"{folder}: all runs failed; the first: {failed[0]}")
    judged = (
        "verdict",
        "reason",
        "validation_nll",
        "source_gap",
        "encoder_spread",
        "largest_step",
        "seconds_per_update",
        "seconds",
        "peak_gib",
    )
    header = ("scheme", "layers_per_side", "seed", *judged)
    rows = []
    for case, v in verdicts.items():
        o = outcomes[case_name(case)]
        figures = (
            v.nll,
            v.source_gap,
            v.encoder_spread,
            v.largest_step,
            seconds_per_update(o),
            o.seconds,
            o.peak_memory,
        )
        rows.append((*case, v.kind, v.reason, *(f"{value:.4g}" for value in figures)))
    write_csv(folder / "sweep.csv", header, rows)
    curves = [
        (*case, update, nll) for case, v in verdicts.items() for update, nll in v.curve.items()
    ]
    write_csv(folder / "curves.csv", (*header[:3], "update", "validation_nll"), curves)
    write_png(draw(options, verdicts, frequencies), folder / "sweep.png")
    text = (
        describe(options, verdicts, frequencies, failed) + "\n\n" + describe_cost(options, outcomes)
    )
    write_text(folder / "sweep.md", text + "\n")
    return text


def describe(
    options: Options, verdicts: Dict[Case, Verdict], frequencies: float, failed: List[str]
) -> str:
    """The table, what its letters mean, and why the runs marked D diverged."""
    header = ["", *(f"{depth}L-{depth}L" for depth in options.depths)]
    rows = [
        [
            NAMES[scheme],
            *(
                summary([verdicts[scheme, depth, seed] for seed in options.seeds])
                for depth in options.depths
            ),
        ]
        for scheme in options.schemes
    ]
    notes = (
        f"Validation nll in bits per token after {options.updates} updates, {options.said_seeds}; word frequencies alone: "
        f"{frequencies:.2f}. "
        "D: diverged, that is not finite, or no better than word frequencies, or far above its own best; F: the run failed, which says "
        "nothing of the model. *: the model does not look at its source, so that this is a language model's loss."
    )
    reasons = [
        f"{case_name(case)}: {v.reason}, ended at {v.nll:.2f}"
        for case, v in verdicts.items()
        if v.kind == DIVERGED
    ]
    parts = [markdown_table([header, *rows]), notes]
    for title, lines in (("Diverged:", reasons), ("Failed:", failed)):
        if lines:
            parts.append("\n".join([title, "", *(f"- {line}" for line in lines)]))
    return "\n\n".join(parts)


def describe_cost(options: Options, outcomes: Dict[str, Outcome]) -> str:
    """What each depth took, the mean over schemes and seeds."""
    rows = []
    for depth in options.depths:
        found = [outcomes[case_name(case)] for case in cases(options) if case[1] == depth]
        seconds = [s for s in map(seconds_per_update, found) if s == s]
        rows.append(
            [
                f"{depth}L-{depth}L",
                f"{fmean(seconds):.2g}" if seconds else "",
                f"{fmean(o.peak_memory for o in found):.2f}",
            ]
        )
    return markdown_table([["", "seconds per update", "GiB of memory"], *rows])


def draw(options: Options, verdicts: Dict[Case, Verdict], frequencies: float) -> Figure:
    """Validation curves, a plot per depth, a line per scheme: the mean over seeds, with their range behind it."""
    figure, plots = panels(len(options.depths), columns=min(2, len(options.depths)))
    for axes, depth in zip(
        plots, options.depths, strict=False
    ):  # of the plots the last may be left over
        for scheme in options.schemes:
            draw_band(
                axes,
                [verdicts[scheme, depth, seed].curve for seed in options.seeds],
                NAMES[scheme],
                scheme_style(scheme),
            )
        axes.axhline(frequencies, color="#8a8f96", linewidth=0.8)
        place = {
            "xycoords": axes.get_yaxis_transform(),
            "ha": "right",
            "va": "top",
        }  # x from 0 to 1 over the plot
        axes.annotate(
            "word frequencies", (0.99, frequencies - 0.1), fontsize=8, color="#555b63", **place
        )
        dress(axes, f"{depth}L-{depth}L", "updates", "validation nll (bits per token)")
        axes.set_ylim(0, frequencies * 1.6)
    plots[0].legend(frameon=False, fontsize=8, ncols=2)
    return figure


STUDY = Study("which residual scheme trains at which depth?", DEFAULTS, trials, write)

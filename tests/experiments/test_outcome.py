"""Outcomes from logs made by hand, and word frequencies counted a second time."""

import math
from collections import Counter
from pathlib import Path
from typing import Dict, Sequence

import pytest
from support.cldr_toy import write_config

from deepnet_fairseq.commands.prepare import prepare
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.bitext import corpus_file
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.data.vocabulary import load_model
from deepnet_fairseq.parallel import Jobs
from deepnet_fairseq.training.diagnostics.measurements import FILE_NAME, Measurement, Writer
from experiments.outcome import (
    DIVERGED,
    FAILED,
    LEARNS,
    Outcome,
    classify,
    format_outcomes,
    unigram_nll,
)
from experiments.runs import RunResult

FREQUENCIES = 5.0
UPDATES = 40


def result(folder: Path, curve: Dict[int, float], status: int = 0, output: str = "") -> RunResult:
    """Return a training whose log has this validation curve and whose process printed output."""
    lines = [
        f"epoch 001 | valid on 'valid' subset | loss 9 | nll_loss {nll} | num_updates {update}\n"
        for update, nll in curve.items()
    ]
    (folder / "train.log").write_text("".join(lines))
    (folder / "output.log").write_text(output)
    return RunResult([], status, 1.0, 1.0, str(folder))


NAN_GRADIENTS = (
    "Traceback (most recent call last):\n  …\nFloatingPointError: gradients are Nan/Inf\n"
)
SCALE = (
    "FloatingPointError: Minimum loss scale reached (0.0001). Your loss is probably exploding.\n"
)
BACKWARD = "RuntimeError: Function 'SoftmaxBackward0' returned nan values in its 0th output.\n"
GUARD = (
    "INFO | …\nfairseq-train: stopped at update 12: this single update changed the model's output "
    "by 80%\nlast words\n"
)
CASES = [
    ("learns", {20: 4.9, 40: 3.0}, 0, "", LEARNS, "", 3.0),
    ("learns, just better than frequencies", {40: 4.75}, 0, "", LEARNS, "", 4.75),
    ("learns, a little above its best", {20: 2.0, 40: 3.0}, 0, "", LEARNS, "", 3.0),
    (
        "no better than frequencies",
        {20: 6.0, 40: 4.76},
        0,
        "",
        DIVERGED,
        "no better than word frequencies",
        4.76,
    ),
    (
        "rises",
        {20: 2.0, 40: 3.01},
        0,
        "",
        DIVERGED,
        "rose from its minimum of 2.00",
        3.01,
    ),
    (
        "rises above frequencies",
        {20: 2.0, 40: 5.5},
        0,
        "",
        DIVERGED,
        "rose from its minimum of 2.00",
        5.5,
    ),
    ("not finite at the end", {20: 4.0, 40: math.nan}, 0, "", DIVERGED, "not finite", math.nan),
    ("not finite once", {20: math.inf, 40: 4.0}, 0, "", DIVERGED, "not finite", 4.0),
    ("gradients not finite", {20: 4.0}, 1, NAN_GRADIENTS, DIVERGED, "not finite", 4.0),
    ("loss scale", {}, 1, SCALE, DIVERGED, "not finite", math.nan),
    ("backward pass", {}, 1, BACKWARD, DIVERGED, "not finite", math.nan),
    (
        "guard",
        {10: 4.0},
        1,
        GUARD,
        DIVERGED,
        "stopped at update 12: this single update changed the model's output by 80%",
        4.0,
    ),
    (
        "failed",
        {20: 4.0},
        1,
        "first\nOSError: No space left\n\n",
        FAILED,
        "exit status 1: OSError: No space left",
        4.0,
    ),
    ("killed", {}, -9, "", FAILED, "exit status -9: no output", math.nan),
    (
        "failed after learning",
        {20: 4.0, 40: 3.0},
        1,
        "MemoryError",
        FAILED,
        "exit status 1: MemoryError",
        3.0,
    ),
    ("ended early", {20: 4.0}, 0, "", FAILED, "ended after 20 of 40 updates", 4.0),
    ("ended at once", {}, 0, "", FAILED, "ended after 0 of 40 updates", math.nan),
]


@pytest.mark.parametrize(
    ("curve", "status", "output", "kind", "reason", "nll"),
    [c[1:] for c in CASES],
    ids=[c[0] for c in CASES],
)
def test_classify(
    tmp_path: Path,
    curve: Dict[int, float],
    status: int,
    output: str,
    kind: str,
    reason: str,
    nll: float,
) -> None:
    outcome = classify(result(tmp_path, curve, status, output), UPDATES, FREQUENCIES)
    assert (outcome.kind, outcome.reason) == (kind, reason)
    assert outcome.nll == pytest.approx(nll, nan_ok=True)
    assert outcome.curve == pytest.approx(curve, nan_ok=True)
    assert math.isnan(outcome.shuffled_source_nll_gap) and math.isnan(outcome.max_model_step)


def test_a_failed_run_without_a_log_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_text("x" * 900)
    outcome = classify(RunResult([], 3, 1.0, 1.0, str(tmp_path)), UPDATES, FREQUENCIES)
    assert (outcome.kind, outcome.reason) == (FAILED, "exit status 3: " + "x" * 200)


def test_the_last_gap_and_the_maximum_step_are_kept(tmp_path: Path) -> None:
    values = [
        (0, "shuffled_source_nll_gap", 0.0),
        (1, "shuffled_source_nll_gap", 3.0),
        (1, "model_step", 0.4),
        (2, "model_step", 0.1),
        (2, "shuffled_source_nll_gap", 2.5),
    ]
    Writer(tmp_path / FILE_NAME).write(
        Measurement(update, "model", 0, name, value) for update, name, value in values
    )
    outcome = classify(result(tmp_path, {40: 3.0}), UPDATES, FREQUENCIES)
    assert (outcome.shuffled_source_nll_gap, outcome.max_model_step) == (2.5, 0.4)


GOOD, WORSE, BAD, BROKEN = (
    Outcome(LEARNS, nll=3.0),
    Outcome(LEARNS, nll=4.0),
    Outcome(DIVERGED, nll=9.0),
    Outcome(FAILED),
)
IGNORES = Outcome(LEARNS, nll=2.0, shuffled_source_nll_gap=0.04)  # a language model
SUMMARIES = [
    ([GOOD], "3.00"),
    ([GOOD, WORSE], "3.50"),
    ([BAD], "D"),
    ([BROKEN], "F"),
    ([GOOD, BAD, WORSE], "3.50 1D"),
    ([GOOD, BAD, BROKEN, BAD], "3.00 2D 1F"),
    ([BAD, BAD], "2D"),
    ([BROKEN, BAD], "1D 1F"),
    ([IGNORES], "2.00*"),
    ([GOOD, IGNORES], "2.50*"),
    ([GOOD, Outcome(DIVERGED, nll=9.0, shuffled_source_nll_gap=0.0)], "3.00 1D"),
]


@pytest.mark.parametrize(("outcomes", "cell"), SUMMARIES, ids=[cell for _, cell in SUMMARIES])
def test_a_cell_for_several_seeds_is_the_mean_of_those_that_learn_and_how_many_do_not(
    outcomes: Sequence[Outcome], cell: str
) -> None:
    assert format_outcomes(list(outcomes)) == cell


def counted_from_text(recipe: Recipe) -> float:
    """Return the same from the text: German pieces and ends of sentences."""
    encoder = load_model(recipe.vocabulary_dir)
    counts = {}
    for split in ("train", "dev"):
        lines = (
            corpus_file(recipe.corpus_dir, ("de", "en"), split, "de")
            .read_text(encoding="utf-8")
            .splitlines()
        )
        counts[split] = Counter(
            piece for line in lines for piece in [*encoder.encode(line, out_type=str), "</s>"]
        )
    entries = (
        len(recipe.dictionaries[0].read_text(encoding="utf-8").splitlines()) + 4
    )  # <s>, <pad>, </s>, <unk>
    total = sum(counts["train"].values()) + entries
    bits = sum(
        count * -math.log2((counts["train"][piece] + 1) / total)
        for piece, count in counts["dev"].items()
    )
    return bits / sum(counts["dev"].values())


def test_unigram_nll_is_that_of_the_texts_pieces(toy: Recipe) -> None:
    assert unigram_nll(toy) == pytest.approx(counted_from_text(toy), rel=1e-9)


def test_unigram_nll_counts_all_shards(tmp_path: Path) -> None:
    recipe = load_recipe(
        write_config(tmp_path, tmp_path / "data", "binarization: {shards: 2, shard_lines: 60}")
    )
    prepare(recipe, Downloads(tmp_path), Jobs())
    assert len(recipe.data_folders) == 2
    assert unigram_nll(recipe) == pytest.approx(counted_from_text(recipe), rel=1e-9)

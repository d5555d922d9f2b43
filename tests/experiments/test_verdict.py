"""What is made of a training's log: on logs made by hand, and frequencies counted once more."""

import math
from collections import Counter
from pathlib import Path
from typing import Dict, Sequence

import pytest
from support.stability_runs import write_config

from deepnet_fairseq.commands.prepare import prepare
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.corpus_paths import corpus_file
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.data.vocabulary import load_model
from deepnet_fairseq.parallel import Jobs
from deepnet_fairseq.training.diagnostics.measurements import FILE_NAME, Measurement, Writer
from experiments.trials import Outcome
from experiments.verdict import DIVERGED, FAILED, LEARNS, Verdict, judge, summary, unigram_nll

FREQUENCIES = 5.0
UPDATES = 40


def outcome(folder: Path, curve: Dict[int, float], status: int = 0, output: str = "") -> Outcome:
    """A training whose log has this curve of validation, and whose process has printed output."""
    lines = [
        f"epoch 001 | valid on 'valid' subset | loss 9 | nll_loss {nll} | num_updates {update}\n"
        for update, nll in curve.items()
    ]
    (folder / "train.log").write_text("".join(lines))
    (folder / "output.log").write_text(output)
    return Outcome([], status, 1.0, 1.0, str(folder))


NAN_GRADIENTS = (
    "Traceback (most recent call last):\n  …\nFloatingPointError: gradients are Nan/Inf\n"
)
SCALE = (
    "FloatingPointError: Minimum loss scale reached (0.0001). Your loss is probably exploding.\n"
)
BACKWARD = "RuntimeError: Function 'SoftmaxBackward0' returned nan values in its 0th output.\n"
GUARD = "INFO | …\nfairseq-train: stopped at update 12: this single update changed the model's output by 80%\nlast words\n"
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
        "collapsed",
        {20: 2.0, 40: 3.01},
        0,
        "",
        DIVERGED,
        "lost what it knew: 2.00 at its best",
        3.01,
    ),
    (
        "collapsed to frequencies",
        {20: 2.0, 40: 5.5},
        0,
        "",
        DIVERGED,
        "lost what it knew: 2.00 at its best",
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
def test_judge(
    tmp_path: Path,
    curve: Dict[int, float],
    status: int,
    output: str,
    kind: str,
    reason: str,
    nll: float,
) -> None:
    found = judge(outcome(tmp_path, curve, status, output), UPDATES, FREQUENCIES)
    assert (found.kind, found.reason) == (kind, reason)
    assert found.nll == pytest.approx(nll, nan_ok=True)
    assert found.curve == pytest.approx(curve, nan_ok=True)
    assert math.isnan(found.source_gap) and math.isnan(found.largest_step)


def test_a_failed_run_without_a_log_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_text("x" * 900)
    found = judge(Outcome([], 3, 1.0, 1.0, str(tmp_path)), UPDATES, FREQUENCIES)
    assert (found.kind, found.reason) == (FAILED, "exit status 3: " + "x" * 200)


def test_the_last_source_gap_and_the_largest_step_are_kept(tmp_path: Path) -> None:
    values = [
        (0, "source_gap", 0.0),
        (1, "source_gap", 3.0),
        (1, "model_step", 0.4),
        (2, "model_step", 0.1),
        (2, "source_gap", 2.5),
    ]
    Writer(tmp_path / FILE_NAME).write(
        Measurement(update, "model", 0, name, value) for update, name, value in values
    )
    found = judge(outcome(tmp_path, {40: 3.0}), UPDATES, FREQUENCIES)
    assert (found.source_gap, found.largest_step) == (2.5, 0.4)


GOOD, WORSE, BAD, BROKEN = (
    Verdict(LEARNS, nll=3.0),
    Verdict(LEARNS, nll=4.0),
    Verdict(DIVERGED, nll=9.0),
    Verdict(FAILED),
)
BLIND = Verdict(LEARNS, nll=2.0, source_gap=0.04)  # a language model
SUMMARIES = [
    ([GOOD], "3.00"),
    ([GOOD, WORSE], "3.50"),
    ([BAD], "D"),
    ([BROKEN], "F"),
    ([GOOD, BAD, WORSE], "3.50 1D"),
    ([GOOD, BAD, BROKEN, BAD], "3.00 2D 1F"),
    ([BAD, BAD], "2D"),
    ([BROKEN, BAD], "1D 1F"),
    ([BLIND], "2.00*"),
    ([GOOD, BLIND], "2.50*"),
    ([GOOD, Verdict(DIVERGED, nll=9.0, source_gap=0.0)], "3.00 1D"),
]


@pytest.mark.parametrize(("verdicts", "cell"), SUMMARIES, ids=[cell for _, cell in SUMMARIES])
def test_a_cell_for_several_seeds_is_the_mean_of_those_that_learn_and_how_many_do_not(
    verdicts: Sequence[Verdict], cell: str
) -> None:
    assert summary(list(verdicts)) == cell


def counted_once_more(recipe: Recipe) -> float:
    """The same from the text: SentencePiece's pieces of German, and the ends of sentences."""
    encoder = load_model(recipe.vocabulary_dir)
    held = {}
    for split in ("train", "dev"):
        lines = (
            corpus_file(recipe.corpus_dir, ("de", "en"), split, "de")
            .read_text(encoding="utf-8")
            .splitlines()
        )
        held[split] = Counter(
            piece for line in lines for piece in [*encoder.encode(line, out_type=str), "</s>"]
        )
    entries = (
        len(recipe.dictionaries[0].read_text(encoding="utf-8").splitlines()) + 4
    )  # <s>, <pad>, </s>, <unk>
    total = sum(held["train"].values()) + entries
    bits = sum(
        count * -math.log2((held["train"][piece] + 1) / total)
        for piece, count in held["dev"].items()
    )
    return bits / sum(held["dev"].values())


def test_unigram_nll_is_that_of_the_texts_pieces(toy: Recipe) -> None:
    assert unigram_nll(toy) == pytest.approx(counted_once_more(toy), rel=1e-9)


def test_unigram_nll_counts_all_shards(tmp_path: Path) -> None:
    recipe = load_recipe(
        write_config(tmp_path, tmp_path / "data", "binarization: {shards: 2, shard_lines: 60}")
    )
    prepare(recipe, Downloads(tmp_path), Jobs())
    assert len(recipe.data_folders) == 2
    assert unigram_nll(recipe) == pytest.approx(counted_once_more(recipe), rel=1e-9)

"""Curves from logs: written by fairseq itself, lines of real logs, and restarts."""

import logging
from pathlib import Path
from typing import Dict, List

import pytest
from fairseq.logging import progress_bar

from deepnet_fairseq.evaluation.report.training_log import TrainingCurves, read_curves

# scripts/train.sh configs/cldr/cldr_quickstart.yaml, fairseq 0.12.2
SIMPLE = """\
{'_name': None, 'common': {'_name': None, 'no_progress_bar': False, 'log_interval': 50}}
DeepNetTransformer(
epoch 001:     50 / 5018 loss=12.211, nll_loss=12.092, ppl=4365.88, wps=1564.4, ups=4.3, \
num_updates=50, lr=7.5e-05, gnorm=9.63, wall=13
epoch 001:    300 / 5018 loss=6.149, nll_loss=5.539, ppl=46.5, wps=1573, ups=4.3, \
num_updates=300, lr=0.00045, gnorm=1.72, clip=100, wall=71
begin validation on "valid" subset
epoch 001 | valid on 'valid' subset | loss 5.756 | nll_loss 5.093 | ppl 34.13 | wps 8490.1 | \
wpb 2301.2 | bsz 125 | num_updates 300
epoch 001 | valid on 'valid1' subset | loss 1 | nll_loss 1 | ppl 2 | wps 8490.1 | \
wpb 2301.2 | bsz 125 | num_updates 300
epoch 001 | loss 3.473 | nll_loss 2.414 | ppl 5.33 | num_updates 1800 | lr 2e-05 | gnorm 1.269 | \
clip 53.5 | train_wall 363 | wall 391
"""


def inner(updates: int, loss: float) -> str:
    return (
        f"epoch 001:  {updates} / 5018 loss={loss}, nll_loss={loss}, num_updates={updates}, "
        "lr=1e-05, gnorm=1\n"
    )


def valid(updates: int, loss: float) -> str:
    return (
        f"epoch 001 | valid on 'valid' subset | loss {loss} | nll_loss {loss} | "
        f"num_updates {updates}\n"
    )


def read(folder: Path, text: str) -> TrainingCurves:
    (folder / "train.log").write_text(text)
    return read_curves(folder / "train.log")


def test_a_real_log_gives_its_curves(tmp_path: Path) -> None:
    assert read(tmp_path, SIMPLE) == TrainingCurves(
        training_loss={50: 12.211, 300: 6.149},
        training_nll={50: 12.092, 300: 5.539},
        validation_loss={300: 5.756},
        validation_nll={300: 5.093},
        learning_rate={50: 7.5e-05, 300: 0.00045},
    )


def test_a_log_of_the_terminal_is_read_as_well(tmp_path: Path) -> None:
    with_time = "".join(
        f"2026-11-24 23:22:41 | INFO | train_inner | {line}\n" for line in SIMPLE.splitlines()
    )
    assert read(tmp_path, with_time) == read(tmp_path, SIMPLE)


@pytest.mark.parametrize("log_format", ["simple", "json", "tqdm"])
def test_what_fairseq_writes_is_what_is_read(
    tmp_path: Path, log_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)  # or tqdm becomes simple
    log = tmp_path / "train.log"
    before = list(progress_bar.logger.handlers)
    monkeypatch.setattr(progress_bar.logger, "level", logging.INFO)
    updates = list(range(1, 5))
    training = [
        {"loss": 9.0 - n, "nll_loss": 8.0 - n, "num_updates": n, "lr": 0.001 * n, "gnorm": 2.5}
        for n in updates
    ]
    try:
        with progress_bar.progress_bar(
            updates, log_format=log_format, log_interval=2, log_file=str(log), epoch=1
        ) as bar:
            for n in bar:
                bar.log(training[n - 1], tag="train_inner", step=n)
        bar.print({**training[-1], "loss": 6.5}, tag="train", step=4)
        validation = progress_bar.progress_bar(
            updates, log_format=log_format, epoch=1, prefix="valid on 'valid' subset"
        )
        validation.print({"loss": 4.5, "nll_loss": 4.25, "num_updates": 4}, tag="valid", step=4)
    finally:
        for handler in set(progress_bar.logger.handlers) - set(before):
            progress_bar.logger.removeHandler(handler)
            handler.close()
    # tqdm writes only an epoch's means to the file; the others every second update (log_interval)
    finer = log_format != "tqdm"
    assert read_curves(log) == TrainingCurves(
        training_loss={2: 7.0, 4: 5.0} if finer else {4: 6.5},
        training_nll={2: 6.0, 4: 4.0} if finer else {4: 4.0},
        validation_loss={4: 4.5},
        validation_nll={4: 4.25},
        learning_rate={2: 0.002, 4: 0.004} if finer else {4: 0.004},
    )


@pytest.mark.parametrize(
    ("lines", "training", "validation"),
    [
        ([inner(50, 9), inner(100, 8), inner(100, 7)], {50: 9, 100: 7}, {}),
        (
            [inner(50, 9), inner(100, 8), valid(100, 5), inner(150, 7), inner(60, 6)],
            {50: 9, 60: 6},
            {},
        ),
        (
            [inner(50, 9), valid(50, 5), inner(100, 8), inner(100, 7), valid(100, 4)],
            {50: 9, 100: 7},
            {50: 5, 100: 4},
        ),
        (
            [inner(50, 9), inner(100, 8), inner(150, 7), inner(200, 6)],
            {50: 9, 100: 8, 150: 7, 200: 6},
            {},
        ),
    ],
    ids=["same update again", "an older end is dropped", "validation between", "resumes"],
)
def test_the_later_run_counts_where_two_overlap(
    tmp_path: Path, lines: List[str], training: Dict[int, float], validation: Dict[int, float]
) -> None:
    curves = read(tmp_path, "".join(lines))
    assert curves.training_nll == training and list(curves.training_nll) == sorted(training)
    assert curves.validation_nll == validation


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Traceback (most recent call last):\n",
        '{"epoch": 1}\n',
        "epoch 001: 5 / 9 loss=3\n",
        "{\n",
    ],
)
def test_a_log_without_numbers_gives_no_curves(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == TrainingCurves() and TrainingCurves().updates == 0


def test_a_missing_log_gives_no_curves(tmp_path: Path) -> None:
    assert read_curves(tmp_path / "train.log") == read_curves(None) == TrainingCurves()


def test_a_torn_line_and_a_loss_that_is_no_number_break_nothing(tmp_path: Path) -> None:
    curves = read(tmp_path, inner(50, 9) + inner(100, float("nan")) + inner(150, 7)[:40])
    assert list(curves.training_nll) == [50, 100] and curves.updates == 100

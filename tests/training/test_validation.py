"""Validation of a corpus in which some directions have no dev set."""

import logging
from pathlib import Path

import pytest
from fairseq.checkpoint_utils import load_checkpoint_to_cpu
from fairseq_cli import train
from support.fairseq_commands import run_in_process
from support.multilingual_toy import OURS, binarize, set_up, task_flags

from deepnet_fairseq.training.validation import has_data

PAIRS = {("de", "en"): 40, ("en", "fr"): 20, ("en", "ro"): 13}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three pairs, one of which has training text alone."""
    folder = binarize(tmp_path / "text", PAIRS)
    for path in [*folder.glob("valid.en-ro.*"), *folder.glob("test.en-ro.*")]:
        path.unlink()
    return folder


def test_the_others_are_validated_and_all_are_trained(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = set_up(OURS, data)
    with caplog.at_level(logging.INFO):
        task.load_dataset("valid")
    assert len(task.dataset("valid")) == 4 * 5  # both ways of two pairs
    assert "valid: without en-ro, ro-en, of which there is no data" in caplog.text
    task.load_dataset("train")
    assert len(task.dataset("train")) == 2 * sum(PAIRS.values())


def test_with_all_data_the_validation_set_is_stocks(tmp_path: Path) -> None:
    folder = binarize(tmp_path / "text", PAIRS)
    ours, stock = (set_up(name, folder) for name in (OURS, "translation_multi_simple_epoch"))
    for task in (ours, stock):
        task.load_dataset("valid")
    assert len(ours.dataset("valid")) == len(stock.dataset("valid")) == 6 * 5
    for number in range(30):
        a, b = ours.dataset("valid")[number], stock.dataset("valid")[number]
        assert (
            a["source"].tolist() == b["source"].tolist()
            and a["target"].tolist() == b["target"].tolist()
        )


def test_a_split_that_no_direction_has_is_named(data: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"bin has no valid2 data of de-en"):
        set_up(OURS, data).load_dataset("valid2")


def test_fairseq_train_runs_on_such_a_corpus(data: Path, tmp_path: Path) -> None:
    sizes = (
        "--encoder-layers 1 --decoder-layers 1 --encoder-embed-dim 8 --encoder-ffn-embed-dim 8 "
        "--encoder-attention-heads 1"
    ).split()
    flags = [
        *sizes,
        "--optimizer",
        "adam",
        "--lr",
        "0.001",
        "--max-epoch",
        "1",
        "--cpu",
        "--num-workers",
        "0",
        "--save-dir",
        tmp_path / "c",
    ]
    run_in_process(
        train,
        *task_flags(OURS, data),
        "--arch",
        "transformer",
        *flags,
        "--criterion",
        "label_smoothed_cross_entropy",
    )
    assert (
        load_checkpoint_to_cpu(str(tmp_path / "c/checkpoint_last.pt"))["extra_state"]["val_loss"]
        > 0
    )


def test_data_serve_both_ways(data: Path) -> None:
    present = {name: has_data(data, "valid", name) for name in ("de-en", "en-de", "en-ro", "ro-en")}
    assert present == {"de-en": True, "en-de": True, "en-ro": False, "ro-en": False}

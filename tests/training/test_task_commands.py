"""translation_multi_deepnet in fairseq's commands: resumed, and in turns with stock's task."""

import re
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq_cli import generate, train
from support.fairseq_commands import run_in_process
from support.multilingual_toy import OURS, PAIRS, STOCK, USER_DIR, binarize, task_flags

TINY = (
    "--encoder-layers 1 --decoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 24 "
    "--encoder-attention-heads 2"
).split()
LEARNING = (
    "--optimizer adam --lr 0.003 --criterion label_smoothed_cross_entropy --label-smoothing 0.1 "
    "--dropout 0.1 --seed 3"
).split()
FORMAT = ["--encoder-langtok", "tgt"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return binarize(tmp_path_factory.mktemp("corpus"), PAIRS)


@pytest.fixture(scope="module")
def shards(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    sizes = {("de", "en"): 60, ("en", "fr"): 35}
    return f"{data}:{binarize(tmp_path_factory.mktemp('shard'), sizes, seed=8)}"


def run_training(name: str, data: Any, save_dir: Path, *flags: Any) -> Dict[str, Any]:
    """Train, or go on, and return checkpoint_last."""
    words = [
        *task_flags(name, data, *FORMAT),
        "--user-dir",
        USER_DIR,
        "--arch",
        "deepnet_transformer",
        *TINY,
        *LEARNING,
    ]
    run_in_process(
        train,
        *words,
        "--save-dir",
        save_dir,
        "--cpu",
        "--no-progress-bar",
        "--no-epoch-checkpoints",
        *flags,
    )
    return checkpoint_utils.load_checkpoint_to_cpu(str(save_dir / "checkpoint_last.pt"))


def train_to(updates: int, name: str, data: Any, save_dir: Path, *flags: Any) -> Dict[str, Any]:
    state = run_training(
        name, data, save_dir, "--max-update", updates, "--disable-validation", *flags
    )
    assert state["optimizer_history"][-1]["num_updates"] == updates
    return state


def train_to_epoch(epoch: int, name: str, data: Any, save_dir: Path, *flags: Any) -> Dict[str, Any]:
    return run_training(name, data, save_dir, "--max-epoch", epoch, "--num-workers", "0", *flags)


def assert_same_weights(one: Dict[str, Any], other: Dict[str, Any]) -> None:
    """Bit by bit: whatever the same batches in the same order give."""
    assert one["model"].keys() == other["model"].keys()
    for name, weight in one["model"].items():
        if "_float_tensor" not in name:  # an uninitialised buffer of fairseq's positions
            assert torch.equal(weight, other["model"][name]), name


CHANGING = [
    "--sampling-method",
    "temperature",
    "--sampling-temperature-schedule",
    "1:5,2:2,3:1",
    "--virtual-data-size",
    "150",
]
RESUMED = {
    "plain": ("data", 11, ["--num-workers", "0"]),
    "two batches an update": ("data", 5, ["--num-workers", "0", "--update-freq", "2"]),
    "a worker": ("data", 11, ["--num-workers", "1", "--update-freq", "2"]),
    "second folder": ("shards", 33, ["--num-workers", "0", "--update-freq", "2"]),
    "changing temperature": ("data", 29, [*CHANGING, "--num-workers", "0"]),
    "changing temperature in parts": (
        "shards",
        23,
        [*CHANGING, "--num-workers", "0", "--virtual-epoch-size", "100"],
    ),
}


@pytest.mark.parametrize(("corpus", "stop", "flags"), RESUMED.values(), ids=RESUMED)
def test_training_resumed_in_mid_epoch_ends_with_the_same_weights(
    request: pytest.FixtureRequest, tmp_path: Path, corpus: str, stop: int, flags: List[str]
) -> None:
    corpus = request.getfixturevalue(corpus)
    through = train_to(stop + 15, OURS, corpus, tmp_path / "through", *flags)
    stopped = train_to(stop, OURS, corpus, tmp_path / "resumed", *flags)
    assert stopped["extra_state"]["train_iterator"]["iterations_in_epoch"] > 0
    resumed = train_to(stop + 15, OURS, corpus, tmp_path / "resumed", *flags)
    assert resumed["extra_state"]["train_iterator"] == through["extra_state"]["train_iterator"]
    assert_same_weights(resumed, through)


@pytest.mark.parametrize("first", [STOCK, OURS])
def test_either_task_goes_on_from_the_others_checkpoints(
    data: Path, tmp_path: Path, first: str
) -> None:
    """After an epoch, then in the middle of the second; the weights are those of a single task."""
    second = {STOCK: OURS, OURS: STOCK}[first]
    alone = train_to_epoch(2, first, data, tmp_path / "alone", "--disable-validation")
    after_one = train_to_epoch(1, first, data, tmp_path / "turns", "--disable-validation")
    assert after_one["extra_state"]["train_iterator"] == {
        **alone["extra_state"]["train_iterator"],
        "epoch": 2,
    }
    middle = after_one["optimizer_history"][-1]["num_updates"] + 7
    train_to(middle, second, data, tmp_path / "turns", "--num-workers", "0")
    assert_same_weights(
        train_to_epoch(2, first, data, tmp_path / "turns", "--disable-validation"), alone
    )


@pytest.fixture(scope="module")
def checkpoint(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    save_dir = tmp_path_factory.mktemp("checkpoints")
    train_to(
        30,
        OURS,
        data,
        save_dir,
        "--num-workers",
        "0",
        "--sampling-method",
        "temperature",
        "--sampling-temperature-schedule",
        "1:3",
    )
    return save_dir / "checkpoint_last.pt"


def hypotheses(name: str, data: Path, checkpoint: Path, out: Path) -> List[Tuple[str, str, str]]:
    words = [
        *task_flags(name, data, *FORMAT),
        "--user-dir",
        USER_DIR,
        "--path",
        checkpoint,
        "--cpu",
        "--num-workers",
        "0",
        "--beam",
        "3",
    ]
    run_in_process(
        generate, *words, "--source-lang", "fr", "--target-lang", "en", "--results-path", out
    )
    return re.findall(
        r"^H-(\d+)\t([^\t]+)\t(.*)$", (out / "generate-test.txt").read_text(), re.MULTILINE
    )


def test_stocks_task_decodes_our_checkpoints_to_the_same_hypotheses(
    data: Path, checkpoint: Path, tmp_path: Path
) -> None:
    stock, ours = (hypotheses(name, data, checkpoint, tmp_path / name) for name in (STOCK, OURS))
    assert len(ours) == 6
    assert ours == stock


def test_validation_loss_is_stocks(data: Path, tmp_path: Path) -> None:
    stock, ours = (
        train_to_epoch(1, name, data, tmp_path / name)["extra_state"]["val_loss"]
        for name in (STOCK, OURS)
    )
    assert ours == stock > 1


def test_another_train_subset_goes_through_all_its_folders(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """fairseq-train asks for new data between epochs in the name of "train" only."""
    folders = [
        binarize(tmp_path / name, {("de", "en"): size}, seed=size)
        for name, size in (("a", 30), ("b", 31))
    ]
    for path in (path for folder in folders for path in folder.glob("train.*")):
        path.rename(path.with_name(path.name.replace("train", "mine")))
    caplog.set_level("INFO")
    flags = ["--lang-pairs", "de-en,en-de", "--train-subset", "mine", "--disable-validation"]
    train_to_epoch(3, OURS, ":".join(map(str, folders)), tmp_path / "out", *flags)
    epochs = re.findall(r"epoch \d: (\d+) of (\d+) examples", caplog.text)
    assert epochs == [
        ("60", "60"),
        ("62", "62"),
        ("60", "60"),
        ("62", "62"),
    ]  # fairseq-train sets up one more before it ends

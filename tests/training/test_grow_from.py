"""train.sh --grow-from: a fairseq-train that begins with a checkpoint's loss, and wrong calls."""

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq_cli import train as fairseq_train

from deepnet_fairseq.commands import train
from deepnet_fairseq.commands.prepare import prepare
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.parallel import Jobs

LAST_DIGIT = 0.0011  # fairseq rounds the loss to three places; 0 when measured
CONFIG = """
data_dir: data
work_dir: shallow
corpus:
  {kind: cldr, languages: [de], kinds: [choice, offer], countries: 12, currencies: 6,
  train_lines: 60, dev_lines: 20, test_lines: 5}
vocabulary: {size: 110, hard_limit: false}
training:
  {arch: deepnet_transformer_tiny, encoder-embed-dim: 16, encoder-ffn-embed-dim: 24,
  encoder-layers: 2, decoder-layers: 1, optimizer: adam, share-all-embeddings: true, lr: 0.01,
  dropout: 0.0, criterion: label_smoothed_cross_entropy, max-tokens: 500, num-workers: 0,
  no-epoch-checkpoints: true, tensorboard-logdir: null, max-update: 20, max-epoch: 20}
"""
DEEP = ["--encoder-layers", "4", "--decoder-layers", "3", "--save-dir", "deep"]
STANDSTILL = ["--lr", "0", "--max-update", "1"]


def train_here(folder: Path, *flags: Any) -> Tuple[int, List[str]]:
    """Run train.sh, fairseq-train included, in a folder.

    Returns the status, and the command that train.sh became, empty if none.
    """
    executed: List[str] = []

    def become(words: List[str], programs: Path) -> None:
        executed.extend(words)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words)
            fairseq_train.cli_main()

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(torch.cuda, "device_count", lambda: 0)
        patch.setattr(os, "dup2", lambda *_: None)
        patch.setattr(train, "become", become)
        return train.main(["toy.yaml", *map(str, flags)]) or 0, executed


def load(path: Path) -> Dict[str, Any]:
    return checkpoint_utils.load_checkpoint_to_cpu(str(path))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, its data, and a trained model of 2-1 layers."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepare(load_recipe(Path("toy.yaml")), Downloads(folder), Jobs())
    train_here(folder)
    return folder


@pytest.fixture
def shallow(toy: Path) -> Path:
    return toy / "shallow/checkpoints/checkpoint_last.pt"


def test_training_begins_with_the_loss_that_the_shallow_model_ended_with(
    toy: Path, shallow: Path, capsys: pytest.CaptureFixture
) -> None:
    _, command = train_here(toy, *DEEP, *STANDSTILL, "--grow-from", shallow)
    assert command[command.index("--finetune-from-model") + 1] == "deep/grown.pt"
    assert (
        f"train.sh: {shallow} has grown from 2-1 to 4-3 layers: deep/grown.pt\n"
        in capsys.readouterr().err
    )
    before, after = load(shallow), load(toy / "deep/checkpoint_last.pt")
    assert after["extra_state"]["val_loss"] == pytest.approx(
        before["extra_state"]["val_loss"], abs=LAST_DIGIT
    )
    assert after["optimizer_history"][-1]["num_updates"] == 1
    assert after["extra_state"]["train_iterator"]["epoch"] == 1

    # interrupted, and started again by the same command
    grown = (toy / "deep/grown.pt").stat()
    _, command = train_here(toy, *DEEP, "--max-update", "3", "--grow-from", shallow)
    assert "--finetune-from-model" not in command
    assert (
        "deep holds a training that has begun: it resumes, and nothing is grown"
        in capsys.readouterr().err
    )
    assert (toy / "deep/grown.pt").stat() == grown
    after = load(toy / "deep/checkpoint_last.pt")
    assert [entry["num_updates"] for entry in after["optimizer_history"]][-2:] == [1, 3]


def test_the_same_seed_gives_the_same_file(toy: Path, shallow: Path) -> None:
    states = []
    for folder in ("one", "two"):
        train_here(toy, *DEEP, *STANDSTILL, "--save-dir", folder, "--grow-from", shallow)
        assert not list((toy / folder).glob("*.partial"))
        states.append(load(toy / folder / "grown.pt")["model"])
    assert all(
        torch.equal(tensor, states[1][name])
        for name, tensor in states[0].items()
        if "_float_tensor" not in name
    )


def test_a_dry_run_writes_nothing(toy: Path, capsys: pytest.CaptureFixture) -> None:
    assert train_here(toy, "--dry-run", "--save-dir", "absent", "--grow-from", "absent.pt") == (
        0,
        [],
    )
    assert "--finetune-from-model absent/grown.pt" in capsys.readouterr().out
    assert not (toy / "absent").exists()


CONFLICTING = [
    (["--finetune-from-model", "x.pt"], "--finetune-from-model do not go together"),
    (["--restore-file", "x.pt"], "--restore-file do not go together"),
    (["--reset-optimizer"], "--reset-optimizer do not go together"),
    (["--grow-from", "x.pt"], "--grow-from is given twice"),
    (["--save-dir", "shallow/checkpoints"], "give it another --save-dir"),
]


@pytest.mark.parametrize(
    ("flags", "message"), CONFLICTING, ids=[flags[0] for flags, _ in CONFLICTING]
)
def test_conflicting_flags_are_a_wrong_call(
    toy: Path, shallow: Path, flags: List[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert train_here(toy, "--save-dir", "absent", "--grow-from", shallow, *flags) == (2, [])
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


REFUSED = [
    ("absent.pt", [], "absent.pt cannot be read as a checkpoint"),
    ("toy.yaml", [], "cannot read checkpoint toy.yaml"),
    (
        "other.pt",
        [],
        "other.pt holds a model of the architecture transformer; only deepnet_transformer",
    ),
    (
        "broken.pt",
        [],
        "broken.pt does not hold the weights of its own options: 'encoder.embedding.tokens.weight'",
    ),
    (
        "",
        ["--encoder-layers", "5"],
        "cannot grow into this model: --encoder-layers is 5, and must be a multiple of the trained "
        "model's 2",
    ),
    (
        "",
        ["--residual-scheme", "pre-ln"],
        "--residual-scheme is pre-ln, and must be the trained model's deepnorm",
    ),
    (
        "",
        ["--encoder-embed-dim", "32"],
        "--encoder-embed-dim is 32, and must be the trained model's 16",
    ),
    ("", ["--langs", "de,en,fr"], "the source dictionary has "),
    ("", ["--arch", "transformer"], "--arch is transformer; only deepnet_transformer"),
]


@pytest.mark.parametrize(
    ("name", "flags", "message"), REFUSED, ids=[message[:45] for _, _, message in REFUSED]
)
def test_what_cannot_grow_is_one_line_that_names_it_and_leaves_nothing(
    toy: Path,
    shallow: Path,
    name: str,
    flags: List[str],
    message: str,
    capsys: pytest.CaptureFixture,
) -> None:
    for file, arch in (("other.pt", "transformer"), ("broken.pt", "deepnet_transformer")):
        torch.save({"model": {}, "cfg": {"model": Namespace(arch=arch)}}, toy / file)
    assert train_here(
        toy, *DEEP, "--save-dir", "absent", *flags, "--grow-from", name or shallow
    ) == (1, [])
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (toy / "absent").exists()


def test_a_folder_that_cannot_be_written_is_one_line(
    toy: Path, shallow: Path, capsys: pytest.CaptureFixture
) -> None:
    (toy / "in the way").write_text("a file")
    assert train_here(
        toy, *DEEP, "--save-dir", "in the way/checkpoints", "--grow-from", shallow
    ) == (1, [])
    error = capsys.readouterr().err
    assert "in the way/checkpoints/grown.pt cannot be written" in error and error.count("\n") == 1


def test_a_flag_that_the_task_refuses_is_named_and_not_the_checkpoint(
    toy: Path, shallow: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train_here(
        toy, *DEEP, "--save-dir", "absent", "--stability-interval", "0", "--grow-from", shallow
    ) == (1, [])
    error = capsys.readouterr().err
    assert (
        "--stability-interval is 0" in error
        and "grow" not in error.replace("grow-from", "")
        and error.count("\n") == 1
    )

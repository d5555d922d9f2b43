"""commands/train.py: the fairseq-train command that it becomes, and when it does not start."""

import os
import shlex
import signal
import sys
from argparse import Namespace
from pathlib import Path
from typing import List, Tuple

import pytest
import torch
from fairseq.options import get_training_parser

from deepnet_fairseq.commands import train
from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.training.launch import GPUS_PER_NODE, PORT

CONFIG = """
corpus: {kind: cldr, languages: [de, fr], train_lines: 50, dev_lines: 5, test_lines: 5}
training: {arch: deepnet_transformer_tiny, max-update: 10, optimizer: adam, max-tokens: 1000}
"""
SHARED = CONFIG + "tokens_per_update: 8000\n"  # the same tokens on any number of GPUs


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> List[List[str]]:
    """The commands that were executed, without executing them."""
    calls: List[List[str]] = []
    monkeypatch.setattr(os, "execve", lambda path, words, environment: calls.append([path, *words]))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # and its answers to signals
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # this process keeps its stdout
    return calls


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


def test_a_dry_run_prints_the_command_with_the_callers_flags_last(
    config: Path, capsys: pytest.CaptureFixture, executed: list
) -> None:
    assert (
        train.main([str(config), "--dry-run", "--max-update", "3", "--adam-betas", "(0.9, 0.999)"])
        == 0
    )
    words = shlex.split(capsys.readouterr().out)
    ours = [*load_recipe(config).training_command(), "--cpu", "--distributed-world-size", "1"]
    assert words == [*ours, "--max-update", "3", "--adam-betas", "(0.9, 0.999)"]
    assert executed == []


def dry_run(
    config: Path, capsys: pytest.CaptureFixture, *options: str
) -> Tuple[List[str], Namespace, str]:
    """Return the launcher's words, fairseq-train's options as its own parser reads them, stderr."""
    assert train.main([str(config), "--dry-run", *options]) == 0
    output = capsys.readouterr()
    words = shlex.split(output.out)
    place = words.index("fairseq-train")
    return words[:place], parse_flags(get_training_parser(), words[place + 1 :]), output.err


LAUNCHES = [
    (
        "as it is",
        [],
        "",
        1000,
        8,
        "1 CPU process × 1,000 tokens × update-freq 8 = 8,000 tokens per update",
    ),
    ("one GPU", ["--gpus", "1"], "", 1000, 8, "1 GPU × 1,000"),
    (
        "two GPUs",
        ["--gpus", "2"],
        "torchrun --standalone --nproc-per-node 2",
        1000,
        4,
        "2 GPUs × 1,000 tokens × update-freq 4 = 8,000",
    ),
    (
        "sixteen",
        ["--gpus", "16"],
        "torchrun --nnodes 2",
        500,
        1,
        "16 GPUs × 500 tokens × update-freq 1 = 8,000",
    ),
    (
        "two CPUs",
        ["--processes", "2"],
        "torchrun --standalone --nproc-per-node 2",
        1000,
        4,
        "2 CPU processes",
    ),
    (
        "less at a time",
        ["--max-tokens", "250"],
        "",
        250,
        32,
        "1 CPU process × 250 tokens × update-freq 32 = 8,000",
    ),
    ("parts of one's own", ["--update-freq", "3"], "", 1000, 3, ""),
]


@pytest.mark.parametrize(
    ("options", "launcher", "max_tokens", "update_freq", "message"),
    [c[1:] for c in LAUNCHES],
    ids=[c[0] for c in LAUNCHES],
)
def test_the_tokens_of_an_update_are_shared_out(
    config: Path,
    capsys: pytest.CaptureFixture,
    options: List[str],
    launcher: str,
    max_tokens: int,
    update_freq: int,
    message: str,
) -> None:
    config.write_text(SHARED)
    words, flags, error = dry_run(config, capsys, *options)
    assert words[: len(launcher.split())] == launcher.split()
    assert (flags.max_tokens, flags.update_freq) == (max_tokens, [update_freq])
    assert message in error and error.count("\n") == bool(message)


VALIDATIONS = [
    ("what fits on a GPU", "", ["--gpus", "16"], 1000),
    ("what the caller trains with", "", ["--max-tokens", "250"], 250),
    ("the config's", "max-tokens-valid: 700, ", ["--gpus", "16"], 700),
    ("the caller's", "max-tokens-valid: 700, ", ["--gpus", "16", "--max-tokens-valid", "600"], 600),
]


@pytest.mark.parametrize(
    ("flag", "options", "expected"), [c[1:] for c in VALIDATIONS], ids=[c[0] for c in VALIDATIONS]
)
def test_validation_takes_what_fits_however_little_an_update_takes(
    config: Path, capsys: pytest.CaptureFixture, flag: str, options: List[str], expected: int
) -> None:
    config.write_text(SHARED.replace("max-update", f"{flag}max-update"))
    _, flags, _ = dry_run(config, capsys, *options)
    assert int(flags.max_tokens_valid) == expected  # a string in fairseq's parser


def test_too_many_gpus_for_an_update_are_rejected_but_for_a_dry_run(
    config: Path, capsys: pytest.CaptureFixture, executed: list
) -> None:
    config.write_text(SHARED)
    _, flags, error = dry_run(config, capsys, "--processes", "64")
    assert (flags.max_tokens, flags.update_freq) == (125, [1])
    assert (
        "8,000 tokens per update are 125 for each of 64 CPU processes" in error
        and "use 31 or fewer" in error
    )
    make_data(config)
    assert train.main([str(config), "--processes", "64"]) == 2
    assert "use 31 or fewer" in capsys.readouterr().err.splitlines()[-1]
    assert executed == []
    train.main([str(config), "--processes", "64", "--max-tokens", "125"])
    assert executed


WRONG = [
    (["--gpus", "2"], "2 GPUs are requested on this machine, which has 0"),
    (["--processes", "2", "--nodes", "2"], "2 machines need --master HOST:PORT"),
    (["--processes", "2", "--gpus", "2"], "--processes is for training on the CPU"),
    (["--processes", "9000"], "9000 processes cannot share 8,000 tokens per update"),
    (["--master", "node1:x"], "--master is 'node1:x'"),
    (["--node-rank", "1"], "--node-rank is 1"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[message for _, message in WRONG])
def test_processes_that_do_not_go_together_are_a_wrong_call(
    config: Path, capsys: pytest.CaptureFixture, executed: list, options: List[str], message: str
) -> None:
    config.write_text(SHARED)
    make_data(config)
    assert train.main([str(config), *options]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert executed == []


def test_half_precision_is_for_gpus(config: Path, capsys: pytest.CaptureFixture) -> None:
    config.write_text(
        CONFIG.replace("max-update", "fp16: true, fp16-no-flatten-grads: true, max-update")
    )
    _, flags, error = dry_run(config, capsys)
    assert not flags.fp16 and not flags.fp16_no_flatten_grads
    assert error == "train.sh: no --fp16, --fp16-no-flatten-grads on the CPU\n"
    _, flags, error = dry_run(config, capsys, "--gpus", "8")
    assert flags.fp16 and flags.fp16_no_flatten_grads and error == ""
    _, flags, _ = dry_run(config, capsys, "--fp16")  # whoever asks for it gets it
    assert flags.fp16


def test_the_loss_is_shown_by_tensorboard_unless_the_config_says_no(
    config: Path, capsys: pytest.CaptureFixture
) -> None:
    assert dry_run(config, capsys)[1].tensorboard_logdir == "runs/small/tensorboard"
    config.write_text(CONFIG.replace("max-update", "tensorboard-logdir: null, max-update"))
    assert dry_run(config, capsys)[1].tensorboard_logdir is None


def test_without_data_it_says_what_makes_them_and_leaves_nothing(
    config: Path, capsys: pytest.CaptureFixture, executed: list
) -> None:
    assert train.main([str(config)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "runs/small/data-bin/dict.de.txt is missing; run scripts/prepare.sh" in error
    assert executed == []
    assert list(config.parent.iterdir()) == [config]


def make_data(config: Path) -> Recipe:
    recipe = load_recipe(config)
    recipe.data_bin.mkdir(parents=True)
    for language in recipe.languages:
        (recipe.data_bin / f"dict.{language}.txt").touch()
    return recipe


@pytest.mark.parametrize(("updates", "finished"), [(9, False), (10, True), (11, True)])
def test_a_finished_training_is_left_alone(
    config: Path, capsys: pytest.CaptureFixture, executed: list, updates: int, finished: bool
) -> None:
    folder = make_data(config).checkpoint_dir
    folder.mkdir()
    torch.save(
        {"model": {}, "optimizer_history": [{"num_updates": updates}]},
        folder / "checkpoint_last.pt",
    )
    before = (folder / "checkpoint_last.pt").read_bytes()
    assert not train.main([str(config)])
    assert bool(executed) != finished
    assert ("nothing left to do" in capsys.readouterr().err) == finished
    assert (folder / "checkpoint_last.pt").read_bytes() == before
    train.main([str(config), "--max-update", "20"])
    assert executed  # the caller's flag wins


def test_a_flag_that_fairseq_does_not_take_is_a_wrong_call(
    config: Path, capsys: pytest.CaptureFixture, executed: list
) -> None:
    make_data(config)
    assert train.main([str(config), "--max-updates", "3"]) == 2
    assert capsys.readouterr().err == "train.sh: unrecognized arguments: --max-updates 3\n"
    assert executed == []


def test_with_data_it_prints_the_command_and_becomes_it(
    config: Path, capsys: pytest.CaptureFixture, executed: list
) -> None:
    make_data(config)
    train.main([str(config), "--seed", "5"])
    [[path, program, *words]] = executed
    assert str(path) == program == str(Path(sys.executable).with_name("fairseq-train"))
    assert shlex.split(capsys.readouterr().err) == ["fairseq-train", *words]
    assert words[-2:] == ["--seed", "5"]


def test_the_folder_of_the_log_is_made_where_data_lie_elsewhere(
    config: Path, executed: list
) -> None:
    config.write_text(CONFIG + "data_dir: shared\n")
    make_data(config)
    train.main([str(config)])
    [words] = executed
    assert Path(words[words.index("--log-file") + 1]).parent.is_dir()
    assert words[2] == "shared/data-bin"


def test_several_processes_are_torchruns(config: Path, executed: list) -> None:
    make_data(config)
    train.main([str(config), "--processes", "2"])
    [[path, program, *words]] = executed
    assert str(path) == program == str(Path(sys.executable).with_name("torchrun"))
    assert words[-5:] == ["--cpu", "--distributed-backend", "gloo", "--ddp-backend", "legacy_ddp"]


def test_a_config_that_cannot_be_used_is_one_line_on_stderr(
    config: Path, capsys: pytest.CaptureFixture
) -> None:
    config.write_text("corpse: {}")
    assert train.main([str(config)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"train.sh: {config}: unknown key 'corpse'")


def test_the_help_names_every_option_and_its_default() -> None:
    text = " ".join(train.make_parser().format_help().split())
    options = [a for a in train.make_parser()._actions if a.option_strings and a.dest != "help"]
    assert len(options) == 8
    for option in options:
        assert " ".join(filter(None, [option.option_strings[0], option.metavar])) in text
    assert f"default port: {PORT}" in text and f"with --gpus {GPUS_PER_NODE}, or all)" in text


@pytest.mark.parametrize("where", ["configs/cldr_quickstart.yaml", "../cldr_quickstart.yaml"])
def test_the_old_path_of_a_config_is_accepted_with_a_line_that_says_the_new_one(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    root = Path(train.__file__).parents[2]
    monkeypatch.chdir(root if where.startswith("configs") else root / "configs/wmt17")
    assert train.main([where, "--dry-run"]) == 0
    out, error = capsys.readouterr()
    new = str(Path(where).parent / "cldr/cldr_quickstart.yaml")
    assert error.splitlines()[0] == f"{where} has moved to {new}; use the new path"
    assert train.main([new, "--dry-run"]) == 0
    assert capsys.readouterr().out == out

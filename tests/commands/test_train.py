"""commands/train.py: the fairseq-train command that it becomes, and when it refuses to."""

import os
import shlex
import sys
from pathlib import Path
from typing import List

import pytest
import torch

from deepnet_fairseq.commands import train
from deepnet_fairseq.recipe import Recipe, load_recipe

CONFIG = """
corpus: {kind: cldr, languages: [de, fr], train_lines: 50, dev_lines: 5, test_lines: 5}
training: {arch: deepnet_transformer_tiny, max-update: 10, optimizer: adam}
"""


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
    monkeypatch.setattr(os, "execv", lambda path, words: calls.append([path, *words]))
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # this process keeps its stdout
    return calls


def test_a_dry_run_prints_the_command_with_the_callers_flags_last(config: Path, capsys: pytest.CaptureFixture, executed: list) -> None:
    assert train.main([str(config), "--dry-run", "--max-update", "3", "--adam-betas", "(0.9, 0.999)"]) == 0
    words = shlex.split(capsys.readouterr().out)
    recipe = load_recipe(config)
    assert words == recipe.training_command(cpu=not torch.cuda.is_available()) + ["--max-update", "3", "--adam-betas", "(0.9, 0.999)"]
    assert executed == []


def test_without_data_it_says_what_makes_them_and_leaves_nothing(config: Path, capsys: pytest.CaptureFixture, executed: list) -> None:
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
    torch.save({"model": {}, "optimizer_history": [{"num_updates": updates}]}, folder / "checkpoint_last.pt")
    before = (folder / "checkpoint_last.pt").read_bytes()
    assert not train.main([str(config)])
    assert bool(executed) != finished
    assert ("nothing left to do" in capsys.readouterr().err) == finished
    assert (folder / "checkpoint_last.pt").read_bytes() == before
    train.main([str(config), "--max-update", "20"])
    assert executed  # the caller's flag wins


def test_a_flag_that_fairseq_does_not_take_is_a_wrong_call(config: Path, capsys: pytest.CaptureFixture, executed: list) -> None:
    make_data(config)
    assert train.main([str(config), "--max-updates", "3"]) == 2
    assert capsys.readouterr().err == "train.sh: unrecognized arguments: --max-updates 3\n"
    assert executed == []


def test_with_data_it_prints_the_command_and_becomes_it(config: Path, capsys: pytest.CaptureFixture, executed: list) -> None:
    make_data(config)
    train.main([str(config), "--seed", "5"])
    [[path, program, *words]] = executed
    assert str(path) == program == str(Path(sys.executable).with_name("fairseq-train"))
    assert shlex.split(capsys.readouterr().err) == ["fairseq-train", *words]
    assert words[-2:] == ["--seed", "5"]


def test_a_config_that_cannot_be_used_is_one_line_on_stderr(config: Path, capsys: pytest.CaptureFixture) -> None:
    config.write_text("corpse: {}")
    assert train.main([str(config)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"train.sh: {config}: unknown key 'corpse'")

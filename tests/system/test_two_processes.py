"""train.sh on two processes (torchrun, gloo, CPU) against one: equal losses and equal weights.

Two processes take the batches 2k and 2k+1 of update k; one process takes both in turn, so results
can differ only by rounding.
"""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from fairseq import checkpoint_utils
from support.project_scripts import ROOT, run_script

UPDATES = 45  # a little more than two epochs
LAST_DIGIT = 0.0015  # fairseq prints losses to three places; 0 when measured
ROUNDING = 1e-6  # of a weight; 0 when measured
CONFIG = f"""
extends: {ROOT}/configs/base.yaml
data_dir: data
work_dir: one
corpus:
  kind: cldr
  languages: [de, es]
  kinds: [choice, offer]
  countries: 12
  currencies: 6
  max_number: 20
  train_lines: 300
  dev_lines: 20
  test_lines: 5
vocabulary: {{size: 137}}
tokens_per_update: 1000
training:
  arch: deepnet_transformer_tiny
  dropout: 0.0 # each process draws its own
  lr: 2.0e-3
  warmup-updates: 10
  clip-norm: 1.0
  max-tokens: 500
  max-update: {UPDATES}
  no-epoch-checkpoints: true
  num-workers: 0
  log-interval: 1
  log-format: json
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of data/, the trainings one/ and two/, and their stderr, one.log and two.log."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "one.yaml").write_text(CONFIG)
    (folder / "two.yaml").write_text("extends: one.yaml\nwork_dir: two\n")
    run_script(folder, "prepare.sh", "one.yaml")
    for name, processes in (("one", "1"), ("two", "2")):
        done = run_script(folder, "train.sh", f"{name}.yaml", "--processes", processes)
        (folder / f"{name}.log").write_text(done.stderr)
    return folder


def progress(log: Path, tag: str) -> List[Dict[str, Any]]:
    """Return what fairseq logged under a tag, such as train_inner."""
    lines = [line.split(" | ", 3) for line in log.read_text().splitlines()]
    return [json.loads(line[3]) for line in lines if len(line) == 4 and line[2] == tag]


def test_updates_have_the_same_tokens_and_sentences(folder: Path) -> None:
    one, two = (progress(folder / f"{name}.log", "train_inner") for name in ("one", "two"))
    assert [row["num_updates"] for row in one] == [str(update) for update in range(1, UPDATES + 1)]
    for key in ("num_updates", "epoch", "wpb", "bsz", "lr"):
        assert [row[key] for row in one] == [row[key] for row in two]
    assert "update-freq 2 = 1,000 tokens" in (folder / "one.log").read_text()
    assert "update-freq 1 = 1,000 tokens" in (folder / "two.log").read_text()


@pytest.mark.parametrize(
    ("tag", "names"),
    [("train_inner", ["loss", "nll_loss", "gnorm"]), ("valid", ["valid_loss", "valid_nll_loss"])],
)
def test_losses_are_the_same(folder: Path, tag: str, names: List[str]) -> None:
    one, two = (progress(folder / f"{name}.log", tag) for name in ("one", "two"))
    assert len(one) == len(two) == {"train_inner": UPDATES, "valid": 3}[tag]
    for name in names:
        assert [float(row[name]) for row in two] == pytest.approx(
            [float(row[name]) for row in one], abs=LAST_DIGIT
        )
        assert float(one[-1][name]) < 0.95 * float(one[0][name])  # it learns


def test_the_final_weights_are_the_same(folder: Path) -> None:
    one, two = (
        checkpoint_utils.load_checkpoint_to_cpu(
            str(folder / name / "checkpoints/checkpoint_last.pt")
        )["model"]
        for name in ("one", "two")
    )
    assert one.keys() == two.keys()
    for name, weight in one.items():
        # _float_tensor is an uninitialised buffer of fairseq's positions.
        if weight.is_floating_point() and "_float_tensor" not in name:
            torch.testing.assert_close(two[name], weight, atol=ROUNDING, rtol=0, msg=name)


@pytest.mark.parametrize("name", ["one", "two"])
def test_tensorboard_gets_the_losses(folder: Path, name: str) -> None:
    for tag in ("train_inner", "valid"):
        [events] = (folder / name / "tensorboard" / tag).iterdir()  # of the first process alone
        assert events.stat().st_size > 0

"""Checkpoint averaging: the choice of files, the mean, and what is rejected.

test_evaluate_command.py shows that fairseq loads the result.
"""

import logging
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
import torch

from deepnet_fairseq.checkpoints import average, average_newest, find_newest, load_checkpoint
from deepnet_fairseq.errors import EvaluationError


def save(path: Path, updates: int, model: Optional[Dict[str, torch.Tensor]] = None) -> Path:
    """Write what fairseq-train writes, as far as averaging is concerned."""
    state: Dict[str, Any] = {
        "args": None,
        "cfg": {"task": {"_name": "toy"}},
        "model": {"weight": torch.full((2, 3), float(updates))} if model is None else model,
        "optimizer_history": [{"num_updates": updates, "optimizer_name": "Adam"}],
        "extra_state": {"train_iterator": {"epoch": 1}},
        "last_optimizer_state": {"moments": torch.zeros(1000)},
    }
    torch.save(state, path)
    return path


def mean_of(folder: Path, *models: Dict[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    paths = [save(folder / f"checkpoint{i}.pt", 10 - i, model) for i, model in enumerate(models)]
    average(paths, folder / "mean.pt")
    return load_checkpoint(folder / "mean.pt")["model"]


def test_every_weight_is_the_mean_over_the_checkpoints(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    models = [
        {"a": torch.randn(12, 14, generator=generator), "b": torch.randn(16, generator=generator)}
        for _ in range(3)
    ]
    mean = mean_of(tmp_path, *models)
    for name in ("a", "b"):
        expected = torch.stack([model[name].double() for model in models]).mean(0)
        torch.testing.assert_close(mean[name].double(), expected, atol=1e-7, rtol=1e-6)


def test_half_precision_is_summed_in_float32_and_stays_half(tmp_path: Path) -> None:
    mean = mean_of(
        tmp_path, *[{"w": torch.tensor([60000.0, 1.0]).half()} for _ in range(4)]
    )  # their sum is beyond float16
    assert torch.equal(mean["w"], torch.tensor([60000.0, 1.0]).half())


def test_counters_are_the_newest_ones(tmp_path: Path) -> None:
    mean = mean_of(
        tmp_path,
        {"n": torch.tensor([7]), "on": torch.tensor(True)},
        {"n": torch.tensor([2]), "on": torch.tensor(False)},
    )
    assert mean["n"].tolist() == [7]
    assert mean["on"].item() is True


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    def model(value: float) -> Dict[str, torch.Tensor]:
        shared = torch.full((12, 14), value)
        return {
            "encoder": shared,
            "decoder": shared,
            "same values": shared.clone(),
            "empty": torch.zeros(0),
            "void": torch.zeros(0),
        }

    mean = mean_of(tmp_path, model(1.0), model(3.0))
    assert (
        mean["encoder"].data_ptr() == mean["decoder"].data_ptr() != mean["same values"].data_ptr()
    )
    assert torch.equal(mean["decoder"], torch.full((12, 14), 2.0))


def test_all_but_the_optimizers_state_is_kept_and_the_sources_are_recorded(tmp_path: Path) -> None:
    paths = [save(tmp_path / "checkpoint2.pt", 20), save(tmp_path / "checkpoint1.pt", 10)]
    average(paths, tmp_path / "mean.pt")
    state = load_checkpoint(tmp_path / "mean.pt")
    assert "last_optimizer_state" not in state
    assert state["cfg"] == {"task": {"_name": "toy"}}
    assert state["optimizer_history"][-1]["num_updates"] == 20
    assert [(s["file"], s["updates"]) for s in state["averaged_from"]] == [
        ("checkpoint2.pt", 20),
        ("checkpoint1.pt", 10),
    ]
    assert not list(tmp_path.glob("*.partial"))


REFUSED = [
    ({"a": torch.zeros(2)}, r"checkpoint1\.pt lacks b, which .*checkpoint0\.pt holds"),
    (
        {"a": torch.zeros(2), "b": torch.zeros(3), "c": torch.zeros(1)},
        r"checkpoint0\.pt lacks c, which .*checkpoint1\.pt holds",
    ),
    (
        {"a": torch.zeros(2), "b": torch.zeros(3, 1)},
        r"b is \(3, 1\) in .*checkpoint1\.pt, \(3,\) in .*checkpoint0\.pt",
    ),
]


@pytest.mark.parametrize(("other", "message"), REFUSED, ids=["missing", "surplus", "shape"])
def test_checkpoints_of_other_models_are_rejected_by_file_and_tensor(
    tmp_path: Path, other: Dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        mean_of(tmp_path, {"a": torch.zeros(2), "b": torch.zeros(3)}, other)
    assert not (tmp_path / "mean.pt").exists()


def test_a_copy_is_not_counted_twice(tmp_path: Path) -> None:
    paths = [save(tmp_path / name, 20) for name in ("checkpoint_best.pt", "checkpoint_last.pt")]
    with pytest.raises(
        EvaluationError,
        match=r"checkpoint_last\.pt and .*checkpoint_best\.pt are both of update 20",
    ):
        average(paths, tmp_path / "mean.pt")


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "checkpoint1.pt", 5)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(EvaluationError, match=r"checkpoint1\.pt"):
        find_newest(tmp_path, 1)


class Dangerous:
    """What no checkpoint should hold."""


def test_a_class_that_is_not_allowed_is_named(tmp_path: Path) -> None:
    torch.save({"model": {}, "other": Dangerous()}, tmp_path / "checkpoint1.pt")
    with pytest.raises(EvaluationError, match=r"checkpoint1\.pt holds .*Dangerous"):
        load_checkpoint(tmp_path / "checkpoint1.pt")


RUNS = {
    "epochs, by updates and not by name": (
        {"checkpoint9.pt": 90, "checkpoint10.pt": 100, "checkpoint8.pt": 80},
        2,
        [100, 90],
    ),
    "epochs and intervals": (
        {"checkpoint1.pt": 70, "checkpoint_1_50.pt": 50, "checkpoint_2_100.pt": 100},
        2,
        [100, 70],
    ),
    "last is newer": ({"checkpoint_1_50.pt": 50, "checkpoint_last.pt": 55}, 2, [55, 50]),
    "last is a copy": (
        {"checkpoint_1_50.pt": 50, "checkpoint_1_40.pt": 40, "checkpoint_last.pt": 50},
        2,
        [50, 40],
    ),
    "best is left out": (
        {"checkpoint_best.pt": 10, "checkpoint.best_loss_2.5.pt": 10, "checkpoint_last.pt": 50},
        2,
        [50],
    ),
    "best is all there is": ({"checkpoint_best.pt": 10}, 1, [10]),
    "an earlier mean is none": (
        {"checkpoint_average_of_2_at_90.pt": 90, "checkpoint_last.pt": 80},
        5,
        [80],
    ),
}


@pytest.mark.parametrize(("files", "count", "expected"), RUNS.values(), ids=RUNS.keys())
def test_the_newest_checkpoints_are_chosen(
    tmp_path: Path, files: Dict[str, int], count: int, expected: List[int]
) -> None:
    for name, updates in files.items():
        save(tmp_path / name, updates)
    assert [updates for updates, _ in find_newest(tmp_path, count)] == expected


def test_a_copy_that_keeps_its_content_is_preferred_to_last(tmp_path: Path) -> None:
    for name in ("checkpoint_last.pt", "checkpoint3.pt"):
        save(tmp_path / name, 30)
    assert find_newest(tmp_path, 1) == [(30, tmp_path / "checkpoint3.pt")]


def test_a_folder_without_checkpoints_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=f"{tmp_path} holds no checkpoint"):
        find_newest(tmp_path, 3)


def test_fewer_checkpoints_than_asked_for_are_averaged_and_said_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for updates in (10, 20):
        save(tmp_path / f"checkpoint_1_{updates}.pt", updates)
    with caplog.at_level(logging.WARNING):
        path = average_newest(tmp_path, 5)
    assert path == tmp_path / "checkpoint_average_of_2_at_20.pt"
    assert "2 different updates, not 5" in caplog.text
    assert torch.equal(load_checkpoint(path)["model"]["weight"], torch.full((2, 3), 15.0))


def test_one_checkpoint_is_the_newest_one_as_it_is(tmp_path: Path) -> None:
    for updates in (10, 20):
        save(tmp_path / f"checkpoint_1_{updates}.pt", updates)
    assert torch.equal(
        load_checkpoint(average_newest(tmp_path, 1))["model"]["weight"], torch.full((2, 3), 20.0)
    )


def test_a_mean_is_made_once_and_anew_when_a_source_has_changed(tmp_path: Path) -> None:
    path = save(tmp_path / "checkpoint_last.pt", 10)
    mean = average_newest(tmp_path, 1)
    made = mean.stat().st_mtime_ns
    assert average_newest(tmp_path, 1).stat().st_mtime_ns == made
    save(path, 10, {"weight": torch.full((2, 3), 4.0)})
    assert torch.equal(
        load_checkpoint(average_newest(tmp_path, 1))["model"]["weight"], torch.full((2, 3), 4.0)
    )

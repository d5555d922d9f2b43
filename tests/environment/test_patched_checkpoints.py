"""Checkpoints: what may be in one, how it is written, how workers share it."""

import os
import pickle
import re
import sys
import zipfile
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import pytest
import torch
from fairseq import checkpoint_utils, file_io, safe_loading
from fairseq.dataclass.configs import CheckpointConfig
from fairseq_cli import generate, train
from omegaconf import OmegaConf
from support.fairseq_commands import SMALL

LEGACY = ["--task", "translation_multi_simple_epoch", "--langs", "aa,bb"]
LEGACY += ["--lang-pairs", "aa-bb", "--encoder-langtok", "tgt"]


def save(path: Path, **entries: Any) -> str:
    """Write a checkpoint that holds `entries`; return its path."""
    history = [
        {"criterion_name": "C", "optimizer_name": "O", "lr_scheduler_state": {}, "num_updates": 3}
    ]
    state = {
        "model": {"w": torch.tensor([12.0])},
        "args": None,
        "extra_state": {"train_iterator": {"epoch": 1}},
        "optimizer_history": history,
    }
    state["extra_state"].update(entries.pop("extra_state", {}))
    torch.save({**state, **entries}, path)
    return str(path)


@pytest.mark.patch("safe-loading")
@pytest.mark.parametrize(
    "flags",
    [
        ["--task", "translation"],
        ["--task", "translation", "--eval-bleu", "--eval-bleu-args", '{"beam": 1, "max_len_b": 9}'],
        LEGACY,
        ["--bf16", "--store-ema"],
    ],
    ids=["dataclasses", "numpy-metrics", "namespaces", "bf16-and-ema"],
)
def test_what_fairseq_saves_it_resumes_from(
    flags: List[str], toy_data: Path, tmp_path: Path, in_process: Callable[..., None]
) -> None:
    words = [toy_data, *SMALL, *flags, "--save-dir", tmp_path]
    in_process(train, *words, "--max-update", 1)
    saved = checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "checkpoint_last.pt"))
    in_process(train, *words, "--max-update", 3)
    resumed = checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "checkpoint_last.pt"))
    assert [state["optimizer_history"][-1]["num_updates"] for state in (saved, resumed)] == [1, 3]


@pytest.mark.patch("safe-loading")
def test_what_fairseq_saves_it_translates_with(
    journey: Dict[str, Any],
    toy_data: Path,
    in_process: Callable[..., None],
    capsys: pytest.CaptureFixture,
) -> None:
    in_process(
        generate,
        toy_data,
        "--path",
        journey["folder"] / "checkpoint_best.pt",
        "--beam",
        1,
        "--cpu",
        "--num-workers",
        0,
    )
    assert sum(line.startswith("H-") for line in capsys.readouterr().out.splitlines()) == 7


class Malicious:
    """Runs a shell command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Tuple[Callable[[str], int], Tuple[str]]:
        return os.system, (f"touch '{self.target}'",)


class Unknown:
    """A class that no checkpoint of fairseq holds."""


@pytest.mark.patch("safe-loading")
@pytest.mark.parametrize(
    "hide",
    [lambda x: x, lambda x: Namespace(task=x), lambda x: [{"deep": x}]],
    ids=["bare", "in-namespace", "nested"],
)
@pytest.mark.parametrize(
    "load", [checkpoint_utils.load_checkpoint_to_cpu, checkpoint_utils.load_ema_from_checkpoint]
)
def test_checkpoint_that_would_run_code_is_refused_and_runs_nothing(
    load: Callable, hide: Callable, tmp_path: Path
) -> None:
    path = save(tmp_path / "bad.pt", cfg=hide(Malicious(tmp_path / "ran")))
    with pytest.raises(
        pickle.UnpicklingError, match=r"bad\.pt holds (posix|nt)\.system.*add_safe_globals"
    ):
        load(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.patch("safe-loading")
def test_checkpoint_older_than_the_zip_format_is_held_to_the_same(tmp_path: Path) -> None:
    torch.save(
        {"model": {"w": torch.tensor([12.0])}},
        tmp_path / "good.pt",
        _use_new_zipfile_serialization=False,
    )
    torch.save(
        {"args": Malicious(tmp_path / "ran")},
        tmp_path / "bad.pt",
        _use_new_zipfile_serialization=False,
    )
    with open(tmp_path / "good.pt", "rb") as good, open(tmp_path / "bad.pt", "rb") as bad:
        assert safe_loading.load_allowed(good, "good.pt")["model"]["w"].item() == 12.0
        with pytest.raises(pickle.UnpicklingError, match=r"bad\.pt.*(posix|nt)\.system"):
            safe_loading.load_allowed(bad, "bad.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.patch("safe-loading")
def test_unknown_class_is_named_until_a_plugin_allows_it(tmp_path: Path) -> None:
    path, allowed = (
        save(tmp_path / "own.pt", cfg=None, extra_state={"own": Unknown()}),
        torch.serialization.get_safe_globals(),
    )
    with pytest.raises(pickle.UnpicklingError, match=rf"own\.pt holds {__name__}\.Unknown,"):
        checkpoint_utils.load_checkpoint_to_cpu(path)
    assert torch.serialization.get_safe_globals() == allowed
    with torch.serialization.safe_globals([Unknown, Namespace]):
        assert isinstance(
            checkpoint_utils.load_checkpoint_to_cpu(path)["extra_state"]["own"], Unknown
        )
        assert Namespace in torch.serialization.get_safe_globals()


@pytest.mark.patch("safe-loading")
@pytest.mark.parametrize(
    "value",
    [
        np.array([3, 5]),
        np.array([0.5, 2.5], dtype=np.float32),
        np.float64(1.5),
        np.int64(7),
        np.bool_(True),
        Namespace(a=[1], b="c"),
    ],
    ids=["array", "array-of-float32", "float64", "int64", "bool", "namespace"],
)
def test_value_comes_back_as_it_was(value: Any, tmp_path: Path) -> None:
    loaded = checkpoint_utils.load_checkpoint_to_cpu(
        save(tmp_path / "values.pt", extra_state={"value": value})
    )["extra_state"]["value"]
    assert type(loaded) is type(value)
    np.testing.assert_equal(loaded, value)


@pytest.mark.patch("safe-loading")
@pytest.mark.parametrize(
    "module", [b"numpy.core.multiarray", b"numpy._core.multiarray"], ids=["numpy-1", "numpy-2"]
)
def test_array_saved_under_either_numpy_loads(module: bytes, tmp_path: Path) -> None:
    saved = save(tmp_path / "here.pt", extra_state={"value": np.array([3, 5])})
    with zipfile.ZipFile(saved) as here, zipfile.ZipFile(tmp_path / "there.pt", "w") as there:
        for entry in here.namelist():
            there.writestr(entry, re.sub(rb"numpy\._?core\.multiarray", module, here.read(entry)))
    assert checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "there.pt"))["extra_state"][
        "value"
    ].tolist() == [3, 5]


@pytest.mark.patch("safe-loading")
@pytest.mark.parametrize(
    "content", [b"", b"no checkpoint", None], ids=["empty", "text", "truncated"]
)
def test_file_that_is_no_whole_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    path = Path(save(tmp_path / "half.pt"))
    path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    with pytest.raises(pickle.UnpicklingError, match=r"half\.pt; is it whole"):
        checkpoint_utils.load_checkpoint_to_cpu(str(path))


@pytest.mark.patch("safe-loading")
def test_moving_average_loads_in_place_of_the_model(tmp_path: Path) -> None:
    path = save(
        tmp_path / "ema.pt", args=Namespace(), extra_state={"ema": {"w": torch.tensor([14.0])}}
    )
    assert checkpoint_utils.load_ema_from_checkpoint(path)["model"]["w"].item() == 14.0


def save_twice(folder: Path, save_checkpoint: Callable[[str, dict], None]) -> None:
    """Have fairseq save checkpoint1.pt, and checkpoint_last.pt as a copy of it."""
    trainer = SimpleNamespace(
        data_parallel_rank=0,
        consolidate_optimizer=lambda: None,
        should_save_checkpoint_on_current_rank=True,
        get_num_updates=lambda: 3,
        checkpoint_suffix="",
        save_checkpoint=save_checkpoint,
    )
    epoch = SimpleNamespace(epoch=1, end_of_epoch=lambda: True, state_dict=dict)
    checkpoint_utils.save_checkpoint(CheckpointConfig(save_dir=str(folder)), trainer, epoch, None)


@pytest.mark.patch("checkpoint-copies-are-atomic")
def test_kill_while_copying_leaves_the_last_checkpoint_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_twice(tmp_path, lambda path, state: Path(path).write_text("old and whole"))

    def killed(source: str, target: str) -> None:
        Path(target).write_text("ne")
        raise KeyboardInterrupt

    monkeypatch.setattr(file_io.shutil, "copyfile", killed)
    with pytest.raises(KeyboardInterrupt):
        save_twice(tmp_path, lambda path, state: Path(path).write_text("new and whole"))
    assert (tmp_path / "checkpoint_last.pt").read_text() == "old and whole"


@pytest.mark.patch("checkpoint-copies-are-atomic")
def test_copy_replaces_the_last_checkpoint_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    for text in ("old", "new"):
        save_twice(tmp_path, lambda path, state, text=text: Path(path).write_text(text))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "checkpoint1.pt": "new",
        "checkpoint_last.pt": "new",
    }


def worker(rank: int, folder: str) -> None:
    """Receive what the first of two workers loaded from a checkpoint."""
    from fairseq.distributed import utils

    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    state = {
        "cfg": OmegaConf.create({"lr": [0.5]}),
        "args": Namespace(task="t"),
        "model": {"w": torch.tensor([12.0])},
    }
    group, device = torch.distributed.group.WORLD, torch.device("cpu")
    received = utils.broadcast_object(
        state if rank == 0 else None, src_rank=0, group=group, dist_device=device
    )
    assert (received["cfg"].lr, received["args"].task, received["model"]["w"].item()) == (
        [0.5],
        "t",
        12.0,
    )
    Path(folder, f"received-{rank}").touch()
    torch.distributed.destroy_process_group()


@pytest.mark.patch("broadcast-between-workers")
def test_second_worker_receives_what_the_first_one_loaded(tmp_path: Path) -> None:
    torch.multiprocessing.start_processes(
        worker,
        args=(str(tmp_path),),
        nprocs=2,
        start_method="fork" if sys.platform == "linux" else "spawn",
    )
    assert sorted(path.name for path in tmp_path.glob("received-*")) == ["received-0", "received-1"]

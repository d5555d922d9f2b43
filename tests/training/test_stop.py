"""training/stop.py: a real fairseq-train, stopped by a signal and started again, ends where one that was never stopped ends."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Dict, Iterator, List, NamedTuple, Sequence

import pytest
import torch
from fairseq import checkpoint_utils

import deepnet_fairseq
from deepnet_fairseq.training import stop

PROGRAMS = Path(sys.executable).parent
UPDATES = 100
STOP_AFTER = 7  # updates, in the middle of the first epoch
ROUNDING = 1e-6  # of a weight; 0 when measured
LIMIT = 120  # seconds for a training, on a busy machine
# A user-dir as the plugin's own door is one; each process leaves its id behind.
DOOR = """
import os
from pathlib import Path
import deepnet_fairseq
from deepnet_fairseq.training import stop
stop.listen()
(Path(__file__).parent / f"process{os.environ.get('RANK', '')}").write_text(str(os.getpid()))
"""
FLAGS = (
    "--arch deepnet_transformer_tiny --encoder-layers 2 --decoder-layers 3 --task translation --optimizer adam --lr 0.003 "
    f"--criterion label_smoothed_cross_entropy --label-smoothing 0.1 --seed 3 --max-tokens 40 --max-update {UPDATES} --cpu --num-workers 0 "
    "--log-interval 1 --log-format simple --disable-validation --no-epoch-checkpoints"
).split()
GLOO = "--distributed-backend gloo --ddp-backend legacy_ddp".split()
TORCHRUN = "torchrun --standalone --nproc-per-node 2 --no-python".split()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Binary data: 600 sentences over four words, the target the source reversed; some 87 batches an epoch."""
    from fairseq_cli import preprocess

    root, draw = tmp_path_factory.mktemp("toy"), random.Random(4)
    sources = [[draw.choice("abcd") for _ in range(draw.randint(1, 7))] for _ in range(600)]
    (root / "train.s").write_text("".join(" ".join(s) + "\n" for s in sources))
    (root / "train.t").write_text("".join(" ".join(reversed(s)) + "\n" for s in sources))
    words = ["-s", "s", "-t", "t", f"--trainpref={root / 'train'}", f"--validpref={root / 'train'}"]
    words += ["--destdir", root / "bin", "--joined-dictionary"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fairseq-preprocess", *map(str, words)])
        preprocess.cli_main()
    return root / "bin"


def make_door(parent: Path) -> Path:
    folder = parent / "listening_door"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(DOOR)
    return folder


def start(data: Path, door: Path, *extra: str, launcher: Sequence[str] = ()) -> subprocess.Popen:
    """Start fairseq-train as train.sh does; it saves beside the door."""
    words = [
        *launcher,
        "fairseq-train",
        data,
        "--user-dir",
        door,
        "--save-dir",
        door.parent / "checkpoints",
        *FLAGS,
        *extra,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # inherited: what launch.become does
    try:
        return subprocess.Popen(
            list(map(str, words)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
    finally:
        signal.signal(signal.SIGUSR1, before)


def finish(process: subprocess.Popen) -> None:
    """Wait for a training's end. Fails, with its output, if it fails or goes on for ever."""
    try:
        output, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.terminate()  # and torchrun those that it has started
        output = process.communicate(timeout=LIMIT)[0] + "\nhad to be ended"
    assert process.returncode == 0, output[-3000:]


def wait_for_output(process: subprocess.Popen, words: str) -> None:
    """Read a training's output until a line has these words. Fails, with the output, if none ever does."""
    lines: List[str] = []
    timer = threading.Timer(LIMIT, process.terminate)
    timer.start()
    for line in process.stdout:
        lines.append(line)
        if words in line:
            timer.cancel()
            return
    pytest.fail("".join(lines)[-3000:])


def weights(door: Path) -> Dict[str, torch.Tensor]:
    state = checkpoint_utils.load_checkpoint_to_cpu(
        str(door.parent / "checkpoints/checkpoint_last.pt")
    )
    # an uninitialised buffer of fairseq's positions is no weight
    return {
        name: w
        for name, w in state["model"].items()
        if w.is_floating_point() and "_float_tensor" not in name
    }


def updates(door: Path) -> int:
    state = checkpoint_utils.load_checkpoint_to_cpu(
        str(door.parent / "checkpoints/checkpoint_last.pt")
    )
    return state["optimizer_history"][-1]["num_updates"]


class Setting(NamedTuple):
    """How many processes train, and how one process takes the same updates."""

    launcher: List[str]
    flags: List[str]
    alone: List[str]
    ranks: List[str]


SETTINGS = {
    "one process": Setting([], ["--dropout", "0.1"], ["--dropout", "0.1"], [""]),
    # without dropout, of which each process draws its own
    "two processes": Setting(
        TORCHRUN,
        ["--dropout", "0.0", *GLOO],
        ["--dropout", "0.0", "--update-freq", "2"],
        ["0", "1"],
    ),
}


def train_unbroken(data: Path, door: Path, flags: List[str]) -> None:
    """A training in this process, which saves its start."""
    from fairseq_cli import train

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    words = [
        data,
        "--user-dir",
        Path(deepnet_fairseq.__file__).parent,
        "--save-dir",
        door.parent / "checkpoints",
        *FLAGS,
        *flags,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fairseq-train", *map(str, words)])
        train.cli_main()
    torch.set_num_threads(threads)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_training_that_was_stopped_and_started_again_ends_like_one_that_was_not(
    setting: Setting, data: Path, tmp_path: Path
) -> None:
    door, unbroken = make_door(tmp_path / "stopped"), make_door(tmp_path / "unbroken")
    process = start(data, door, *setting.flags, launcher=setting.launcher)
    wait_for_output(process, f"num_updates={STOP_AFTER},")
    os.kill(process.pid, signal.SIGUSR1)  # Slurm sends it to torchrun, too, which must outlive it
    os.kill(
        int((door / f"process{setting.ranks[-1]}").read_text()), signal.SIGUSR1
    )  # one process alone, and not the first
    wait_for_output(process, "stopped by SIGUSR1")
    os.kill(process.pid, signal.SIGUSR1)  # once more, while it shuts down
    finish(process)
    assert [path.name for path in (tmp_path / "stopped/checkpoints").iterdir()] == [
        "checkpoint_last.pt"
    ]
    assert STOP_AFTER <= updates(door) < UPDATES
    finish(start(data, door, *setting.flags, launcher=setting.launcher))
    train_unbroken(data, unbroken, setting.alone)
    assert updates(door) == updates(unbroken) == UPDATES
    expected = weights(unbroken)
    assert expected
    for name, weight in weights(door).items():
        torch.testing.assert_close(weight, expected[name], atol=ROUNDING, rtol=0, msg=name)


@pytest.fixture
def signal_kept() -> Iterator[None]:
    """This process answers SIGUSR1 afterwards as it does now."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch, signal_kept: None) -> ModuleType:
    """A stand-in for fairseq's training program, which answers every update with its arguments."""
    program = ModuleType("fairseq_cli.train")
    program.validate_and_save = lambda *words, **named: (words, named)
    monkeypatch.setitem(sys.modules, "fairseq_cli.train", program)
    return program


def test_listening_twice_is_listening_once(training: ModuleType) -> None:
    stop.listen()
    function, answer = training.validate_and_save, signal.getsignal(signal.SIGUSR1)
    stop.listen()
    assert training.validate_and_save is function
    assert signal.getsignal(signal.SIGUSR1) is answer is not signal.SIG_DFL


def test_without_a_signal_fairseqs_own_function_is_called_as_ever(training: ModuleType) -> None:
    stop.listen()
    trainer = SimpleNamespace(data_parallel_world_size=1)
    assert training.validate_and_save(
        "cfg", trainer, "task", "itr", ["valid"], end_of_epoch=True
    ) == (
        ("cfg", trainer, "task", "itr", ["valid"]),
        {"end_of_epoch": True},
    )


def test_other_programs_keep_their_answer_to_the_signal(
    monkeypatch: pytest.MonkeyPatch, signal_kept: None
) -> None:
    monkeypatch.delitem(sys.modules, "fairseq_cli.train", raising=False)
    before = signal.getsignal(signal.SIGUSR1)
    stop.listen()
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_thread_that_may_not_set_signals_is_left_alone(training: ModuleType) -> None:
    before = signal.getsignal(signal.SIGUSR1), training.validate_and_save
    failures: List[BaseException] = []

    def listen() -> None:
        try:
            stop.listen()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert failures == []
    assert (signal.getsignal(signal.SIGUSR1), training.validate_and_save) == before

"""training/stop.py: a training that was stopped by a signal and resumed ends like any other."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Dict, Iterator, List, NamedTuple, Sequence

import pytest
import torch
from fairseq import checkpoint_utils

import deepnet_fairseq
from deepnet_fairseq.training.stop import StopAtSignal

PROGRAMS = Path(sys.executable).parent
UPDATES = 100
STOP_AFTER = 7  # updates, in the middle of the first epoch
ROUNDING = 1e-6  # of a weight; 0 when measured
LIMIT = 120  # seconds for a training, on a busy machine
# A user-dir that imports the plugin; each process leaves its id behind.
USER_DIR = """
import os
from pathlib import Path
import deepnet_fairseq
(Path(__file__).parent / f"process{os.environ.get('RANK', '')}").write_text(str(os.getpid()))
"""
FLAGS = (
    "--arch deepnet_transformer_tiny --encoder-layers 2 --decoder-layers 3 --task translation "
    "--optimizer adam --lr 0.003 --criterion label_smoothed_cross_entropy --label-smoothing 0.1 "
    f"--seed 3 --max-tokens 40 --max-update {UPDATES} --cpu --num-workers 0 --log-interval 1 "
    "--log-format simple --disable-validation --no-epoch-checkpoints"
).split()
GLOO = "--distributed-backend gloo --ddp-backend legacy_ddp".split()
TORCHRUN = "torchrun --standalone --nproc-per-node 2 --no-python".split()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Binary data of 600 sentences and their reversals, about 87 batches per epoch."""
    from fairseq_cli import preprocess

    root, draw = tmp_path_factory.mktemp("toy"), random.Random(4)
    sources = [[draw.choice("abcd") for _ in range(draw.randint(1, 7))] for _ in range(600)]
    (root / "train.s").write_text("".join(" ".join(s) + "\n" for s in sources))
    (root / "train.t").write_text("".join(" ".join(reversed(s)) + "\n" for s in sources))
    prefixes = [f"--{split}pref={root / 'train'}" for split in ("train", "valid")]
    words = ["-s", "s", "-t", "t", *prefixes, "--destdir", root / "bin", "--joined-dictionary"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fairseq-preprocess", *map(str, words)])
        preprocess.cli_main()
    return root / "bin"


def make_user_dir(parent: Path) -> Path:
    folder = parent / "stopping"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(USER_DIR)
    return folder


def start(data: Path, folder: Path, *extra: str, launcher: Sequence[str] = ()) -> subprocess.Popen:
    """Start fairseq-train as train.sh does; it saves beside the user-dir."""
    words = [
        *launcher,
        "fairseq-train",
        data,
        "--user-dir",
        folder,
        "--save-dir",
        folder.parent / "checkpoints",
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
    """Wait for a training's end. Fails, with its output, if the training fails or does not end."""
    try:
        output, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.terminate()  # and torchrun those that it has started
        output = process.communicate(timeout=LIMIT)[0] + "\nhad to be ended"
    assert process.returncode == 0, output[-3000:]


def wait_for_output(process: subprocess.Popen, words: str) -> None:
    """Read a training's output until a line has these words; fail, with the output, at its end."""
    lines: List[str] = []
    timer = threading.Timer(LIMIT, process.terminate)
    timer.start()
    for line in process.stdout:
        lines.append(line)
        if words in line:
            timer.cancel()
            return
    pytest.fail("".join(lines)[-3000:])


def weights(folder: Path) -> Dict[str, torch.Tensor]:
    state = checkpoint_utils.load_checkpoint_to_cpu(
        str(folder.parent / "checkpoints/checkpoint_last.pt")
    )
    # an uninitialised buffer of fairseq's positions is no weight
    return {
        name: w
        for name, w in state["model"].items()
        if w.is_floating_point() and "_float_tensor" not in name
    }


def updates(folder: Path) -> int:
    state = checkpoint_utils.load_checkpoint_to_cpu(
        str(folder.parent / "checkpoints/checkpoint_last.pt")
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


def train_unbroken(data: Path, folder: Path, flags: List[str]) -> None:
    """A training in this process, which saves its start."""
    from fairseq_cli import train

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    words = [
        data,
        "--user-dir",
        Path(deepnet_fairseq.__file__).parent,
        "--save-dir",
        folder.parent / "checkpoints",
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
    folder, unbroken = make_user_dir(tmp_path / "stopped"), make_user_dir(tmp_path / "unbroken")
    process = start(data, folder, *setting.flags, launcher=setting.launcher)
    wait_for_output(process, f"num_updates={STOP_AFTER},")
    os.kill(process.pid, signal.SIGUSR1)  # Slurm sends it to torchrun, too, which must outlive it
    os.kill(
        int((folder / f"process{setting.ranks[-1]}").read_text()), signal.SIGUSR1
    )  # one process alone, and not the first
    wait_for_output(process, "stopped by SIGUSR1")
    os.kill(process.pid, signal.SIGUSR1)  # once more, while it shuts down
    finish(process)
    assert [path.name for path in (tmp_path / "stopped/checkpoints").iterdir()] == [
        "checkpoint_last.pt"
    ]
    assert STOP_AFTER <= updates(folder) < UPDATES
    finish(start(data, folder, *setting.flags, launcher=setting.launcher))
    train_unbroken(data, unbroken, setting.alone)
    assert updates(folder) == updates(unbroken) == UPDATES
    expected = weights(unbroken)
    assert expected
    for name, weight in weights(folder).items():
        torch.testing.assert_close(weight, expected[name], atol=ROUNDING, rtol=0, msg=name)


@pytest.fixture
def restore_signal() -> Iterator[None]:
    """Restore this process's answer to SIGUSR1 afterwards."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


ALONE = SimpleNamespace(data_parallel_world_size=1)


def test_beginning_twice_keeps_a_request_that_arrives_in_between(restore_signal: None) -> None:
    hook = StopAtSignal()
    hook.begin_training()
    assert hook.stop_reason(ALONE) is None
    os.kill(os.getpid(), signal.SIGUSR1)
    hook.begin_training()
    assert hook.stop_reason(ALONE) == "SIGUSR1"
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    assert hook.stop_reason(ALONE) is None


def test_without_a_signal_a_training_ends_as_ever(
    data: Path, tmp_path: Path, restore_signal: None
) -> None:
    folder = make_user_dir(tmp_path / "unbroken")
    train_unbroken(data, folder, ["--dropout", "0.1", "--max-update", "3"])
    assert updates(folder) == 3


def test_other_programs_keep_their_answer_to_the_signal(data: Path, tmp_path: Path) -> None:
    """fairseq-generate with the plugin; each of its processes prints its answer at the end."""
    program = "import atexit, signal, sys; from fairseq_cli.generate import cli_main; "
    program += (
        "atexit.register(lambda: print(signal.getsignal(signal.SIGUSR1).name, file=sys.stderr)); "
    )
    folder = make_user_dir(tmp_path / "run")
    train_unbroken(data, folder, ["--dropout", "0.1", "--max-update", "1"])
    words = [data, "--user-dir", folder, "--path", folder.parent / "checkpoints/checkpoint_last.pt"]
    words += ["--gen-subset", "valid", "--beam", "1", "--max-len-b", "2", "--cpu"]
    command = [sys.executable, "-c", program + "cli_main()", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.splitlines()[-1] == "SIG_DFL"


def test_a_thread_that_may_not_set_signals_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    failures: List[BaseException] = []

    def begin() -> None:
        try:
            StopAtSignal().begin_training()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    assert failures == []
    assert signal.getsignal(signal.SIGUSR1) is before

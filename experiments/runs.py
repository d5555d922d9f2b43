"""Many short trainings of one config that differ in a few flags, each in a process of its own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import torch
from tqdm import tqdm

from deepnet_fairseq.config.flags import is_given
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import write_text
from deepnet_fairseq.parallel import usable_cores
from deepnet_fairseq.training.diagnostics import measurements
from deepnet_fairseq.training.diagnostics.measurements import Measurement

# How a training that diverged ends: fairseq's own messages for numbers that are no longer finite,
# and the guard's.
NOT_FINITE = re.compile(
    r"gradients are Nan/Inf|Minimum loss scale reached|Function '\w+' returned nan"
)
STOPPED_BY_GUARD = re.compile(r"stopped at update \d+: .*")

RESULT_NAME = "outcome.json"
CRASH_NAME = "crash.pt"  # fairseq saves a model whose numbers are no longer finite
OLD_FILES = (
    RESULT_NAME,
    "train.log",
    measurements.FILE_NAME,
    "checkpoint_last.pt",
    "checkpoint_best.pt",
    CRASH_NAME,
)
FLAGS_OF_ALL_RUNS = {
    "no-save": True,
    "tensorboard-logdir": None,
    "keep-interval-updates": None,
    "no-epoch-checkpoints": None,
}


@dataclass(frozen=True)
class Run:
    """One training.

    Args:
        name: of its folder.
        flags: fairseq-train's that differ from the config; None leaves one out.
        work: its expected share of the time, such as layers times updates.
    """

    name: str
    flags: Dict[str, Any]
    work: float = 1.0


@dataclass
class RunResult:
    """How a training's process ended."""

    command: List[str]
    status: int  # exit status, negative for a signal
    seconds: float
    peak_memory: float  # GiB of host memory, also on a GPU machine
    folder: str = ""

    @property
    def log(self) -> Path:
        """The log that fairseq-train writes."""
        return Path(self.folder) / "train.log"

    @property
    def output(self) -> str:
        """All that the process printed."""
        return (Path(self.folder) / "output.log").read_text(encoding="utf-8", errors="replace")

    @property
    def is_conclusive(self) -> bool:
        """Whether it tells something about the model: it completed or diverged, and did not fail.

        A run that was killed or had no disk space left tells nothing.
        """
        patterns = (NOT_FINITE, STOPPED_BY_GUARD)
        return not self.status or any(pattern.search(self.output) for pattern in patterns)

    def measurements(self) -> List[Measurement]:
        """Return its measurements, none if it ended before the first.

        Raises:
            DataError: their file is damaged. The message names file and line.
        """
        path = Path(self.folder) / measurements.FILE_NAME
        return measurements.read(path) if path.is_file() else []


class Processes:
    """The processes of all runs, so that none outlives this one."""

    def __init__(self) -> None:
        self.active: Dict[int, subprocess.Popen] = {}
        self.stopped = threading.Event()
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def killed_on_exit(self) -> Iterator[None]:
        """Kill all processes if the block ends by an exception, Ctrl-C, SIGTERM or SIGHUP."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # nohup ignores SIGHUP
                signal.signal(number, lambda received, _: sys.exit(128 + received))
        try:
            yield
        except BaseException:
            self._kill()
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self, command: Sequence[str], **options: Any) -> Optional[subprocess.Popen]:
        """Start a process in a group of its own; None if all have been killed.

        Ctrl-C then reaches only this process, so that no run is recorded as ended by it.
        """
        with self.lock:
            if self.stopped.is_set():
                return None
            process = subprocess.Popen(command, start_new_session=True, **options)
            self.active[process.pid] = process
            return process

    def finish(self, process: subprocess.Popen) -> bool:
        """Forget a process that has ended; return whether it ended by itself."""
        with self.lock:
            del self.active[process.pid]
            return not self.stopped.is_set()

    def _kill(self) -> None:
        with self.lock:
            self.stopped.set()
            for process in self.active.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def run_all(
    recipe: Recipe, runs: Sequence[Run], folder: Path, workers: int, extra: Sequence[str] = ()
) -> Dict[str, RunResult]:
    """Run trainings in parallel, the longest first, and return their results by name.

    A run is skipped if it has ended before with the same command and a conclusive result.

    Args:
        recipe: the config of all runs.
        runs: what differs.
        folder: of their folders.
        workers: how many run at a time.
        extra: further flags of fairseq-train for all of them.

    Raises:
        DataError: two runs have the same name.
    """
    if len({run.name for run in runs}) < len(runs):
        raise DataError(f"{folder}: two runs have the same name")
    workers = min(workers, len(runs))
    processes = Processes()
    results: Dict[str, RunResult] = {}
    progress = tqdm(
        total=round(sum(run.work for run in runs)),
        desc=folder.name,
        unit="layer-update",
        unit_scale=True,
        mininterval=1,
    )
    with progress, ThreadPoolExecutor(workers) as pool, processes.killed_on_exit():
        jobs = {}
        for run in sorted(runs, key=lambda run: -run.work):
            job = pool.submit(
                run_training, recipe, run, folder / run.name, workers, extra, processes
            )
            jobs[job] = run
        for job in as_completed(jobs):
            run = jobs[job]
            results[run.name] = job.result()
            progress.set_postfix_str(run.name, refresh=False)
            progress.update(round(run.work))
    return {run.name: results[run.name] for run in runs}


def training_command(
    recipe: Recipe, run: Run, folder: Path, extra: Sequence[str] = ()
) -> List[str]:
    """Return the fairseq-train command of a run; `extra` overrides all other flags."""
    training = {**recipe.training, **FLAGS_OF_ALL_RUNS, **run.flags}
    if is_given("optimizer", extra) and not {"--optimizer=adam", "adam"} & set(extra):
        # Other optimizers do not know Adam's flags.
        training = {k: value for k, value in training.items() if not k.startswith("adam-")}
    changed = replace(recipe, training=training, work_dir=folder)
    batch = changed.batch()
    if batch:  # the config's tokens_per_update, split, unless the run sets a part of it
        parts = {"max-tokens": batch.max_tokens, "update-freq": batch.update_freq}
        training.update({name: value for name, value in parts.items() if name not in run.flags})
    command = changed.training_command(cpu=not torch.cuda.is_available())
    command[command.index("--save-dir") + 1] = str(folder)
    return [*command, "--distributed-world-size", "1", *extra]


def run_training(
    recipe: Recipe,
    run: Run,
    folder: Path,
    workers: int,
    extra: Sequence[str],
    processes: Processes,
) -> Optional[RunResult]:
    """Run one training of `run_all` in its folder; None if it was killed."""
    command = training_command(recipe, run, folder, extra)
    earlier = _read_result(folder)
    if earlier is not None and earlier.command == command and earlier.is_conclusive:
        return earlier
    if processes.stopped.is_set():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    for name in OLD_FILES:
        (folder / name).unlink(missing_ok=True)
    threads = str(max(1, usable_cores() // workers))
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    program = [sys.executable, "-m", "fairseq_cli.train", *command[1:]]
    start = time.monotonic()
    with (folder / "output.log").open("w") as log:
        process = processes.start(program, stdout=log, stderr=subprocess.STDOUT, env=environment)
        if process is None:
            return None
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not processes.finish(process):
        return None
    (folder / CRASH_NAME).unlink(missing_ok=True)
    seconds = time.monotonic() - start
    peak_memory = usage.ru_maxrss / 2**20  # Linux: ru_maxrss is in KiB
    result = RunResult(command, process.returncode, seconds, peak_memory)
    _write_result(result, folder)
    return replace(result, folder=str(folder))


def _read_result(folder: Path) -> Optional[RunResult]:
    path = folder / RESULT_NAME
    if not path.is_file():
        return None
    return RunResult(**json.loads(path.read_text()), folder=str(folder))


def _write_result(result: RunResult, folder: Path) -> None:
    fields = asdict(result)
    del fields["folder"]  # which may be moved
    write_text(folder / RESULT_NAME, json.dumps(fields, indent=1))

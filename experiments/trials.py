"""Many short trainings of one config that differ in a few flags, each in a process of its own, and what became of each."""

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

# How a training ends that was not interrupted but diverged: fairseq's own words for numbers that are no longer finite, and the guard's.
NOT_FINITE = re.compile(
    r"gradients are Nan/Inf|Minimum loss scale reached|Function '\w+' returned nan"
)
GUARDED = re.compile(r"stopped at update \d+: .*")

CRASH = "crash.pt"
FLAGS_FOR_ALL = {
    "no-save": True,
    "tensorboard-logdir": None,
    "keep-interval-updates": None,
    "no-epoch-checkpoints": None,
}


@dataclass(frozen=True)
class Trial:
    """One training.

    Args: name: of its folder; flags: fairseq-train's that differ from the config, None for left out; work: how long it takes compared
    with the others, such as layers times updates.
    """

    name: str
    flags: Dict[str, Any]
    work: float = 1.0


@dataclass
class Outcome:
    """How a training's process ended."""

    command: List[str]
    status: int  # exit status, negative for a signal
    seconds: float
    peak_memory: (
        float  # GiB of the process, on a GPU machine its host memory (Linux: ru_maxrss is in KiB)
    )
    folder: str = ""

    @property
    def log(self) -> Path:
        return Path(self.folder) / "train.log"

    @property
    def output(self) -> str:
        """All that the process printed."""
        return (Path(self.folder) / "output.log").read_text(encoding="utf-8", errors="replace")

    @property
    def is_result(self) -> bool:
        """Whether it says something of the model: it ended as it should, or diverged. It was not killed, nor was the disk full."""
        return not self.status or any(words.search(self.output) for words in (NOT_FINITE, GUARDED))

    def measurements(self) -> List[Measurement]:
        """What was measured in it; empty if it did not get so far. Raises DataError, naming file and line, for a damaged file."""
        path = Path(self.folder) / measurements.FILE_NAME
        try:
            return measurements.read(path) if path.is_file() else []
        except ValueError as error:
            raise DataError(str(error)) from error


def run_trials(
    recipe: Recipe, trials: Sequence[Trial], folder: Path, workers: int, extra: Sequence[str] = ()
) -> Dict[str, Outcome]:
    """Train all trials, so many at a time, each in folder/its name; return how each ended.

    A trial that has finished before, with the same command, is not run again, unless its run failed. extra: flags for all of them.
    Raises DataError for two trials of one name.
    """
    if len({trial.name for trial in trials}) < len(trials):
        raise DataError(f"{folder}: two trials have the same name")
    workers = min(workers, len(trials))
    running = _Running()
    outcomes: Dict[str, Outcome] = {}
    longest_first = sorted(trials, key=lambda trial: -trial.work)
    with tqdm(
        total=round(sum(t.work for t in trials)),
        desc=folder.name,
        unit="layer-update",
        unit_scale=True,
        mininterval=1,
    ) as bar:
        with ThreadPoolExecutor(workers) as pool, running.killed_on_exit():
            jobs = {
                pool.submit(
                    _run, recipe, trial, folder / trial.name, workers, extra, running
                ): trial
                for trial in longest_first
            }
            for job in as_completed(jobs):
                outcomes[jobs[job].name] = job.result()
                bar.set_postfix_str(jobs[job].name, refresh=False)
                bar.update(round(jobs[job].work))
    return {trial.name: outcomes[trial.name] for trial in trials}


def command_of(recipe: Recipe, trial: Trial, folder: Path, extra: Sequence[str] = ()) -> List[str]:
    """The whole fairseq-train command of a trial; extra: flags that win over all others."""
    training = {**recipe.training, **FLAGS_FOR_ALL, **trial.flags}
    if is_given("optimizer", extra) and not {"--optimizer=adam", "adam"} & set(extra):
        training = {
            name: value for name, value in training.items() if not name.startswith("adam-")
        }  # others know no such flags
    with_flags = replace(recipe, training=training, work_dir=folder)
    batch = with_flags.batch()
    if batch:  # the config's tokens_per_update, shared out, but for what the trial itself says
        shared_out = {"max-tokens": batch.max_tokens, "update-freq": batch.update_freq}
        training.update(
            {name: value for name, value in shared_out.items() if name not in trial.flags}
        )
    command = with_flags.training_command(cpu=not torch.cuda.is_available())
    command[command.index("--save-dir") + 1] = str(folder)
    return [*command, "--distributed-world-size", "1", *extra]


class _Running:
    """The processes that run, so that none is left behind."""

    def __init__(self) -> None:
        self.processes: Dict[int, subprocess.Popen] = {}
        self.stopped = threading.Event()
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def killed_on_exit(self) -> Iterator[None]:
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, lambda received, _: sys.exit(128 + received))
        try:
            yield
        except BaseException:
            with self.lock:
                self.stopped.set()
                for process in self.processes.values():
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _run(
    recipe: Recipe,
    trial: Trial,
    folder: Path,
    workers: int,
    extra: Sequence[str],
    running: _Running,
) -> Optional[Outcome]:
    command = command_of(recipe, trial, folder, extra)
    record = folder / "outcome.json"
    if record.is_file():
        outcome = Outcome(**json.loads(record.read_text()), folder=str(folder))
        if outcome.command == command and outcome.is_result:
            return outcome
    if running.stopped.is_set():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    for old in (
        "outcome.json",
        "train.log",
        measurements.FILE_NAME,
        "checkpoint_last.pt",
        "checkpoint_best.pt",
        CRASH,
    ):
        (folder / old).unlink(missing_ok=True)
    threads = str(max(1, usable_cores() // workers))
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    program = [sys.executable, "-m", "fairseq_cli.train", *command[1:]]
    start = time.monotonic()
    with (folder / "output.log").open("w") as log:
        with running.lock:
            if running.stopped.is_set():
                return None
            # A group of its own: Ctrl-C is for this process alone, so that no trial is recorded as ended by it.
            process = subprocess.Popen(
                program,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
            running.processes[process.pid] = process
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    with running.lock:
        del running.processes[process.pid]
        if running.stopped.is_set():
            return None
    (folder / CRASH).unlink(
        missing_ok=True
    )  # fairseq saves a model whose numbers are no longer finite
    outcome = Outcome(
        command, process.returncode, time.monotonic() - start, usage.ru_maxrss / 2**20
    )
    held = asdict(outcome)
    del held["folder"]
    write_text(record, json.dumps(held, indent=1))
    return replace(outcome, folder=str(folder))

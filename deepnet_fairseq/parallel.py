"""Threads and processes: ordered maps, and jobs over many language pairs on this machine or a cluster."""

import json
import logging
import multiprocessing
import os
import threading
import time
from collections import deque
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    Iterable,
    Iterator,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
)

from tqdm import tqdm

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.logging import log_to_stderr

Argument, Result = TypeVar("Argument"), TypeVar("Result")
logger = logging.getLogger(__name__)

CLUSTERS = ("local", "slurm")  # submitit's; local runs the same code in processes of this machine
POLL_SECONDS = 1.0  # between two looks at a cluster's jobs


@dataclass
class Jobs:
    """How jobs are run. Each is a function of a module, with arguments that can be pickled and a result as JSON holds it."""

    workers: int = (
        1  # processes on this machine; jobs that Slurm runs at the same time, if more than 1
    )
    cluster: str = ""  # one of CLUSTERS, or "" for this machine alone
    log_dir: Path = Path(
        "jobs"
    )  # where a cluster's machines write their logs; they must all see it
    parameters: Mapping[str, Any] = field(
        default_factory=dict
    )  # submitit's own: timeout_min, mem_gb, slurm_partition ...

    def run(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Sequence[Any]],
        what: str,
        ledger: Optional[Path] = None,
    ) -> Dict[str, Any]:
        """Call the function once per name, with that name's arguments; return the results by name, in the order of the names.

        what says in the progress bar what is done. With a ledger, a file, each result is kept as soon as it is there, and a job that the
        ledger knows is not run again. The first job that fails ends it all: its DataError is raised as it is, any other error as a
        DataError that names the job.
        """
        results = read_journal(ledger) if ledger else {}
        todo = {name: tuple(values) for name, values in arguments.items() if name not in results}
        if len(todo) < len(arguments):
            logger.info(
                "%s: %d of %d are finished already",
                what,
                len(arguments) - len(todo),
                len(arguments),
            )
        with tqdm(
            total=len(arguments),
            initial=len(arguments) - len(todo),
            desc=what,
            unit="job",
            mininterval=1,
        ) as bar:
            for name, result in self._each(function, todo):
                results[name] = result
                if ledger:
                    with open(ledger, "a", encoding="utf-8") as stream:
                        stream.write(json.dumps([name, result], ensure_ascii=False) + "\n")
                bar.set_postfix_str(name, refresh=False)
                bar.update()
        return {name: results[name] for name in arguments}

    def threads(self, jobs: int) -> int:
        """How many threads each of so many jobs may use: this machine's workers that would be idle, or a cluster's CPUs of a job."""
        if self.cluster:
            return int(self.parameters.get("cpus_per_task", 1))
        return max(1, self.workers // max(1, jobs))

    def _each(
        self, function: Callable[..., Any], arguments: Dict[str, Tuple]
    ) -> Iterator[Tuple[str, Any]]:
        """Names and results, as they come."""
        if self.cluster and arguments:
            yield from self._on_cluster(function, arguments)
        elif self.workers > 1 and len(arguments) > 1:
            yield from self._in_processes(function, arguments)
        else:
            for name, values in arguments.items():
                with _named(name):
                    result = function(*values)
                yield name, result

    def _in_processes(
        self, function: Callable[..., Any], arguments: Dict[str, Tuple]
    ) -> Iterator[Tuple[str, Any]]:
        # A plain fork would copy the locks of torch's and sentencepiece's threads; the server has imported what jobs need, once.
        context = get_context("forkserver")
        context.set_forkserver_preload(["deepnet_fairseq"])
        with ProcessPoolExecutor(min(self.workers, len(arguments)), context, init_worker) as pool:
            futures: Dict[Future, str] = {
                pool.submit(function, *values): name for name, values in arguments.items()
            }
            try:
                for future in as_completed(futures):
                    with _named(futures[future]):
                        result = future.result()
                    yield futures[future], result
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _on_cluster(
        self, function: Callable[..., Any], arguments: Dict[str, Tuple]
    ) -> Iterator[Tuple[str, Any]]:
        submitit = _import_submitit()
        try:
            executor = submitit.AutoExecutor(folder=self.log_dir, cluster=self.cluster)
        except RuntimeError as error:
            raise DataError(f"--cluster {self.cluster}: {_in_one_line(error)}") from error
        try:
            executor.update_parameters(
                **{"name": "deepnet-prepare", **self._throttle(), **self.parameters}
            )
        except (NameError, TypeError, ValueError) as error:
            raise DataError(
                f"--cluster-option: submitit refuses it: {_in_one_line(error)}"
            ) from error
        try:
            with executor.batch():
                submitted = {
                    name: executor.submit(Restartable(name, function), *values)
                    for name, values in arguments.items()
                }
        except RuntimeError as error:  # what sbatch says
            raise DataError(f"--cluster {self.cluster}: {_in_one_line(error)}") from error
        logger.info(
            "%d jobs handed to %s; their logs lie in %s", len(submitted), self.cluster, self.log_dir
        )
        try:
            while submitted:
                for name in [name for name, job in submitted.items() if job.done()]:
                    with _named(name, hint=f"; see {submitted[name].paths.stderr}"):
                        outcome = submitted.pop(name).result()
                    if "error" in outcome:
                        raise DataError(outcome["error"])
                    yield name, outcome["result"]
                time.sleep(POLL_SECONDS if submitted else 0)
        finally:
            for job in submitted.values():
                job.cancel()

    def _throttle(self) -> Dict[str, Any]:
        return (
            {"slurm_array_parallelism": self.workers}
            if self.workers > 1 and self.cluster == "slurm"
            else {}
        )


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def init_worker() -> None:
    """Set a worker process up: its log, and that it ends with the process that started it, however that ends."""
    log_to_stderr()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


class Restartable:
    """A job that a preempted machine hands back to the queue as it was: what it had written is written anew."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function

    def __call__(self, *arguments: Any) -> Dict[str, Any]:
        """The function's `result`, or its `error` in one line: submitit would hand over a whole traceback as text."""
        try:
            with _named(self.name):
                return {"result": self.function(*arguments)}
        except DataError as error:
            logger.exception("%s", self.name)
            return {"error": str(error)}

    def checkpoint(self, *arguments: Any) -> Any:
        """What submitit calls before the machine is taken away."""
        return _import_submitit().helpers.DelayedSubmission(self, *arguments)


class _named:
    """Turns any error but a DataError into one that names the job."""

    def __init__(self, name: str, hint: str = "") -> None:
        self.name, self.hint = name, hint

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None or isinstance(error, DataError) or not isinstance(error, Exception):
            return
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"{self.name}: {type(error).__name__}: {reason}{self.hint}") from error


def read_journal(path: Path) -> Dict[str, Any]:
    """The finished jobs' results by name. A last line that was cut short by a kill is dropped, from the file too."""
    results: Dict[str, Any] = {}
    if not path.is_file():
        return results
    whole = 0
    with open(path, "rb") as stream:
        for line in stream:
            try:
                name, result = json.loads(line)
            except ValueError:
                break
            results[name] = result
            whole += len(line)
    os.truncate(path, whole)
    return results


def _import_submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise DataError(
            "--cluster needs the package submitit; install it with: pip install 'submitit>=1.5,<2'"
        ) from None
    return submitit


def map_ordered(
    pool: Optional[Executor],
    function: Callable[[Argument], Result],
    arguments: Iterable[Argument],
    ahead: int,
) -> Iterator[Result]:
    """Yield the function's results in the order of the arguments; in a pool, at most so many are computed ahead of the one that is used."""
    if pool is None:
        yield from map(function, arguments)
        return
    remaining = iter(arguments)
    running: Deque[Future] = deque(
        pool.submit(function, argument) for argument in islice(remaining, ahead)
    )
    while running:
        result = running.popleft().result()
        running.extend(pool.submit(function, argument) for argument in islice(remaining, 1))
        yield result


def usable_cores() -> int:
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

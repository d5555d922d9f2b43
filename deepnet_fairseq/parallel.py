"""Threads and processes: ordered maps, and named jobs on this machine or on a cluster."""

import json
import logging
import multiprocessing
import os
import threading
import time
from collections import deque
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
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

from deepnet_fairseq.errors import DataError, UserError
from deepnet_fairseq.logging import log_to_stderr

Argument, Result = TypeVar("Argument"), TypeVar("Result")
Function = Callable[..., Any]
NamedResult = Tuple[str, Any]
logger = logging.getLogger(__name__)

CLUSTERS = ("local", "slurm")  # submitit's; local runs the same code in processes of this machine
POLL_SECONDS = 1.0  # between two polls of a cluster's jobs


@dataclass
class Jobs:
    """How named jobs are run.

    A job is a module-level function; its arguments can be pickled and its result is JSON.
    """

    workers: int = 1  # processes; with slurm, the number of jobs at a time if more than 1
    cluster: str = ""  # one of CLUSTERS, or "" for this machine alone
    log_dir: Path = Path("jobs")  # where a cluster's machines write their logs; shared by all
    parameters: Mapping[str, Any] = field(default_factory=dict)  # submitit's: timeout_min, …

    def run(
        self,
        function: Function,
        arguments: Mapping[str, Sequence[Any]],
        description: str,
        journal: Optional[Path] = None,
    ) -> Dict[str, Any]:
        """Call `function` once per name with that name's arguments.

        Args:
            function: What a job does.
            arguments: The arguments of each job, by its name.
            description: Label of the progress bar.
            journal: A file to which each result is appended as soon as it exists. Jobs that are
                in it already are not run again.

        Returns:
            The results by name, in the order of `arguments`.

        Raises:
            UserError: The first job that failed with one; the other jobs are cancelled.
            DataError: The first job that failed with any other error. The message names the job.
        """
        results = read_journal(journal) if journal else {}
        pending = {name: tuple(args) for name, args in arguments.items() if name not in results}
        finished = len(arguments) - len(pending)
        if finished:
            logger.info("%s: %d of %d are finished already", description, finished, len(arguments))
        with tqdm(
            total=len(arguments), initial=finished, desc=description, unit="job", mininterval=1
        ) as bar:
            for name, result in self._run_pending(function, pending):
                results[name] = result
                if journal:
                    _append(journal, name, result)
                bar.set_postfix_str(name, refresh=False)
                bar.update()
        return {name: results[name] for name in arguments}

    def threads(self, jobs: int) -> int:
        """Return how many threads each of `jobs` jobs may use.

        These are this machine's idle workers, or the CPUs that a cluster gives to a job.
        """
        if self.cluster:
            return int(self.parameters.get("cpus_per_task", 1))
        return max(1, self.workers // max(1, jobs))

    def _run_pending(self, function: Function, pending: Dict[str, Tuple]) -> Iterator[NamedResult]:
        """Yield names and results in the order in which the jobs finish."""
        if self.cluster and pending:
            yield from self._run_on_cluster(function, pending)
        elif self.workers > 1 and len(pending) > 1:
            yield from self._run_in_processes(function, pending)
        else:
            for name, args in pending.items():
                with _name_errors(name):
                    result = function(*args)
                yield name, result

    def _run_in_processes(
        self, function: Function, pending: Dict[str, Tuple]
    ) -> Iterator[NamedResult]:
        # A plain fork would copy the locks of torch's and sentencepiece's threads; the fork server
        # imports what the jobs need once.
        context = get_context("forkserver")
        context.set_forkserver_preload(["deepnet_fairseq"])
        with ProcessPoolExecutor(min(self.workers, len(pending)), context, init_worker) as pool:
            names: Dict[Future, str] = {
                pool.submit(function, *args): name for name, args in pending.items()
            }
            try:
                for future in as_completed(names):
                    with _name_errors(names[future]):
                        result = future.result()
                    yield names[future], result
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _run_on_cluster(
        self, function: Function, pending: Dict[str, Tuple]
    ) -> Iterator[NamedResult]:
        running = self._submit(function, pending)
        logger.info(
            "%d jobs submitted to %s; their logs are in %s",
            len(running),
            self.cluster,
            self.log_dir,
        )
        try:
            while running:
                for name in [name for name, job in running.items() if job.done()]:
                    with _name_errors(name, hint=f"; see {running[name].paths.stderr}"):
                        outcome = running.pop(name).result()
                    if "error" in outcome:
                        raise DataError(outcome["error"])
                    yield name, outcome["result"]
                time.sleep(POLL_SECONDS if running else 0)
        finally:
            for job in running.values():
                job.cancel()

    def _submit(self, function: Function, pending: Dict[str, Tuple]) -> Dict[str, Any]:
        """Submit all jobs as one array and return submitit's jobs by name."""
        parameters: Dict[str, Any] = {"name": "deepnet-prepare"}
        if self.workers > 1 and self.cluster == "slurm":
            parameters["slurm_array_parallelism"] = self.workers
        try:
            executor = _import_submitit().AutoExecutor(folder=self.log_dir, cluster=self.cluster)
        except RuntimeError as error:
            raise DataError(f"--cluster {self.cluster}: {_one_line(error)}") from error
        try:
            executor.update_parameters(**{**parameters, **self.parameters})
        except (NameError, TypeError, ValueError) as error:
            raise DataError(f"--cluster-option: submitit refuses it: {_one_line(error)}") from error
        jobs = {}
        try:
            with executor.batch():
                for name, args in pending.items():
                    jobs[name] = executor.submit(RequeueableJob(name, function), *args)
        except RuntimeError as error:  # what sbatch says
            raise DataError(f"--cluster {self.cluster}: {_one_line(error)}") from error
        return jobs


class RequeueableJob:
    """A cluster's job that a preempted machine returns to the queue, to be run from its start."""

    def __init__(self, name: str, function: Function) -> None:
        self.name, self.function = name, function

    def __call__(self, *args: Any) -> Dict[str, Any]:
        """Return the function's `result`, or a user error's message as `error`.

        submitit would hand over a whole traceback as text.
        """
        try:
            with _name_errors(self.name):
                return {"result": self.function(*args)}
        except UserError as error:
            logger.exception("%s", self.name)
            return {"error": str(error)}

    def checkpoint(self, *args: Any) -> Any:
        """Return the job to queue again; submitit calls this before the machine is taken away."""
        return _import_submitit().helpers.DelayedSubmission(self, *args)


def init_worker() -> None:
    """Set up a worker process: its log, and that it ends when its parent ends in any way."""
    log_to_stderr()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def read_journal(path: Path) -> Dict[str, Any]:
    """Return the finished jobs' results by name.

    A last line that a kill cut short is removed, from the file as well.
    """
    results: Dict[str, Any] = {}
    if not path.is_file():
        return results
    complete_bytes = 0
    with open(path, "rb") as stream:
        for line in stream:
            try:
                name, result = json.loads(line)
            except ValueError:
                break
            results[name] = result
            complete_bytes += len(line)
    os.truncate(path, complete_bytes)
    return results


def _append(journal: Path, name: str, result: Any) -> None:
    with open(journal, "a", encoding="utf-8") as stream:
        stream.write(json.dumps([name, result], ensure_ascii=False) + "\n")


@contextmanager
def _name_errors(name: str, hint: str = "") -> Iterator[None]:
    """Turn any error but a UserError into a DataError that names the job."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"{name}: {type(error).__name__}: {reason}{hint}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _import_submitit() -> Any:
    try:
        import submitit
    except ImportError:
        install = "pip install 'submitit>=1.5,<2'"
        raise DataError(
            f"--cluster needs the package submitit; install it with: {install}"
        ) from None
    return submitit


def map_ordered(
    pool: Optional[Executor],
    function: Callable[[Argument], Result],
    arguments: Iterable[Argument],
    ahead: int,
) -> Iterator[Result]:
    """Yield the function's results in the order of the arguments.

    Args:
        pool: Where the function runs; None runs it in this thread.
        function: Called with one argument at a time.
        arguments: Read only as far as needed.
        ahead: The maximum number of results computed before they are used.
    """
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
    """Return how many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

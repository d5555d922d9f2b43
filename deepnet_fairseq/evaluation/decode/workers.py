"""Translators in this process or in several, each with its own GPU or its share of the cores."""

import gc
import signal
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Iterable, Iterator, List, Optional, Sequence, Tuple

import torch

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.test_data import Sentence
from deepnet_fairseq.evaluation.decode.translator import Hypothesis, Translator
from deepnet_fairseq.parallel import init_worker, map_ordered, usable_cores

Translated = Tuple[List[Sentence], List[Optional[Hypothesis]]]
# Batches that wait in each process: enough that it is never idle.
AHEAD = 2

_translator: Optional[Translator] = None  # of a worker process
_failure: Optional[EvaluationError] = None  # why it has none


def choose_devices(workers: Optional[int], cpu: bool) -> List[str]:
    """Return one device per worker: each GPU once, or the CPU for every worker.

    Raises:
        EvaluationError: There are more workers than GPUs.
    """
    gpus = 0 if cpu else torch.cuda.device_count()
    if gpus == 0:
        return ["cpu"] * (workers or 1)
    if workers is not None and workers > gpus:
        raise EvaluationError(
            f"--workers {workers}: there are {gpus} GPUs, and each takes one worker"
        )
    return [f"cuda:{number}" for number in range(workers or gpus)]


def translate_batches(
    args: Namespace, devices: Sequence[str], batches: Iterable[List[Sentence]]
) -> Iterator[Translated]:
    """Yield each batch with its hypotheses, in order; each device loads the model once.

    Raises:
        EvaluationError: A Translator rejects args or batch, or a worker process dies.
    """
    if len(devices) > 1:
        yield from _translate_in_processes(args, devices, batches)
        return
    translator = Translator(args, torch.device(devices[0]))
    for batch in batches:
        yield batch, translator.translate(batch)
    del translator
    gc.collect()  # a model in a reference cycle would share the device's memory with COMET's
    torch.cuda.empty_cache()


def _translate_in_processes(
    args: Namespace, devices: Sequence[str], batches: Iterable[List[Sentence]]
) -> Iterator[Translated]:
    context = get_context("spawn")  # CUDA cannot be used in a process that was forked
    queue: Any = context.SimpleQueue()
    for device in devices:
        queue.put(device)
    threads = max(1, usable_cores() // len(devices))
    workers = len(devices)
    with ProcessPoolExecutor(workers, context, _start_worker, (args, queue, threads)) as pool:
        try:
            yield from map_ordered(pool, _translate, batches, ahead=workers * (1 + AHEAD))
        except BrokenProcessPool as error:
            raise EvaluationError(
                "a worker process died; is there enough memory for --workers models?"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(args: Namespace, devices: Any, threads: int) -> None:
    """Load a model on the worker's own device; the parent process handles Ctrl-C."""
    global _translator, _failure
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    init_worker()
    torch.set_num_threads(threads)
    device = torch.device(devices.get())
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        _translator = Translator(args, device)
    except EvaluationError as error:  # an error here would only break the pool
        _failure = error


def _translate(batch: List[Sentence]) -> Translated:
    if _translator is None:
        raise _failure or EvaluationError("a worker process has no model")
    return batch, _translator.translate(batch)

"""Translators at work: one in this process, or one in each of several, each with a GPU or a share of the cores of its own."""

import gc
import signal
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
# Batches in the hands of each process beside the one that it works on: enough that it never waits.
AHEAD = 2

_translator: Optional[Translator] = None  # a worker process's own
_failure: Optional[EvaluationError] = None  # why it has none


def choose_devices(workers: Optional[int], cpu: bool) -> List[str]:
    """A device for each worker: every GPU once, or as many times the CPU. Raises EvaluationError for more workers than GPUs."""
    gpus = 0 if cpu else torch.cuda.device_count()
    if gpus == 0:
        return ["cpu"] * (workers or 1)
    if workers is not None and workers > gpus:
        raise EvaluationError(
            f"--workers {workers}: there are {gpus} GPUs, and each takes one worker"
        )
    return [f"cuda:{number}" for number in range(workers or gpus)]


def translate_batches(
    command: Sequence[str], devices: Sequence[str], batches: Iterable[List[Sentence]]
) -> Iterator[Translated]:
    """Yield every batch with its hypotheses, in order; the model is loaded once per device.

    Raises EvaluationError for what Translator refuses, and for a worker process that dies.
    """
    if len(devices) == 1:
        translator = Translator(command, torch.device(devices[0]))
        for batch in batches:
            yield batch, translator.translate(batch)
        del translator
        gc.collect()  # a model in a reference cycle would share the device's memory with COMET's
        torch.cuda.empty_cache()
        return
    context = get_context("spawn")  # CUDA cannot be used in a process that was forked
    handed_out: Any = context.SimpleQueue()
    for device in devices:
        handed_out.put(device)
    threads = max(1, usable_cores() // len(devices))
    with ProcessPoolExecutor(
        len(devices), context, _begin, (list(command), handed_out, threads)
    ) as pool:
        try:
            yield from map_ordered(pool, _translate, batches, ahead=len(devices) * (1 + AHEAD))
        except BrokenProcessPool as error:
            raise EvaluationError(
                "a worker process died; is there enough memory for --workers models?"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(command: List[str], handed_out: Any, threads: int) -> None:
    """Set a worker up: its own device and model, and Ctrl-C left to the process that started it."""
    global _translator, _failure
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    init_worker()
    torch.set_num_threads(threads)
    device = torch.device(handed_out.get())
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        _translator = Translator(command, device)
    except EvaluationError as error:  # an error here would only break the pool
        _failure = error


def _translate(batch: List[Sentence]) -> Translated:
    if _translator is None:
        raise _failure or EvaluationError("a worker process has no model")
    return batch, _translator.translate(batch)

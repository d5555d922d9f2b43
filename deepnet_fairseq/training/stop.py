"""SIGUSR1 ends a training at its next update, with checkpoint_last.pt written: what a cluster sends before it takes the machines back.

A second start goes on from there, in the middle of the epoch. SIGTERM is left alone: torchrun sends it to the others when one process has
failed, and they wait for that one inside a collective operation, where no update would ever end.
"""

import functools
import logging
import signal
import sys
import threading
from types import FrameType, ModuleType
from typing import Any, Callable, Optional

import torch
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils

logger = logging.getLogger(__name__)

_requested = False


def listen() -> None:
    """From now on stop at SIGUSR1, if the program that runs is a training; nothing happens in any other, nor at a second call."""
    program = _training_program()
    if program is None or threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGUSR1, _request)
    # fairseq asks nobody between two updates. Its loop finds this function by name, on every update.
    if not hasattr(program.validate_and_save, "__wrapped__"):
        program.validate_and_save = _stop_or(program.validate_and_save)


def _training_program() -> Optional[ModuleType]:
    """The module with fairseq's training loop, which no other of its programs loads: fairseq-train's, or `python -m fairseq_cli.train`."""
    for module in (sys.modules["__main__"], sys.modules.get("fairseq_cli.train")):
        if hasattr(module, "validate_and_save"):
            return module
    return None


def _request(number: int, frame: Optional[FrameType]) -> None:
    global _requested
    _requested = True


def _stop_or(validate_and_save: Callable) -> Callable:
    @functools.wraps(validate_and_save)
    def stop_or_go_on(
        cfg: Any, trainer: Any, task: Any, epoch_itr: Any, *rest: Any, **named: Any
    ) -> Any:
        global _requested
        if not _anyone_requested(trainer):
            return validate_and_save(cfg, trainer, task, epoch_itr, *rest, **named)
        _requested = False
        signal.signal(
            signal.SIGUSR1, signal.SIG_IGN
        )  # sent once more, it would end Python while it shuts down
        # Without validation, which may take longer than what is left.
        checkpoint_utils.save_checkpoint(cfg.checkpoint, trainer, epoch_itr, None)
        logger.info(
            "stopped by SIGUSR1 after %d updates; started again, it goes on from there",
            trainer.get_num_updates(),
        )
        return [None], True

    return stop_or_go_on


def _anyone_requested(trainer: Any) -> bool:
    """Whether the signal has reached any process: they must all stop at the same update, or the others would wait for ever."""
    if trainer.data_parallel_world_size == 1:
        return _requested
    flag = torch.tensor(float(_requested), device=trainer.device)
    distributed_utils.all_reduce(flag, group=trainer.data_parallel_process_group, op="max")
    return bool(flag)

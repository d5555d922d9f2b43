"""SIGUSR1 ends a training after its current update, with checkpoint_last.pt written.

A cluster sends the signal before it takes the machines back. The next start resumes in the middle
of the epoch. SIGTERM keeps its meaning: if one process fails, torchrun sends SIGTERM to the others,
which wait for that one inside a collective operation, where no update would ever end.
"""

import signal
import threading
from types import FrameType
from typing import Any, Optional

import torch
from fairseq.distributed import utils as distributed_utils
from fairseq.training_hooks import TrainingHook, register_training_hook


class StopAtSignal(TrainingHook):
    """Stops all processes of a training at the same update if any of them has received SIGUSR1."""

    def __init__(self) -> None:
        self._requested = False

    def begin_training(self) -> None:
        """Listen for the signal; Python leaves that to the main thread."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR1, self._request)

    def stop_reason(self, trainer: Any) -> Optional[str]:
        """Return the signal's name once any process has received it."""
        if not self._requested_anywhere(trainer):
            return None
        self._requested = False
        # A second signal would end Python while it shuts down.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        return "SIGUSR1"

    def _request(self, number: int, frame: Optional[FrameType]) -> None:
        self._requested = True

    def _requested_anywhere(self, trainer: Any) -> bool:
        # All processes must stop at the same update, or the others would wait forever.
        if trainer.data_parallel_world_size == 1:
            return self._requested
        flag = torch.tensor(float(self._requested), device=trainer.device)
        distributed_utils.all_reduce(flag, group=trainer.data_parallel_process_group, op="max")
        return bool(flag)


# With fairseq's own registry, so that it works for every task under --user-dir.
register_training_hook(StopAtSignal())

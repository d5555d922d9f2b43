"""Read checkpoints without running anything that is in them.

Not part of fairseq 0.12.2: added by deepnet_fairseq's `scripts/setup.sh`.
"""

import argparse
import pickle
import re
from typing import BinaryIO, ContextManager, List

import numpy as np
import torch

try:
    from numpy._core import multiarray
except ImportError:  # numpy 1
    from numpy.core import multiarray

# What fairseq's own checkpoints hold beyond torch's tensors and Python's plain types.
# A plugin whose checkpoints hold more adds it with torch.serialization.add_safe_globals.
ALLOWED = [
    # cfg.task and cfg.model of tasks and models without a dataclass
    argparse.Namespace,
    # Metrics: --eval-bleu logs numpy arrays, and meters keep numpy numbers as they come. Both of
    # the names numpy has had for its functions, so that a checkpoint outlives an upgrade.
    np.ndarray,
    np.dtype,
    *(type(np.dtype(code)) for code in "?bhilqBHILQefd"),
    *(
        (function, f"{module}.{function.__name__}")
        for function in (multiarray._reconstruct, multiarray.scalar)
        for module in ("numpy._core.multiarray", "numpy.core.multiarray")
    ),
]


def allow_list() -> ContextManager[None]:
    """Return a context in which torch loads `ALLOWED` beside whatever it allows already."""
    # Only what is missing: on leaving, torch forgets what the context named, a plugin's own too.
    present = torch.serialization.get_safe_globals()
    return torch.serialization.safe_globals([entry for entry in ALLOWED if entry not in present])


def load_allowed(file: BinaryIO, path: str) -> dict:
    """Return the checkpoint in the open *file*, on the CPU; *path* is for the error messages.

    Raises:
        pickle.UnpicklingError: the file holds a class that is not allowed, which the message
            names, or is no checkpoint. Nothing in it has run.
    """
    try:
        with allow_list():
            return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        # In files older than torch's zip format nothing but its message has the name.
        refused = refused_names(file) or re.findall(r"GLOBAL ([\w.]+)", str(error))
        if not refused:
            raise pickle.UnpicklingError(f"cannot read checkpoint {path}; is it whole?") from error
        raise pickle.UnpicklingError(
            f"checkpoint {path} holds {', '.join(refused)}, which is not loaded because it could "
            "run code. If you trust whoever wrote the file, allow what is named here in the module "
            "that --user-dir names: torch.serialization.add_safe_globals([...])."
        ) from None


def refused_names(file: BinaryIO) -> List[str]:
    """Return the classes and functions in the checkpoint that are not allowed, sorted."""
    file.seek(0)
    try:
        with allow_list():
            return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(file))
    except (ValueError, RuntimeError, EOFError, pickle.UnpicklingError):
        return []  # older than torch's zip format, or not a checkpoint at all

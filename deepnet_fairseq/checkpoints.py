"""Read fairseq checkpoints, and average a run's newest ones: a smoother model than any of them.

fairseq's own scripts/average_checkpoints.py is not in its wheel. Files are memory-mapped, so that
only the weights are read, one tensor at a time, and not the optimizer's state, which is twice as
large.
"""

import logging
import pickle
import re
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import torch
from fairseq.safe_loading import allow_list, load_allowed

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.io import atomic

logger = logging.getLogger(__name__)

# The names that fairseq-train gives: checkpoint7.pt at the end of an epoch, checkpoint_7_12000.pt
# during one, checkpoint_last.pt.
IN_ORDER = re.compile(r"checkpoint(\d+|_\d+_\d+|_last)\.pt")
BEST = "checkpoint_best.pt"
RECORD = "averaged_from"


def average_newest(directory: Path, count: int) -> Path:
    """Average the `count` newest checkpoints of a run, or fewer, and return the file beside them.

    Copies with the same number of updates count once. checkpoint_best.pt, which may be much older
    than the others, is left out unless it is the only one. If `count` is 1, the result has the
    weights of the newest checkpoint, and does not change while training continues. A result that
    was made from the same files before is kept.

    Raises:
        EvaluationError: There is no checkpoint, or `average` rejects them.
    """
    newest = find_newest(directory, count)
    if len(newest) < count:
        logger.warning(
            "%s holds checkpoints of %d different updates, not %d: averaging what there is",
            directory,
            len(newest),
            count,
        )
    destination = directory / f"checkpoint_average_of_{len(newest)}_at_{newest[0][0]}.pt"
    paths = [path for _, path in newest]
    if destination.is_file() and load_checkpoint(destination).get(RECORD) == _record(paths):
        logger.info("%s: made before from the same checkpoints, left as it is", destination)
        return destination
    logger.info("averaging %s", ", ".join(path.name for path in paths))
    average(paths, destination)
    return destination


def find_newest(directory: Path, count: int) -> List[Tuple[int, Path]]:
    """Return the `count` newest checkpoints with their numbers of updates, newest first.

    Raises:
        EvaluationError: There is none.
    """
    paths = sorted(
        path for path in directory.glob("checkpoint*.pt") if IN_ORDER.fullmatch(path.name)
    )
    paths = paths or [path for path in [directory / BEST] if path.is_file()]
    if not paths:
        raise EvaluationError(f"{directory} holds no checkpoint")
    # checkpoint_last.pt is last by name. A file with the same updates, which keeps its content, is
    # preferred to it.
    by_updates: Dict[int, Path] = {}
    for path in paths:
        by_updates.setdefault(checkpoint_updates(load_checkpoint(path), path), path)
    return sorted(by_updates.items(), reverse=True)[:count]


def average(paths: Sequence[Path], destination: Path) -> None:
    """Write a checkpoint with the mean weights of `paths`.

    All else is the first checkpoint's, without the optimizer's state. Floating-point tensors are
    averaged in float32 and keep their type; others (counters) are the first one's. Tensors that
    share memory in every checkpoint share it in the result. `averaged_from` in the result names the
    files and their updates.

    Raises:
        EvaluationError: A checkpoint has other tensors or shapes than the first, or two have the
            same number of updates, so that the same weights would count twice.
    """
    states = [load_checkpoint(path) for path in paths]
    seen: Dict[int, Path] = {}
    for path, state in zip(paths, states, strict=True):
        updates = checkpoint_updates(state, path)
        same = seen.setdefault(updates, path)
        if same is not path:
            raise EvaluationError(
                f"{path} and {same} are both of update {updates}; leave one of them out"
            )
    models = [state["model"] for state in states]
    for path, model in zip(paths[1:], models[1:], strict=True):
        _check_same_shapes(path, model, paths[0], models[0])
    result = {key: value for key, value in states[0].items() if key != "last_optimizer_state"}
    result.update({"model": _mean(models), RECORD: _record(paths)})
    with atomic(destination) as beside:
        torch.save(result, beside)


def read_averaged_from(path: Path) -> List[Dict[str, Any]]:
    """Return the files, with their updates, that a checkpoint is the average of; [] if of none."""
    record = load_checkpoint(path).get(RECORD, [])
    return [{"file": source["file"], "updates": source["updates"]} for source in record]


def load_checkpoint(path: Path) -> Dict[str, Any]:
    """Return a checkpoint as it was saved, its tensors mapped from the file; run nothing in it.

    Raises:
        EvaluationError: It is not complete, or holds what fairseq's allow-list does not know.
    """
    try:
        try:
            with allow_list():
                state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (pickle.UnpicklingError, RuntimeError, OSError):
            # Written by torch before 1.6, or broken; fairseq says how.
            with open(path, "rb") as file:
                state = load_allowed(file, str(path))
    except pickle.UnpicklingError as error:
        raise EvaluationError(str(error)) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise EvaluationError(
            f"{path} cannot be read as a checkpoint; is it there, and whole? ({error})"
        ) from error
    if not isinstance(state, dict) or not isinstance(state.get("model"), dict):
        raise EvaluationError(f"{path} is no fairseq checkpoint: it holds no 'model'")
    return state


def checkpoint_updates(state: Dict[str, Any], path: Path) -> int:
    """Return how many updates a checkpoint was trained for, or raise EvaluationError."""
    try:
        return int(state["optimizer_history"][-1]["num_updates"])
    except (KeyError, IndexError, TypeError):
        raise EvaluationError(
            f"{path} does not say how many updates it was trained for "
            "(optimizer_history[-1].num_updates)"
        ) from None


def _record(paths: Sequence[Path]) -> List[Dict[str, Any]]:
    """Return what identifies the averaged files, as the result records it."""
    return [
        {
            "file": path.name,
            "updates": checkpoint_updates(load_checkpoint(path), path),
            "modified": path.stat().st_mtime_ns,
        }
        for path in paths
    ]


def _check_same_shapes(
    path: Path, model: Dict[str, torch.Tensor], first_path: Path, first: Dict[str, torch.Tensor]
) -> None:
    for name in sorted(first.keys() ^ model.keys()):
        lacks, has = (path, first_path) if name in first else (first_path, path)
        raise EvaluationError(
            f"{lacks} lacks {name}, which {has} holds; average checkpoints of one model"
        )
    for name, tensor in first.items():
        if model[name].shape != tensor.shape:
            shapes = f"{tuple(model[name].shape)} in {path}, {tuple(tensor.shape)} in {first_path}"
            raise EvaluationError(f"{name} is {shapes}; average checkpoints of one model")


def _mean(models: Sequence[Dict[str, torch.Tensor]]) -> Dict[str, torch.Tensor]:
    """Return the mean of each tensor; one that several names share (tied embeddings) stays one."""
    made: Dict[Tuple[Any, ...], torch.Tensor] = {}
    result: Dict[str, torch.Tensor] = {}
    for name, first in models[0].items():
        tensors = [model[name] for model in models]
        memory: Tuple[Any, ...] = (name,)  # an empty tensor has no memory that identifies it
        if first.numel():
            memory = tuple((t.data_ptr(), t.dtype, t.shape, t.stride()) for t in tensors)
        if memory not in made:
            made[memory] = _mean_of(tensors)
        result[name] = made[memory]
    return result


def _mean_of(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    if len(tensors) == 1 or not tensors[0].is_floating_point():
        return tensors[0].clone()  # the mapped file may be larger than the tensor
    total = tensors[0].to(torch.float32, copy=True)
    for tensor in tensors[1:]:
        total += tensor.to(torch.float32)
    return total.div_(len(tensors)).to(tensors[0].dtype)

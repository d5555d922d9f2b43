"""The mean of a run's newest checkpoints: a smoother model than any of them.

fairseq's own scripts/average_checkpoints.py is not in its wheel. Files are mapped into memory, not read, so that of each checkpoint only
the weights are touched, one tensor at a time, and not the optimizer's state, which is twice as large.
"""

import logging
import os
import pickle
import re
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import torch
from fairseq.safe_loading import allow_list, load_allowed

from deepnet_fairseq.errors import EvaluationError

logger = logging.getLogger(__name__)

# checkpoint7.pt at the end of an epoch, checkpoint_7_12000.pt between, checkpoint_last.pt: the names that fairseq-train gives.
IN_ORDER = re.compile(r"checkpoint(\d+|_\d+_\d+|_last)\.pt")
BEST = "checkpoint_best.pt"
RECORD = "averaged_from"


def average_newest(directory: Path, count: int) -> Path:
    """Average the count newest checkpoints of a run, or as many as there are, and return the file, which lies beside them.

    Of copies with the same number of updates one is taken. checkpoint_best.pt, which may be much older than the others, is left out
    unless it is all there is. With a count of 1 the result holds the newest checkpoint's own weights, and stays as it is while training
    goes on. A result that is there already and was made from these very files is kept.

    Raises EvaluationError if there is no checkpoint, or `average` refuses them.
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
    if destination.is_file() and load_checkpoint(destination).get(RECORD) == _sources(paths):
        logger.info("%s: made before from the same checkpoints, left as it is", destination)
        return destination
    logger.info("averaging %s", ", ".join(path.name for path in paths))
    average(paths, destination)
    return destination


def find_newest(directory: Path, count: int) -> List[Tuple[int, Path]]:
    """The count newest checkpoints of a run, with their numbers of updates, newest first. Raises EvaluationError if there is none."""
    found = sorted(
        path for path in directory.glob("checkpoint*.pt") if IN_ORDER.fullmatch(path.name)
    )
    found = found or [path for path in [directory / BEST] if path.is_file()]
    if not found:
        raise EvaluationError(f"{directory} holds no checkpoint")
    # Sorted by name, checkpoint_last.pt comes late, and yields to a file with the same updates that keeps its content.
    by_updates: Dict[int, Path] = {}
    for path in found:
        by_updates.setdefault(checkpoint_updates(load_checkpoint(path), path), path)
    return sorted(by_updates.items(), reverse=True)[:count]


def average(paths: Sequence[Path], destination: Path) -> None:
    """Write a checkpoint with the mean weights of paths, and all else from the first, without the optimizer's state.

    Floating-point tensors are averaged in float32 and keep their type; others (counters) are the first one's. Tensors that share memory
    in every checkpoint share it in the result. `averaged_from` in it names the files with their updates.

    Raises EvaluationError, naming file and tensor, for one with other tensors or shapes than the first, and for two files with the same
    number of updates: the same weights would count twice.
    """
    states = [load_checkpoint(path) for path in paths]
    seen: Dict[int, Path] = {}
    for path, state in zip(paths, states, strict=True):
        same = seen.setdefault(checkpoint_updates(state, path), path)
        if same is not path:
            raise EvaluationError(
                f"{path} and {same} are both of update {checkpoint_updates(state, path)}; leave one of them out"
            )
    models = [state["model"] for state in states]
    for path, model in zip(paths[1:], models[1:], strict=True):
        _check_same_shapes(path, model, paths[0], models[0])
    result = {key: value for key, value in states[0].items() if key != "last_optimizer_state"}
    result.update({"model": _mean(models), RECORD: _sources(paths)})
    beside = destination.with_name(
        destination.name + ".partial"
    )  # not *.pt: nobody takes it for a checkpoint
    torch.save(result, beside)
    os.replace(beside, destination)


def load_checkpoint(path: Path) -> Dict[str, Any]:
    """A checkpoint as it was saved, its tensors mapped from the file; nothing in it is run.

    Raises EvaluationError if it is not whole, or holds what fairseq's allow-list does not know.
    """
    try:
        try:
            with allow_list():
                state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (pickle.UnpicklingError, RuntimeError, OSError):
            with open(
                path, "rb"
            ) as file:  # written by torch before 1.6, or broken: then fairseq says in what way
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
    """How many updates a checkpoint was trained for. Raises EvaluationError if it does not say."""
    try:
        return int(state["optimizer_history"][-1]["num_updates"])
    except (KeyError, IndexError, TypeError):
        raise EvaluationError(
            f"{path} does not say how many updates it was trained for (optimizer_history[-1].num_updates)"
        ) from None


def _sources(paths: Sequence[Path]) -> List[Dict[str, Any]]:
    """What identifies the averaged files, as the result records it."""
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
    """The mean of every tensor; one that several names share (tied embeddings) is made once."""
    made: Dict[Tuple[Any, ...], torch.Tensor] = {}
    result: Dict[str, torch.Tensor] = {}
    for name, first in models[0].items():
        tensors = [model[name] for model in models]
        # An empty tensor has no memory of its own to be recognised by.
        memory = (
            tuple((t.data_ptr(), t.dtype, t.shape, t.stride()) for t in tensors)
            if first.numel()
            else (name,)
        )
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

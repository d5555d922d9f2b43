"""A training that starts from a shallower model: the checkpoint that fairseq-train's --finetune-from-model takes, made beforehand."""

import logging
import os
import socket
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence

import torch
from fairseq import tasks, utils
from fairseq.data import Dictionary
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

from deepnet_fairseq.checkpoints import load_checkpoint
from deepnet_fairseq.errors import FlagError, GrowthError
from deepnet_fairseq.network.architectures import ARCHITECTURES
from deepnet_fairseq.network.growth import grow_
from deepnet_fairseq.network.model import DeepNetTransformer

# Flags that say otherwise where a training starts, or what of the checkpoint counts; fairseq refuses some of them with a traceback.
CONTRARY = {
    "restore_file": "checkpoint_last.pt",  # fairseq's default
    "finetune_from_model": None,
    "continue_once": None,
    "reset_optimizer": False,
    "reset_lr_scheduler": False,
    "reset_meters": False,
    "reset_dataloader": False,
    "store_ema": False,  # fairseq 0.12.2 finds no average in the checkpoint and fails
}


class Dictionaries(NamedTuple):
    """What a model asks of a task."""

    source_dictionary: Dictionary
    target_dictionary: Dictionary


def plan_growth(named: Sequence[Path], flags: Namespace) -> Optional[Path]:
    """Return where the grown model of a training is to be, None if there is nothing to grow: no checkpoint is named, or the training
    has begun.

    Raises FlagError if a checkpoint is named twice, or in the folder that the training writes to, or together with a flag that says
    otherwise.
    """
    if not named:
        return None
    if len(named) > 1:
        raise FlagError("--grow-from is given twice")
    for name, default in CONTRARY.items():
        if getattr(flags, name, default) != default:
            raise FlagError(f"--grow-from and --{name.replace('_', '-')} do not go together")
    folder = Path(flags.save_dir)
    if named[0].resolve().parent == folder.resolve():
        raise FlagError(
            f"--grow-from {named[0]} lies where this training writes its own checkpoints; give it another --save-dir"
        )
    if (folder / flags.restore_file).is_file():
        return None
    return folder / "grown.pt"


def grow_checkpoint(trained: Path, flags: Namespace, grown: Path) -> str:
    """Write the model of fairseq-train's flags with trained's function to the file grown, and return what was done.

    New weights depend on --seed alone, so that machines which share a folder may all write the file.

    Raises EvaluationError for a file that is no checkpoint, GrowthError for one that cannot grow into this model or a file that cannot
    be written, ValueError for flags that the task refuses.
    """
    if flags.arch not in ARCHITECTURES:
        raise GrowthError(f"--arch is {flags.arch}; only {', '.join(ARCHITECTURES)} can be grown")
    shallow = load_model(trained)
    cfg = convert_namespace_to_omegaconf(flags)
    utils.set_torch_seed(flags.seed)
    with without_news():
        task = tasks.setup_task(cfg.task)
    try:
        deep = DeepNetTransformer.build_model(cfg.model, task)
        grow_(deep, shallow)
    except ValueError as error:
        raise GrowthError(f"{trained} cannot grow into this model: {error}") from error
    state = {
        "args": None,
        "cfg": OmegaConf.to_container(cfg, resolve=True, enum_to_str=True),
        "model": deep.state_dict(),
        "criterion": None,
        # fairseq reads these, but takes nothing from them when it finetunes.
        "optimizer_history": [{"optimizer_name": None, "lr_scheduler_state": {}, "num_updates": 0}],
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
        "grown_from": str(trained),
    }
    try:
        save(state, grown)
    except (OSError, RuntimeError) as error:  # torch's own at a full disk is a RuntimeError
        raise GrowthError(f"{grown} cannot be written: {error}") from error
    depths = [
        f"{model.config.encoder_layers}-{model.config.decoder_layers}" for model in (shallow, deep)
    ]
    return f"{trained} has grown from {depths[0]} to {depths[1]} layers: {grown}"


def load_model(path: Path) -> DeepNetTransformer:
    """Return the model of a checkpoint. Its words are unknown, so its dictionaries only have their sizes.

    Raises EvaluationError for a file that is no checkpoint, GrowthError for one of another architecture.
    """
    state = load_checkpoint(path)
    args = (state.get("cfg") or {}).get("model")
    arch = getattr(args, "arch", None)
    if arch not in ARCHITECTURES:
        raise GrowthError(
            f"{path} holds a model of the architecture {arch}; only {', '.join(ARCHITECTURES)} can be grown"
        )
    try:
        sizes = [
            len(state["model"][f"{side}.embedding.tokens.weight"])
            for side in ("encoder", "decoder")
        ]
        model = DeepNetTransformer.build_model(args, Dictionaries(*map(dictionary_of, sizes)))
        model.load_state_dict(state["model"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise GrowthError(
            f"{path} does not hold the weights of its own options: {' '.join(str(error).split())[:300]}"
        ) from error
    return model


def dictionary_of(size: int) -> Dictionary:
    """Return a dictionary of so many entries."""
    dictionary = Dictionary()
    for i in range(size - len(dictionary)):
        dictionary.add_symbol(str(i))
    return dictionary


@contextmanager
def without_news() -> Iterator[None]:
    """Silence what is not even a warning: fairseq tells of every dictionary that it reads."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def save(state: Dict[str, Any], path: Path) -> None:
    """Write a checkpoint, whole or not at all, though other machines may be writing it, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}.partial")
    try:
        torch.save(state, beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)

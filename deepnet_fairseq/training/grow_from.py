"""A training that starts from a shallower model.

The grown model is written to a checkpoint for fairseq-train's --finetune-from-model.
"""

import logging
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Sequence

import torch
from fairseq import tasks, utils
from fairseq.data import Dictionary
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

from deepnet_fairseq.checkpoints import load_checkpoint
from deepnet_fairseq.errors import FlagError, GrowthError
from deepnet_fairseq.io import atomic
from deepnet_fairseq.network.architectures import ARCHITECTURES
from deepnet_fairseq.network.growth import grow_
from deepnet_fairseq.network.model import DeepNetTransformer

# Flags that contradict --grow-from about where a training starts, or what it takes from the
# checkpoint, with their defaults; fairseq rejects some of them with a traceback.
CONFLICTING = {
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
    """The part of a task that a model needs."""

    source_dictionary: Dictionary
    target_dictionary: Dictionary


def plan_growth(checkpoints: Sequence[Path], flags: Namespace) -> Optional[Path]:
    """Return the path for the grown model, or None if there is nothing to grow.

    Args:
        checkpoints: The values of --grow-from.
        flags: All flags of fairseq-train.

    Returns:
        None if no checkpoint is given, or if the training has begun.

    Raises:
        FlagError: --grow-from is given twice, with a checkpoint in the folder that the training
            writes to, or together with a conflicting flag.
    """
    if not checkpoints:
        return None
    if len(checkpoints) > 1:
        raise FlagError("--grow-from is given twice")
    for name, default in CONFLICTING.items():
        if getattr(flags, name, default) != default:
            raise FlagError(f"--grow-from and --{name.replace('_', '-')} do not go together")
    folder = Path(flags.save_dir)
    if checkpoints[0].resolve().parent == folder.resolve():
        raise FlagError(
            f"--grow-from {checkpoints[0]} is in the folder to which this training writes its own "
            "checkpoints; give it another --save-dir"
        )
    if (folder / flags.restore_file).is_file():
        return None
    return folder / "grown.pt"


def grow_checkpoint(trained: Path, flags: Namespace, grown: Path) -> str:
    """Grow a trained model into the model of the flags.

    New weights depend on --seed alone, so that machines that share a folder may all write the file.

    Args:
        trained: The checkpoint of the shallower model.
        flags: All flags of fairseq-train.
        grown: The file to write.

    Returns:
        A message for the log.

    Raises:
        EvaluationError: `trained` is not a checkpoint.
        GrowthError: It cannot grow into this model, or `grown` cannot be written.
        ValueError: The task rejects a flag.
    """
    if flags.arch not in ARCHITECTURES:
        raise GrowthError(f"--arch is {flags.arch}; only {', '.join(ARCHITECTURES)} can be grown")
    shallow = load_model(trained)
    cfg = convert_namespace_to_omegaconf(flags)
    utils.set_torch_seed(flags.seed)
    with info_silenced():
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
        with atomic(grown, several_writers=True) as partial:
            torch.save(state, partial)
    except (OSError, RuntimeError) as error:  # torch's own at a full disk is a RuntimeError
        raise GrowthError(f"{grown} cannot be written: {error}") from error
    depths = [
        f"{model.config.encoder_layers}-{model.config.decoder_layers}" for model in (shallow, deep)
    ]
    return f"{trained} has grown from {depths[0]} to {depths[1]} layers: {grown}"


def load_model(path: Path) -> DeepNetTransformer:
    """Return the model of a checkpoint.

    Its words are unknown, so its dictionaries only have the right sizes.

    Raises:
        EvaluationError: `path` is not a checkpoint.
        GrowthError: It has another architecture.
    """
    state = load_checkpoint(path)
    args = (state.get("cfg") or {}).get("model")
    arch = getattr(args, "arch", None)
    if arch not in ARCHITECTURES:
        raise GrowthError(
            f"{path} holds a model of the architecture {arch}; "
            f"only {', '.join(ARCHITECTURES)} can be grown"
        )
    try:
        sizes = [
            len(state["model"][f"{side}.embedding.tokens.weight"])
            for side in ("encoder", "decoder")
        ]
        dictionaries = Dictionaries(*map(make_dictionary, sizes))
        model = DeepNetTransformer.build_model(args, dictionaries)
        model.load_state_dict(state["model"])
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise GrowthError(
            f"{path} does not hold the weights of its own options: {reason}"
        ) from error
    return model


def make_dictionary(size: int) -> Dictionary:
    """Return a dictionary with `size` entries."""
    dictionary = Dictionary()
    for i in range(size - len(dictionary)):
        dictionary.add_symbol(str(i))
    return dictionary


@contextmanager
def info_silenced() -> Iterator[None]:
    """Silence all logs below a warning: fairseq logs each dictionary that it reads."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)

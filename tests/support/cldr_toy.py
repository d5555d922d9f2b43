"""A toy corpus made from Unicode CLDR, a config for tiny models on it, and in-process training."""

import contextlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from fairseq import checkpoint_utils
from fairseq.logging import progress_bar
from fairseq_cli import train

from deepnet_fairseq.commands.prepare import prepare
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.parallel import Jobs
from deepnet_fairseq.training.diagnostics.measurements import FILE_NAME, read
from support.fairseq_commands import run_in_process

# Sizes are distinct; 300 tokens are some 12 sentences.
CONFIG = """
work_dir: {folder}/run
data_dir: {data}
corpus:
  kind: cldr
  languages: [de]
  kinds: [choice, offer]
  countries: 8
  currencies: 4
  max_number: 20
  train_lines: 120
  dev_lines: 9
  test_lines: 2
directions: [en-de]
vocabulary: {{size: 79}}
{more}
tokens_per_update: 300
training:
  arch: deepnet_transformer_tiny
  encoder-embed-dim: 16
  encoder-ffn-embed-dim: 20
  encoder-attention-heads: 2
  encoder-layers: 2
  decoder-layers: 3
  share-all-embeddings: true
  encoder-langtok: tgt
  dropout: 0.1
  criterion: label_smoothed_cross_entropy
  label-smoothing: 0.1
  optimizer: adam
  adam-betas: (0.9, 0.98)
  clip-norm: 1.0
  lr: 1.0e-3
  lr-scheduler: inverse_sqrt
  warmup-updates: 4
  warmup-init-lr: 1.0e-7
  max-tokens: 400
  max-update: 3
  no-epoch-checkpoints: true
  num-workers: 0
  log-interval: 1
  seed: 1
"""


def write_config(folder: Path, data: Path, more: str = "") -> Path:
    """Write folder/toy.yaml and return its path.

    Args:
        folder: of the config and, as run/, of its trainings.
        data: the config's data_dir.
        more: further sections.
    """
    path = folder / "toy.yaml"
    path.write_text(CONFIG.format(folder=folder, data=data, more=more))
    return path


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The toy config with its data prepared; a conftest that imports this offers it."""
    folder = tmp_path_factory.mktemp("toy")
    recipe = load_recipe(write_config(folder, folder / "data"))
    prepare(recipe, Downloads(folder), Jobs())
    return recipe


def train_here(recipe: Recipe, save_dir: Path, *flags: Any, **changes: Any) -> List[str]:
    """Run fairseq-train in this process; return what it logged.

    Args:
        recipe: whose flags it gets.
        save_dir: of the checkpoints; there is no log file.
        flags: further words of the command.
        changes: values of the config's `training` section, with _ for -.
    """
    training = {
        **recipe.training,
        "tensorboard-logdir": None,
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    command = replace(recipe, training=training).training_command(cpu=True)
    place = command.index("--log-file")
    command[place : place + 2] = []
    command[command.index("--save-dir") + 1] = str(save_dir)
    return run_here([*command, *map(str, flags)])


def run_here(command: List[str]) -> List[str]:
    """Run a fairseq-train command in this process without side effects; return what it logged."""
    # fairseq remembers the best loss of earlier trainings.
    vars(checkpoint_utils.save_checkpoint).pop("best", None)
    with logged() as lines:
        run_in_process(train, *command[1:])
    return lines


@contextlib.contextmanager
def logged() -> Iterator[List[str]]:
    """Yield all that is logged, and restore levels and handlers afterwards."""
    lines: List[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    names = (None, "fairseq", "fairseq_cli", "fairseq_cli.train", "deepnet_fairseq")
    loggers = [*map(logging.getLogger, names), progress_bar.logger]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
    loggers[0].addHandler(Keep(logging.INFO))
    try:
        yield lines
    finally:
        for logger, (level, handlers) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            for handler in [handler for handler in logger.handlers if handler not in handlers]:
                logger.removeHandler(handler)
                handler.close()


def measured(folder: Path) -> Dict[tuple, float]:
    """Return the measurements in a folder by (update, stack, layer, quantity)."""
    return {m[:4]: m.value for m in read(folder / FILE_NAME)}


def weights(checkpoint: Path) -> Dict[str, Any]:
    """Return the weights in a checkpoint without an uninitialised buffer of fairseq's positions."""
    state = checkpoint_utils.load_checkpoint_to_cpu(str(checkpoint))["model"]
    return {name: weight for name, weight in state.items() if "_float_tensor" not in name}

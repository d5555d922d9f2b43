"""A toy corpus of three pairs, and fairseq's multilingual tasks on it."""

import json
import random
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
from fairseq import options, tasks
from fairseq_cli import preprocess

import deepnet_fairseq
from deepnet_fairseq.training import task as deepnet_task
from support.fairseq_commands import run_in_process

PAIRS = {("de", "en"): 157, ("en", "fr"): 60, ("en", "ro"): 13}  # examples
DIRECTIONS = "de-en,en-de,en-fr,fr-en,en-ro,ro-en"
STOCK, OURS = "translation_multi_simple_epoch", "translation_multi_deepnet"
USER_DIR = str(Path(deepnet_fairseq.__file__).parent)
WORDS = [f"w{i}" for i in range(20)]
assert deepnet_task  # its import registers the task


def binarize(root: Path, sizes: Dict[Tuple[str, str], int], seed: int = 4) -> Path:
    """Write sentences of 1 to 30 words and return the folder of their binary data.

    Args:
        root: of all files.
        sizes: training sentences per pair.
        seed: of the words.
    """
    draw = random.Random(seed)
    root.mkdir(parents=True, exist_ok=True)
    (root / "dict.txt").write_text("".join(f"{word} 1\n" for word in WORDS))
    for (source, target), size in sizes.items():
        for split, lines in (("train", size), ("valid", 5), ("test", 6)):
            for language in (source, target):
                text = "".join(
                    " ".join(draw.choices(WORDS, k=draw.randint(1, 30))) + "\n"
                    for _ in range(lines)
                )
                (root / f"{split}.{source}-{target}.{language}").write_text(text)
        prefixes = [
            f"--{split}pref={root / split}.{source}-{target}"
            for split in ("train", "valid", "test")
        ]
        words = ["-s", source, "-t", target, *prefixes, "--destdir", root / "bin"]
        words += ["--srcdict", root / "dict.txt", "--tgtdict", root / "dict.txt"]
        run_in_process(preprocess, *words)
    return root / "bin"


def task_flags(name: str, data: Any, *flags: Any) -> List[str]:
    words = [
        data,
        "--task",
        name,
        "--langs",
        "de,en,fr,ro",
        "--lang-pairs",
        DIRECTIONS,
        "--max-tokens",
        200,
        *flags,
    ]
    return [str(word) for word in words]


def set_up(name: str, data: Any, *flags: Any) -> Any:
    """Return the task, with no data loaded."""
    args = options.parse_args_and_arch(
        options.get_training_parser(), [*task_flags(name, data, *flags), "--arch", "transformer"]
    )
    for side in ("source", "target"):  # fairseq-train fills them in with a second of work
        vars(args).setdefault(f"max_{side}_positions", 1024)
    return tasks.setup_task(args)


def batch_iterator(task: Any, epoch: int, **changes: Any) -> Any:
    """Return the task's iterator for an epoch, as fairseq's trainer gets it."""
    limits = {
        "max_tokens": 200,
        "max_positions": (200, 200),
        "ignore_invalid_inputs": True,
        "required_batch_size_multiple": 8,
    }
    return task.get_batch_iterator(
        task.dataset("train"), **{**limits, "seed": 3, "epoch": epoch, **changes}
    )


def examples_of(task: Any, batches: Any) -> List[List[Tuple[str, int]]]:
    """Return batches of (direction, number of the example in it)."""
    dataset = task.dataset("train")
    located = [[dataset._get_dataset_and_index(example) for example in batch] for batch in batches]
    return [
        [(dataset.keys[direction], int(number)) for direction, number in batch] for batch in located
    ]


def epochs(
    task: Any, last: int, first: int = 1, **changes: Any
) -> List[List[List[Tuple[str, int]]]]:
    """Return the batches of epochs in a row, loading data as fairseq-train does."""
    batches, changes = [], dict(changes)
    for epoch in range(first, last + 1):
        if epoch == first or task.has_sharded_data("train"):
            task.load_dataset("train", epoch=epoch, combine=True)
        iterator = batch_iterator(task, epoch, **changes)
        assert len(iterator.first_batch["id"]) > 0  # the trainer asks for it first
        iterator.dataset.set_epoch(epoch)
        batches.append(examples_of(task, iterator.ordered_batches(epoch, False, True)))
    return batches


def lengths_of(task: Any, batches: List[List[Tuple[str, int]]]) -> List[np.ndarray]:
    """Return, for every batch, its examples' source and target lengths [sentences, 2]."""
    datasets = dict(zip(task.dataset("train").keys, task.dataset("train").datasets, strict=True))
    pairs = [[datasets[key][number] for key, number in batch] for batch in batches]
    return [
        np.array([(len(pair["source"]), len(pair["target"])) for pair in batch]) for batch in pairs
    ]


def write_weights(path: Path) -> Path:
    path.write_text(json.dumps(WEIGHTS))
    return path


WEIGHTS = {
    f"main:{direction}": weight
    for direction, weight in zip(DIRECTIONS.split(","), (1, 2, 0.5, 3, 1, 4), strict=True)
}

"""Which epochs share a sample of the corpus, and which examples it has: the draws of fairseq's sampled_multi_(epoch_)dataset.py."""

import hashlib
import math
from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
from fairseq.data.multilingual.sampled_multi_dataset import default_virtual_size_func

# Stock's data manager leaves its datasets' seed at the default, so that --seed has no part in the choice of examples.
_SEED = 2


@dataclass(frozen=True)
class Pass:
    """Epochs in a row that read one sample of the corpus, each its own part of it; without --virtual-epoch-size, a single epoch."""

    number: int  # from 1; with several data folders, also the shard that is read, counted round and round
    first_epoch: int
    epochs: int  # fewer than the sample has parts if the temperature changes before
    examples: List[int]  # of each direction, in the shard
    ratios: Optional[np.ndarray]  # weights of the directions; None: every example once
    size: int  # examples of the sample
    epoch_size: int  # examples of an epoch, except a shorter last one


class Passes:
    """All passes of a training: they follow from the epoch alone, so that a resumed training finds its own again.

    Stock seeds a pass by the epoch in which the *process* began it and reads the next shard one epoch late; in an uninterrupted training
    on one data folder the two agree.
    """

    def __init__(
        self,
        examples_by_shard: Sequence[Sequence[int]],
        ratios_at: Callable[[int], Optional[np.ndarray]],
        next_change: Callable[[int], Optional[int]],
        virtual_size: Optional[int],
        virtual_epoch_size: Optional[int],
    ) -> None:
        """examples_by_shard: [direction][shard]; ratios_at and next_change: of an epoch, as in Pass and TemperatureSchedule."""
        self._examples = examples_by_shard
        self._ratios_at, self._next_change = ratios_at, next_change
        self._virtual_size, self._virtual_epoch_size = virtual_size, virtual_epoch_size
        self._passes: List[Pass] = []

    def of_epoch(self, epoch: int) -> Pass:
        """Return the pass that an epoch, counted from 1, belongs to."""
        while not self._passes or self._end(self._passes[-1]) <= epoch:
            self._passes.append(
                self._pass(
                    len(self._passes) + 1, self._end(self._passes[-1]) if self._passes else 1
                )
            )
        return next(p for p in reversed(self._passes) if p.first_epoch <= epoch)

    @staticmethod
    def _end(p: Pass) -> int:
        return p.first_epoch + p.epochs

    def _pass(self, number: int, epoch: int) -> Pass:
        examples = [shards[(number - 1) % len(shards)] for shards in self._examples]
        ratios = self._ratios_at(epoch)
        if ratios is None:
            size = sum(examples)
        else:
            size = self._virtual_size or default_virtual_size_func(
                [range(n) for n in examples], ratios
            )
        epoch_size = min(self._virtual_epoch_size or size, size)
        epochs = math.ceil(size / epoch_size)
        if change := self._next_change(epoch):
            epochs = min(epochs, change - epoch)
        return Pass(number, epoch, epochs, examples, ratios, size, epoch_size)


def draw(p: Pass, virtual_epochs: bool) -> Tuple[np.ndarray, np.ndarray]:
    """Return the examples of a pass and how many of them each direction has [number of directions].

    The examples [size] are in stock's order and numbered through all directions of the shard. A direction that is to have more than it
    holds is sampled with replacement, otherwise without. virtual_epochs: as --virtual-epoch-size asks, with the order shuffled.
    """
    rng = _generator(
        "SampledMultiEpochDataset" if virtual_epochs else "SampledMultiDataset", p.first_epoch
    )
    total = sum(p.examples)
    dtype = np.uint32 if total < 2**32 else np.int64
    if p.ratios is None:
        counts, examples = np.array(p.examples), np.arange(total, dtype=dtype)
    else:
        counts, examples = _counts(p, rng), np.empty(p.size, dtype)
        start = first = 0
        for held, count in zip(p.examples, counts, strict=True):
            examples[start : start + count] = rng.choice(held, count, replace=count > held) + first
            start, first = start + count, first + held
    if virtual_epochs:
        _generator("SampledMultiEpochDataset", p.first_epoch).shuffle(
            examples
        )  # the draws of stock's choice without replacement
    return examples, counts


def _generator(class_name: str, epoch: int) -> np.random.RandomState:
    word = int(hashlib.sha1(class_name.encode()).hexdigest(), 16) % 2**32
    return np.random.RandomState([word, _SEED, epoch])


def _counts(p: Pass, rng: np.random.RandomState) -> np.ndarray:
    ratios = p.ratios / p.ratios.sum()
    counts = np.array([p.size * ratio for ratio in ratios], dtype=np.int64)
    for direction in rng.choice(
        len(ratios), size=p.size - counts.sum(), p=ratios
    ):  # what rounding down has left over
        counts[direction] += 1
    return counts

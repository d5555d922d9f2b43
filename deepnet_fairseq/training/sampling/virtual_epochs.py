"""Which sample of the corpus an epoch reads, and which examples the sample has.

The draws are those of fairseq's sampled_multi_(epoch_)dataset.py.
"""

import hashlib
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
from fairseq.data.multilingual.sampled_multi_dataset import default_virtual_size_func

# Stock's data manager leaves its datasets' seed at the default, so that --seed has no influence on
# the choice of examples.
_SEED = 2


@dataclass(frozen=True)
class CorpusSample:
    """Examples drawn from the corpus, which consecutive virtual epochs read part by part.

    Without --virtual-epoch-size, each epoch has a sample of its own.
    """

    # From 1; if there are several data folders, it also counts the shards that are read, in turn.
    number: int
    first_epoch: int
    # Fewer than the sample has parts if the temperature changes earlier.
    epochs: int
    # Of each direction, in the shard.
    examples: List[int]
    # Weights of the directions; None: each example once.
    ratios: Optional[np.ndarray]
    # Examples of the sample.
    size: int
    # Examples of an epoch; the last one may be shorter.
    epoch_size: int

    @property
    def end_epoch(self) -> int:
        """The epoch after the last one that reads this sample."""
        return self.first_epoch + self.epochs


class VirtualEpochs:
    """All samples of a training, as functions of the epoch: a resumed training finds its own again.

    Stock seeds a sample by the epoch in which the *process* began it, and reads the next shard one
    epoch late; in an uninterrupted training on one data folder the two agree.

    Args:
        examples_by_shard: Numbers of examples [direction][shard].
        ratios_at: Returns the ratios of an epoch, as in `CorpusSample`.
        next_change: Returns the next epoch with another temperature, as in `TemperatureSchedule`.
        virtual_size: --virtual-data-size, if given.
        virtual_epoch_size: --virtual-epoch-size, if given.
    """

    def __init__(
        self,
        examples_by_shard: Sequence[Sequence[int]],
        ratios_at: Callable[[int], Optional[np.ndarray]],
        next_change: Callable[[int], Optional[int]],
        virtual_size: Optional[int],
        virtual_epoch_size: Optional[int],
    ) -> None:
        self._examples = examples_by_shard
        self._ratios_at, self._next_change = ratios_at, next_change
        self._virtual_size, self._virtual_epoch_size = virtual_size, virtual_epoch_size
        self._samples: List[CorpusSample] = []

    def sample_of(self, epoch: int) -> CorpusSample:
        """Return the sample that an epoch, counted from 1, reads."""
        while not self._samples or self._samples[-1].end_epoch <= epoch:
            self._samples.append(self._next_sample())
        return next(sample for sample in reversed(self._samples) if sample.first_epoch <= epoch)

    def _next_sample(self) -> CorpusSample:
        number = len(self._samples) + 1
        epoch = self._samples[-1].end_epoch if self._samples else 1
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
        return CorpusSample(number, epoch, epochs, examples, ratios, size, epoch_size)


def draw_examples(sample: CorpusSample, shuffle: bool) -> Tuple[np.ndarray, np.ndarray]:
    """Draw the examples of a sample.

    A direction that is to have more examples than the corpus is sampled with replacement, any other
    without.

    Args:
        sample: What to draw.
        shuffle: Whether the order is shuffled, as virtual epochs require.

    Returns:
        The examples [size] in stock's order, numbered through all directions of the shard, and how
        many of them each direction has [directions].
    """
    dataset = "SampledMultiEpochDataset" if shuffle else "SampledMultiDataset"
    rng = _generator(dataset, sample.first_epoch)
    total = sum(sample.examples)
    dtype = np.uint32 if total < 2**32 else np.int64
    if sample.ratios is None:
        counts, examples = np.array(sample.examples), np.arange(total, dtype=dtype)
    else:
        counts, examples = _draw_counts(sample, rng), np.empty(sample.size, dtype)
        start = first = 0
        for available, count in zip(sample.examples, counts, strict=True):
            drawn = rng.choice(available, count, replace=count > available)
            examples[start : start + count] = drawn + first
            start, first = start + count, first + available
    if shuffle:
        # The same draws as stock's choice without replacement.
        _generator(dataset, sample.first_epoch).shuffle(examples)
    return examples, counts


def _generator(class_name: str, epoch: int) -> np.random.RandomState:
    word = int(hashlib.sha1(class_name.encode()).hexdigest(), 16) % 2**32
    return np.random.RandomState([word, _SEED, epoch])


def _draw_counts(sample: CorpusSample, rng: np.random.RandomState) -> np.ndarray:
    ratios = sample.ratios / sample.ratios.sum()
    counts = np.array([sample.size * ratio for ratio in ratios], dtype=np.int64)
    remainder = sample.size - counts.sum()  # lost by rounding down
    for direction in rng.choice(len(ratios), size=remainder, p=ratios):
        counts[direction] += 1
    return counts


class TemperatureSchedule:
    """A sampling temperature for each epoch.

    '1:5,10:2.5,20:1' samples at 5 in epochs 1 to 9, at 2.5 in 10 to 19, and at 1 from 20 on.

    Raises:
        ValueError: The text is not a list of EPOCH:TEMPERATURE pairs, separated by commas, with
            epochs that rise from 1 and temperatures above 0.
    """

    def __init__(self, text: str) -> None:
        self.steps: List[Tuple[int, float]] = []
        for word in text.split(","):
            epoch, _, temperature = word.partition(":")
            try:
                self.steps.append((int(epoch), float(temperature)))
            except ValueError:
                raise ValueError(
                    f"{text!r}: {word!r} is not EPOCH:TEMPERATURE, as in 1:5,10:2.5"
                ) from None
        epochs = [epoch for epoch, _ in self.steps]
        if epochs[0] != 1 or any(a >= b for a, b in pairwise(epochs)):
            raise ValueError(
                f"{text!r}: epochs are {', '.join(map(str, epochs))}; they must begin with 1 and "
                "rise"
            )
        for _, temperature in self.steps:
            if not 0 < temperature < math.inf:
                raise ValueError(f"{text!r}: temperature {temperature} is not a number above 0")

    def at(self, epoch: int) -> float:
        """Return the temperature of an epoch, counted from 1."""
        return [temperature for first, temperature in self.steps if first <= epoch][-1]

    def next_change(self, epoch: int) -> Optional[int]:
        """Return the first epoch after this one with another temperature, or None."""
        return next((first for first, _ in self.steps if first > epoch), None)

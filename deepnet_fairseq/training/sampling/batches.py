"""An epoch's batches as two arrays, and fairseq's iterator over them."""

import math
from typing import Callable, Iterator, List, Optional, Sequence, Union

import numpy as np
from fairseq.data import FairseqDataset, data_utils
from fairseq.data.iterators import EpochBatchIterator


class Batches(Sequence):
    """Lists of example numbers, in 4 bytes per example and 8 per batch.

    A list of arrays takes 8 and about 100.

    Args:
        examples: The numbers [n] of all batches, one batch after another.
        ends: Where each batch ends [batches].
    """

    def __init__(self, examples: np.ndarray, ends: np.ndarray) -> None:
        self.examples, self.ends = examples, ends

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> List[int]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"batch {i} of {len(self)}")
        i %= len(self)
        return self.examples[self.ends[i - 1] if i else 0 : self.ends[i]].tolist()


class BatchOrder(Sequence):
    """Batches in another order, which has -1 for an empty batch."""

    def __init__(self, batches: Sequence[List[int]], order: np.ndarray) -> None:
        self.batches, self.order = batches, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: Union[int, slice]) -> Union[List[int], "BatchOrder"]:
        if isinstance(i, slice):
            return BatchOrder(self.batches, self.order[i])
        return self.batches[self.order[i]] if self.order[i] >= 0 else []

    def __iter__(self) -> Iterator[List[int]]:
        return (self[i] for i in range(len(self)))


class EpochBatches(EpochBatchIterator):
    """fairseq's EpochBatchIterator without tuples and lists of all batches; it yields the same.

    Args:
        build_batches: Returns the batches of an epoch.
        others: As in fairseq/data/iterators.py.
    """

    def __init__(
        self,
        dataset: FairseqDataset,
        build_batches: Callable[[int], Batches],
        seed: int,
        num_shards: int,
        shard_id: int,
        num_workers: int,
        epoch: int,
        buffer_size: int,
        grouped_shuffling: bool,
    ) -> None:
        super().__init__(
            dataset,
            dataset.collater,
            batch_sampler=lambda dataset, epoch: self._build(epoch),
            seed=seed,
            num_shards=num_shards,
            shard_id=shard_id,
            num_workers=num_workers,
            epoch=epoch,
            buffer_size=buffer_size,
            grouped_shuffling=grouped_shuffling,
        )
        self._build_batches = build_batches
        self._epoch_of_batches: Optional[int] = None

    @property
    def frozen_batches(self) -> Batches:
        """The batches of the epoch, of all processes, before they are shuffled."""
        if self._epoch_of_batches != self.epoch:
            self._frozen_batches, self._epoch_of_batches = self._build(self.epoch), self.epoch
        return self._frozen_batches

    def _build(self, epoch: int) -> Batches:
        """Free the previous epoch's batches, then build this one's.

        Both at once would set the peak of a training's memory.
        """
        if epoch != self._epoch_of_batches:
            self._frozen_batches = self._cur_epoch_itr = self._epoch_of_batches = None
        return self._build_batches(epoch)

    def ordered_batches(self, epoch: int, fix_batches_to_gpus: bool, shuffle: bool) -> BatchOrder:
        """Return the batches of this process in the order of the epoch.

        `fix_batches_to_gpus` has no effect: it is for datasets that prefetch.
        """
        order = np.arange(len(self.frozen_batches))
        if shuffle:
            with data_utils.numpy_seed(self.seed + epoch):
                order = self._shuffled(order)
        mine = order[self.shard_id :: self.num_shards]
        missing = math.ceil(len(order) / self.num_shards) - len(mine)
        return BatchOrder(self.frozen_batches, np.append(mine, [-1] * missing).astype(order.dtype))

    def _shuffled(self, order: np.ndarray) -> np.ndarray:
        if not self.grouped_shuffling:
            np.random.shuffle(order)
            return order
        groups = np.arange(len(order) // self.num_shards)
        np.random.shuffle(groups)
        return (
            order[: len(groups) * self.num_shards].reshape(-1, self.num_shards)[groups].reshape(-1)
        )

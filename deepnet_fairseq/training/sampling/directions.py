"""All directions of the training subset as one dataset, and the batches of its epochs."""

import logging
import time
from bisect import bisect_right
from collections import OrderedDict
from typing import Any, List, Optional, Tuple

import numpy as np
from fairseq.data import FairseqDataset, SampledMultiDataset, TransformEosLangPairDataset

from deepnet_fairseq.training.sampling.batches import Batches
from deepnet_fairseq.training.sampling.ordering import LONGEST, Limits, order_and_batch
from deepnet_fairseq.training.sampling.passes import Pass, draw

logger = logging.getLogger(__name__)


class Directions(SampledMultiDataset):
    """Every example of every direction, numbered through; which of them an epoch has is up to its batches.

    Collating is that of fairseq's sampled_multi_dataset.py.
    """

    def __init__(
        self, datasets: "OrderedDict[str, FairseqDataset]", split: str, shared_collater: bool
    ) -> None:
        super().__init__(
            datasets,
            sampling_ratios=None,
            virtual_size=None,
            split=split,
            shared_collater=shared_collater,
        )

    def _establish_virtual_datasets(self) -> None:
        self.cumulated_sizes = np.cumsum([len(dataset) for dataset in self.datasets]).tolist()

    def _get_dataset_and_index(self, index: int) -> Tuple[int, int]:
        direction = bisect_right(self.cumulated_sizes, index)
        return direction, index - (self.cumulated_sizes[direction - 1] if direction else 0)

    def __len__(self) -> int:
        return self.cumulated_sizes[-1]

    def size(self, index: int) -> Tuple[int, int]:
        """Return an example's source and target length in tokens."""
        _, pair = self[index]
        return len(pair["source"]), len(pair["target"])

    def num_tokens(self, index: int) -> int:
        """Return the tokens of an example's longer side."""
        return max(self.size(index))

    @property
    def sizes(self) -> np.ndarray:
        """Not held: `lengths` reads one side of them. Raises NotImplementedError."""
        raise NotImplementedError(
            "the lengths of all examples are not held in memory; use lengths(0) and lengths(1)"
        )

    def lengths(self, side: int) -> np.ndarray:
        """Return the source (0) or target (1) lengths [number of examples] in tokens, uint16, at most 65,535."""
        lengths, start = np.empty(len(self), np.uint16), 0
        for dataset, end in zip(self.datasets, self.cumulated_sizes, strict=True):
            pair = dataset.dataset if isinstance(dataset, TransformEosLangPairDataset) else dataset
            lengths[start:end] = np.minimum((pair.tgt if side else pair.src).sizes, LONGEST)
            start = end
        return lengths

    def name(self, index: int) -> str:
        """Return an example as direction and number, for messages."""
        direction, number = self._get_dataset_and_index(index)
        return f"{self.keys[direction]} #{number}"


class EpochBuilder:
    """Builds an epoch's batches; what the next epoch needs again is kept."""

    def __init__(self, dataset: Directions, virtual_epochs: bool) -> None:
        self._dataset, self._virtual_epochs = dataset, virtual_epochs
        self._pass: Tuple[Any, Any] = (None, None)  # number, and what draw returned
        self._epoch: Tuple[Any, Any] = (None, None)  # what the batches follow from, and the batches

    def build(self, p: Pass, epoch: int, limits: Limits, seed: int, skip_too_long: bool) -> Batches:
        """Return the batches of an epoch, which belongs to pass p, over all processes, in order of length.

        Raises ValueError for examples beyond the limits' lengths unless skip_too_long.
        """
        same_every_epoch = p.ratios is None and not self._virtual_epochs
        key = (None if same_every_epoch else epoch, limits, seed)
        if key == self._epoch[0]:
            return self._epoch[1]
        start, self._epoch = time.time(), (None, None)  # frees the previous epoch's first
        examples = [self._examples(p, epoch)]
        total, counts = len(examples[0]), self._counts(p, examples[0])
        # Popped: nobody but the callee holds the array, so that it can free it half-way.
        batches, too_long, first = order_and_batch(
            examples.pop(), self._dataset.lengths, limits, seed
        )
        if too_long:
            self._report(too_long, first, limits, skip_too_long)
        logger.info(
            f"epoch {epoch}: {total:,} of {len(self._dataset):,} examples in {len(batches):,} batches, set up in "
            f"{time.time() - start:.1f} s; {self._shares(counts)}"
        )
        self._epoch = (key, batches)
        return batches

    def _examples(self, p: Pass, epoch: int) -> np.ndarray:
        if not self._virtual_epochs:
            examples, counts = draw(p, virtual_epochs=False)
            self._pass = (p.number, (None, counts))
            return examples
        if self._pass[0] != p.number:
            self._pass = (None, None)
            self._pass = (p.number, draw(p, virtual_epochs=True))
        start = (epoch - p.first_epoch) * p.epoch_size
        return self._pass[1][0][start : start + p.epoch_size].copy()

    def _counts(self, p: Pass, examples: np.ndarray) -> np.ndarray:
        if len(examples) == p.size:
            return self._pass[1][1]
        directions = np.searchsorted(self._dataset.cumulated_sizes, examples, side="right")
        return np.bincount(directions, minlength=len(self._dataset.datasets))

    def _report(self, too_long: int, first: List[int], limits: Limits, skip: bool) -> None:
        longest = (limits.max_source, limits.max_target)
        names = ", ".join(self._dataset.name(example) for example in first)
        if not skip:
            raise ValueError(
                f"{too_long:,} examples exceed {longest} tokens; skip them with --skip-invalid-size-inputs-valid-test: {names}"
            )
        logger.warning(
            f"{too_long:,} samples have invalid sizes and will be skipped, max_positions={longest}, first few samples: {names}"
        )

    def _shares(self, counts: np.ndarray, shown: int = 3) -> str:
        """Return the directions with most and fewest examples."""
        order = np.argsort(-counts, kind="stable").tolist()
        texts = [
            f"{self._dataset.keys[d]} {counts[d]:,} ({counts[d] / max(counts.sum(), 1):.2%})"
            for d in order
        ]
        return ", ".join(
            texts if len(texts) <= 2 * shown else texts[:shown] + ["…"] + texts[-shown:]
        )


def limits_of(
    max_positions: Any, max_tokens: Optional[int], max_sentences: Optional[int], multiple: int
) -> Limits:
    """Return fairseq's arguments of get_batch_iterator as Limits: max_positions is None, a number or a pair."""
    source, target = (
        max_positions
        if isinstance(max_positions, (tuple, list))
        else (max_positions, max_positions)
    )
    return Limits(max_tokens, max_sentences, multiple, source, target)

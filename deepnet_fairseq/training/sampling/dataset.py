"""All directions of the training subset as one dataset, and the batches of its epochs."""

import logging
import time
from bisect import bisect_right
from collections import OrderedDict
from typing import Any, List, Optional, Tuple

import numpy as np
from fairseq.data import FairseqDataset, SampledMultiDataset, TransformEosLangPairDataset

from deepnet_fairseq.training.sampling.batches import Batches
from deepnet_fairseq.training.sampling.bucketing import LONGEST, BatchLimits, bucket_by_length
from deepnet_fairseq.training.sampling.virtual_epochs import CorpusSample, draw_examples

logger = logging.getLogger(__name__)


class MultilingualDataset(SampledMultiDataset):
    """All examples of all directions, numbered through; the batches choose those of an epoch.

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
        """Raise NotImplementedError: `lengths` reads one side of the sizes."""
        raise NotImplementedError(
            "the lengths of all examples are not kept in memory; use lengths(0) and lengths(1)"
        )

    def lengths(self, side: int) -> np.ndarray:
        """Return the source (0) or target (1) lengths [examples] in tokens, uint16, to 65,535."""
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
    """Builds the batches of an epoch, and keeps what the next epoch needs again."""

    def __init__(self, dataset: MultilingualDataset, virtual_epochs: bool) -> None:
        self._dataset, self._virtual_epochs = dataset, virtual_epochs
        # The number of the drawn sample, and what draw_examples returned.
        self._drawn: Tuple[Any, Any] = (None, None)
        # What the batches follow from, and the batches.
        self._epoch: Tuple[Any, Any] = (None, None)

    def build(
        self, sample: CorpusSample, epoch: int, limits: BatchLimits, seed: int, skip_too_long: bool
    ) -> Batches:
        """Return the batches of an epoch, which reads `sample`, of all processes, by length.

        Raises:
            ValueError: Examples are longer than the limits, without `skip_too_long`.
        """
        same_every_epoch = sample.ratios is None and not self._virtual_epochs
        key = (None if same_every_epoch else epoch, limits, seed)
        if key == self._epoch[0]:
            return self._epoch[1]
        start, self._epoch = time.time(), (None, None)  # frees the previous epoch's first
        examples = [self._examples(sample, epoch)]
        total, counts = len(examples[0]), self._counts(sample, examples[0])
        # Popped: only the callee keeps the array, so that it can free it half-way.
        batches, too_long, first = bucket_by_length(
            examples.pop(), self._dataset.lengths, limits, seed
        )
        if too_long:
            self._report(too_long, first, limits, skip_too_long)
        logger.info(
            f"epoch {epoch}: {total:,} of {len(self._dataset):,} examples in {len(batches):,} "
            f"batches, set up in {time.time() - start:.1f} s; {self._shares(counts)}"
        )
        self._epoch = (key, batches)
        return batches

    def _examples(self, sample: CorpusSample, epoch: int) -> np.ndarray:
        if not self._virtual_epochs:
            examples, counts = draw_examples(sample, shuffle=False)
            self._drawn = (sample.number, (None, counts))
            return examples
        if self._drawn[0] != sample.number:
            self._drawn = (None, None)
            self._drawn = (sample.number, draw_examples(sample, shuffle=True))
        start = (epoch - sample.first_epoch) * sample.epoch_size
        return self._drawn[1][0][start : start + sample.epoch_size].copy()

    def _counts(self, sample: CorpusSample, examples: np.ndarray) -> np.ndarray:
        if len(examples) == sample.size:
            return self._drawn[1][1]
        directions = np.searchsorted(self._dataset.cumulated_sizes, examples, side="right")
        return np.bincount(directions, minlength=len(self._dataset.datasets))

    def _report(self, too_long: int, first: List[int], limits: BatchLimits, skip: bool) -> None:
        longest = (limits.max_source, limits.max_target)
        names = ", ".join(self._dataset.name(example) for example in first)
        if not skip:
            raise ValueError(
                f"{too_long:,} examples exceed {longest} tokens; "
                f"skip them with --skip-invalid-size-inputs-valid-test: {names}"
            )
        logger.warning(
            f"{too_long:,} samples have invalid sizes and will be skipped, "
            f"max_positions={longest}, first few samples: {names}"
        )

    def _shares(self, counts: np.ndarray, shown: int = 3) -> str:
        """Return the directions with the most and the fewest examples."""
        order = np.argsort(-counts, kind="stable").tolist()
        total = max(counts.sum(), 1)
        texts = [f"{self._dataset.keys[d]} {counts[d]:,} ({counts[d] / total:.2%})" for d in order]
        if len(texts) > 2 * shown:
            texts = texts[:shown] + ["…"] + texts[-shown:]
        return ", ".join(texts)


def make_limits(
    max_positions: Any, max_tokens: Optional[int], max_sentences: Optional[int], multiple: int
) -> BatchLimits:
    """Return the arguments of fairseq's get_batch_iterator as limits.

    `max_positions` is None, a number or a pair.
    """
    if isinstance(max_positions, (tuple, list)):
        source, target = max_positions
    else:
        source = target = max_positions
    return BatchLimits(max_tokens, max_sentences, multiple, source, target)

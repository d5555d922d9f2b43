"""Length bucketing: stock's order of examples and stock's batches, in less memory.

Stock holds an array of 64 bits for everything. Here a few threads work chunk by chunk on what needs
no order of its own: numpy looks up and sorts without the interpreter's lock.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Iterator, List, Optional, Tuple

import numpy as np
from fairseq.data import data_utils

from deepnet_fairseq.parallel import map_ordered, usable_cores
from deepnet_fairseq.training.sampling.batches import Batches

# Examples at a time: temporary arrays of 2 MB stay near the processor; the fastest of 2^17 to 2^22.
CHUNK = 1 << 18
CORES = usable_cores()
THREADS = min(4, CORES)  # more would wait for the memory
AHEAD = THREADS + 1  # chunks or lengths in work or waiting
LONGEST = 2**16 - 1  # lengths have 16 bits; longer sentences count as this long


@dataclass(frozen=True)
class BatchLimits:
    """The limits of a batch, in fairseq's terms; None is no limit."""

    max_tokens: Optional[int]  # sentences times the longest side of any
    max_sentences: Optional[int]
    multiple: int  # --required-batch-size-multiple
    max_source: Optional[float]  # tokens; longer examples are skipped
    max_target: Optional[float]


def bucket_by_length(
    examples: np.ndarray, lengths: Callable[[int], np.ndarray], limits: BatchLimits, seed: int
) -> Tuple[Batches, int, List[int]]:
    """Shuffle the examples of an epoch, sort them by length and split them into batches.

    As in fairseq's sampled_multi_dataset.py, both sorts are stable: by source length, then by
    target length among equals.

    Args:
        examples: Numbers of examples [n], changed in place.
        lengths: Returns the source (0) or target (1) lengths of all examples, uint16.
        limits: Of a batch.
        seed: Of the shuffle.

    Returns:
        The batches, the number of examples that were too long, and the first ten of those.

    Raises:
        ValueError: A sentence has more than 65,534 tokens, and no limit skips it.
    """
    with data_utils.numpy_seed(seed):
        np.random.shuffle(examples)  # the draws of stock's np.random.permutation
    with ThreadPoolExecutor(THREADS) as pool:
        sources = _gather(lengths(0), examples, pool)
        # Rebinding frees the unsorted examples.
        examples, by_source = stable_sort(examples, sources, pool)
        del sources
        return _bucket_by_target(pool, examples, by_source, lengths(1), limits)


def _bucket_by_target(
    pool: ThreadPoolExecutor,
    examples: np.ndarray,
    by_source: np.ndarray,
    targets: np.ndarray,
    limits: BatchLimits,
) -> Tuple[Batches, int, List[int]]:
    """Sort by target length, and batch, examples that are sorted by source length.

    Args:
        pool: Its threads sort the buckets of one source length each.
        examples: Numbers of examples [n], overwritten.
        by_source: Number of examples of each source length.
        targets: Target lengths of all examples.
        limits: Of a batch.
    """
    _check_longest("source", by_source, limits.max_source)
    batcher, kept, too_long = IncrementalBatcher(limits), 0, []

    def by_target_length(run: Tuple[int, int, int]) -> Tuple[int, np.ndarray, np.ndarray]:
        source, start, end = run
        if limits.max_source is not None and source > limits.max_source:
            return source, examples[start : start + 10], np.empty(0)
        return source, *stable_sort(examples[start:end], _gather(targets, examples[start:end]))

    for source, bucket, by_target in map_ordered(pool, by_target_length, _runs(by_source), AHEAD):
        if limits.max_source is not None and source > limits.max_source:
            too_long.extend(bucket)
            continue
        _check_longest("target", by_target, limits.max_target)
        fitting = len(bucket)
        if limits.max_target is not None:
            fitting = int(by_target[: int(min(limits.max_target, LONGEST)) + 1].sum())
            too_long.extend(bucket[fitting : fitting + 10])
        # Never overtakes the bucket's own start.
        examples[kept : kept + fitting] = bucket[:fitting]
        kept += fitting
        longer = np.maximum(np.arange(len(by_target)), source)
        batcher.add(np.repeat(longer, by_target)[:fitting])
    removed = len(examples) - kept
    return Batches(examples[:kept], batcher.ends()), removed, [int(e) for e in too_long[:10]]


def stable_sort(
    examples: np.ndarray, keys: np.ndarray, pool: Optional[ThreadPoolExecutor] = None
) -> Tuple[np.ndarray, np.ndarray]:
    """Sort examples by their keys.

    A counting sort over chunks, each sorted by numpy's radix sort, which so needs its 16 bytes per
    example for the current chunks only.

    Args:
        examples: Numbers of examples [n].
        keys: Their keys [n], uint16.
        pool: Sorts several chunks at the same time, if given.

    Returns:
        The sorted examples [n], and the number of examples of each key [largest key + 1].
    """
    counts = np.zeros(2**16, np.int64)
    for chunk_counts in map_ordered(
        pool, lambda chunk: np.bincount(keys[chunk]), _chunks(len(keys)), AHEAD
    ):
        counts[: len(chunk_counts)] += chunk_counts
    counts = counts[: np.flatnonzero(counts)[-1] + 1] if len(keys) else counts[:0]
    if len(keys) <= CHUNK:
        return examples[np.argsort(keys, kind="stable")], counts
    place = np.cumsum(counts) - counts
    ordered = np.empty_like(examples)

    def in_order(chunk: slice) -> Tuple[np.ndarray, np.ndarray]:
        return examples[chunk][np.argsort(keys[chunk], kind="stable")], np.bincount(keys[chunk])

    for chunk_examples, chunk_counts in map_ordered(pool, in_order, _chunks(len(keys)), AHEAD):
        for key, start, end in _runs(chunk_counts):
            ordered[place[key] : place[key] + end - start] = chunk_examples[start:end]
            place[key] += end - start
    return ordered, counts


class IncrementalBatcher:
    """Makes the batches of fairseq's batch_by_size from sentences that arrive piece by piece."""

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        # Tokens of the sentences that are in no finished batch yet.
        self._waiting: List[np.ndarray] = []
        self._sizes: List[np.ndarray] = []

    def add(self, tokens: np.ndarray) -> None:
        """Append sentences [n], given by the tokens of their longer side."""
        self._waiting.append(tokens)
        if sum(map(len, self._waiting)) > CHUNK:
            self._split(finished=False)

    def ends(self) -> np.ndarray:
        """Return where each batch ends [batches], int64, in sentences; add nothing afterwards."""
        self._split(finished=True)
        return np.cumsum(np.concatenate(self._sizes))

    def _split(self, finished: bool) -> None:
        tokens = np.concatenate(self._waiting) if self._waiting else np.empty(0, np.int64)
        ends = data_utils.batch_ends_by_size(
            tokens,
            max_tokens=self._limits.max_tokens,
            max_sentences=self._limits.max_sentences,
            required_batch_size_multiple=self._limits.multiple,
        )
        sizes = np.diff(ends, prepend=0)
        if not finished:
            # What follows may still change the last two: a batch that grows, and sentences that do
            # not fill a multiple. All earlier ones are final, and the rest does not depend on them.
            sizes = sizes[:-2]
        self._sizes.append(sizes)
        self._waiting = [tokens[sizes.sum() :]]


def _check_longest(side: str, by_length: np.ndarray, limit: Optional[float]) -> None:
    if len(by_length) > LONGEST and (limit is None or limit >= LONGEST):
        raise ValueError(
            f"{by_length[LONGEST]} {side} sentences have {LONGEST} tokens or more; "
            f"set --max-{side}-positions below that"
        )


def _gather(
    values: np.ndarray, examples: np.ndarray, pool: Optional[ThreadPoolExecutor] = None
) -> np.ndarray:
    """Return values[examples] chunk by chunk, since numpy turns the indices into 64 bits."""
    gathered = np.empty(len(examples), values.dtype)

    def fill(chunk: slice) -> None:
        gathered[chunk] = values.take(examples[chunk])

    for _ in map_ordered(pool, fill, _chunks(len(examples)), AHEAD):
        pass
    return gathered


def _chunks(length: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, length, CHUNK))


def _runs(counts: np.ndarray) -> Iterator[Tuple[int, int, int]]:
    """Yield (key, start, end) of each key that occurs in a sorted array with these counts."""
    ends = np.cumsum(counts)
    for key in np.flatnonzero(counts):
        yield int(key), int(ends[key] - counts[key]), int(ends[key])

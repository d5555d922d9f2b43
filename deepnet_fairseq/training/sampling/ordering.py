"""Examples in order of their lengths, cut into batches: stock's order and stock's batches, without arrays of 64 bits for everything.

What needs no order of its own is done in a few threads, chunk by chunk: numpy looks up and sorts without the interpreter's lock.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Iterator, List, Optional, Tuple

import numpy as np
from fairseq.data import data_utils

from deepnet_fairseq.parallel import map_ordered, usable_cores
from deepnet_fairseq.training.sampling.batches import Batches

CHUNK = (
    1 << 18
)  # examples at a time: temporary arrays of 2 MB stay near the processor; measured the fastest of 2^17 to 2^22
CORES = usable_cores()
THREADS = min(4, CORES)  # more would wait for the memory
AHEAD = THREADS + 1  # chunks or lengths that are worked on or wait
LONGEST = 2**16 - 1  # lengths are held in 16 bits; longer sentences count as this long


@dataclass(frozen=True)
class Limits:
    """What a batch may hold, in fairseq's terms; None is no limit."""

    max_tokens: Optional[int]  # sentences times the longest side of any
    max_sentences: Optional[int]
    multiple: int  # --required-batch-size-multiple
    max_source: Optional[float]  # tokens; examples beyond are left out
    max_target: Optional[float]


def order_and_batch(
    examples: np.ndarray, lengths: Callable[[int], np.ndarray], limits: Limits, seed: int
) -> Tuple[Batches, int, List[int]]:
    """Return the batches of an epoch, how many examples were too long, and the first ten of those.

    examples [n]: numbers of examples, changed in place. lengths: returns the source (0) or target (1) lengths of all examples, uint16.
    As in fairseq's sampled_multi_dataset.py: shuffled by seed, then sorted by source length, among equals by target length, both stable.
    Raises ValueError for a sentence of more than 65,534 tokens that no limit leaves out.
    """
    with data_utils.numpy_seed(seed):
        np.random.shuffle(examples)  # the draws of stock's np.random.permutation
    with ThreadPoolExecutor(THREADS) as pool:
        sources = _gather(lengths(0), examples, pool)
        examples, by_source = sort_stably(
            examples, sources, pool
        )  # which lets go of the unsorted ones
        del sources
        return _order_by_target(pool, examples, by_source, lengths(1), limits)


def _order_by_target(
    pool: ThreadPoolExecutor,
    examples: np.ndarray,
    by_source: np.ndarray,
    targets: np.ndarray,
    limits: Limits,
) -> Tuple[Batches, int, List[int]]:
    """Order and cut examples [n], in order of their source lengths; by_source: how many have each, targets: the others of all examples."""
    _refuse_longest("source", by_source, limits.max_source)
    cutter, kept, too_long = BatchCutter(limits), 0, []

    def by_target_length(run: Tuple[int, int, int]) -> Tuple[int, np.ndarray, np.ndarray]:
        source, start, end = run
        if limits.max_source is not None and source > limits.max_source:
            return source, examples[start : start + 10], np.empty(0)
        return source, *sort_stably(examples[start:end], _gather(targets, examples[start:end]))

    for source, bucket, by_target in map_ordered(pool, by_target_length, _runs(by_source), AHEAD):
        if limits.max_source is not None and source > limits.max_source:
            too_long.extend(bucket)
            continue
        _refuse_longest("target", by_target, limits.max_target)
        fitting = len(bucket)
        if limits.max_target is not None:
            fitting = int(by_target[: int(min(limits.max_target, LONGEST)) + 1].sum())
            too_long.extend(bucket[fitting : fitting + 10])
        examples[kept : kept + fitting] = bucket[:fitting]  # never overtakes the bucket's own start
        kept += fitting
        longer = np.maximum(np.arange(len(by_target)), source)
        cutter.add(np.repeat(longer, by_target)[:fitting])
    removed = len(examples) - kept
    return Batches(examples[:kept], cutter.ends()), removed, [int(e) for e in too_long[:10]]


def sort_stably(
    examples: np.ndarray, keys: np.ndarray, pool: Optional[ThreadPoolExecutor] = None
) -> Tuple[np.ndarray, np.ndarray]:
    """Return examples [n] in order of keys [n], uint16, and how many examples each key has [largest key + 1].

    A counting sort over chunks, each sorted by numpy's radix sort: its 16 bytes an example are needed for the chunks at hand only.
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


class BatchCutter:
    """Cuts a row of sentences into batches as fairseq's batch_by_size does, but is given it piece by piece."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: List[
            np.ndarray
        ] = []  # tokens of sentences that are in no finished batch yet
        self._sizes: List[np.ndarray] = []

    def add(self, tokens: np.ndarray) -> None:
        """Append sentences [n], given by the tokens of their longer side."""
        self._waiting.append(tokens)
        if sum(map(len, self._waiting)) > CHUNK:
            self._cut(finished=False)

    def ends(self) -> np.ndarray:
        """Return where each batch ends [number of batches], int64, in sentences; nothing can be added after."""
        self._cut(finished=True)
        return np.cumsum(np.concatenate(self._sizes))

    def _cut(self, finished: bool) -> None:
        tokens = np.concatenate(self._waiting) if self._waiting else np.empty(0, np.int64)
        ends = data_utils.batch_ends_by_size(
            tokens,
            max_tokens=self._limits.max_tokens,
            max_sentences=self._limits.max_sentences,
            required_batch_size_multiple=self._limits.multiple,
        )
        sizes = np.diff(ends, prepend=0)
        if not finished:
            # What follows may still change the last two: a batch that grows, and sentences that do not fill a multiple. All before are
            # final, and the cutting of the rest does not depend on them.
            sizes = sizes[:-2]
        self._sizes.append(sizes)
        self._waiting = [tokens[sizes.sum() :]]


def _refuse_longest(side: str, by_length: np.ndarray, limit: Optional[float]) -> None:
    if len(by_length) > LONGEST and (limit is None or limit >= LONGEST):
        raise ValueError(
            f"{by_length[LONGEST]} {side} sentences have {LONGEST} tokens or more; set --max-{side}-positions below that"
        )


def _gather(
    values: np.ndarray, examples: np.ndarray, pool: Optional[ThreadPoolExecutor] = None
) -> np.ndarray:
    """Return values[examples]; at once, numpy would turn all of the indices into 64 bits."""
    gathered = np.empty(len(examples), values.dtype)

    def fill(chunk: slice) -> None:
        gathered[chunk] = values.take(examples[chunk])

    for _ in map_ordered(pool, fill, _chunks(len(examples)), AHEAD):
        pass
    return gathered


def _chunks(length: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, length, CHUNK))


def _runs(counts: np.ndarray) -> Iterator[Tuple[int, int, int]]:
    """Yield (key, start, end) of every key that occurs in a sorted row with so many of each."""
    ends = np.cumsum(counts)
    for key in np.flatnonzero(counts):
        yield int(key), int(ends[key] - counts[key]), int(ends[key])

"""Cleaning of parallel text on its way into the corpus.

Training text is normalized, then filtered in the order of filters.py, then freed of repeated
pairs; a dropped pair is counted under the first filter that drops it. Dev sets are normalized and
lose pairs with an empty side and pairs with a side that is in a test set. Test sets keep every
line, and all of its text except unusual white space, so that scores compare with published ones.

Memory grows with the dev and test sentences, not with the corpus. Disk: up to one more copy of the
kept text, in a hidden folder beside the output that is always removed, and what deduplicate.py
needs.
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Dict, Iterable, Iterator, List, Sequence, Tuple

from deepnet_fairseq.data import deduplicate
from deepnet_fairseq.data.bitext import SUPERVISED, corpus_file
from deepnet_fairseq.data.contamination import ContaminationIndex
from deepnet_fairseq.data.filters import CleaningConfig, make_filters
from deepnet_fairseq.data.normalize import normalize_lines
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import atomic
from deepnet_fairseq.languages import Pair, pair_name

logger = logging.getLogger(__name__)

BATCH = 2000  # pairs that are processed at a time; more is not faster
SECONDS_BETWEEN_REPORTS = 30


@dataclass
class SplitCounts:
    """What became of a split, in pairs: read = kept + all dropped."""

    read: int = 0
    kept: int = 0
    dropped: Dict[str, int] = field(default_factory=dict)  # by reason
    # lines of either side by normalization step, those of dropped pairs included
    changed: Dict[str, int] = field(default_factory=dict)
    notes: List[str] = field(default_factory=list)  # what could not be checked

    def __str__(self) -> str:
        text = f"{self.kept} pairs of {self.read} kept; dropped: {_in_words(self.dropped)}"
        return f"{text}; changed: {_in_words(self.changed)}" if self.changed else text


def _in_words(counts: Dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"


def clean_pair(
    sentences: Iterable[Tuple[str, str]],
    root: Path,
    pair: Pair,
    split: str,
    config: CleaningConfig,
    index: ContaminationIndex,
    part: str = SUPERVISED,
) -> SplitCounts:
    """Clean a split of a pair and write it into the corpus folder.

    Args:
        sentences: The sentence pairs, in the pair's order.
        root: The corpus folder.
        pair: The two languages.
        split: train, dev or test.
        config: What to normalize and drop.
        index: The sentences of dev and test sets.
        part: The part of the corpus that the pair belongs to.

    Raises:
        DataError: The text cannot be written as UTF-8, or a package is missing.
    """
    paths = [corpus_file(root, pair, split, language, part) for language in pair]
    folder = paths[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    with (
        atomic(paths[0]) as left,
        atomic(paths[1]) as right,
        TemporaryDirectory(prefix=f".{pair_name(pair)}-{split}-", dir=folder) as scratch,
    ):
        if split == "train" and config.drop_repeated:
            filtered = [Path(scratch) / language for language in pair]
            counts = _write_filtered(sentences, filtered, pair, split, config, index)
            filtered_count = counts.kept
            counts.kept = deduplicate.write_first_occurrences(
                filtered, [left, right], Path(scratch), deduplicate.RECORDS_IN_MEMORY
            )
            if counts.kept < filtered_count:
                counts.dropped["repeated"] = filtered_count - counts.kept
        else:
            counts = _write_filtered(sentences, [left, right], pair, split, config, index)
    logger.info("%s %s: %s", pair_name(pair), split, counts)
    return counts


def _write_filtered(
    sentences: Iterable[Tuple[str, str]],
    paths: Sequence[Path],
    pair: Pair,
    split: str,
    config: CleaningConfig,
    index: ContaminationIndex,
) -> SplitCounts:
    """Normalize the pairs and write those that no filter drops; repeated ones are among them."""
    dropped: Counter = Counter()
    changed: Counter = Counter()
    counts = SplitCounts()
    filters = make_filters(pair, split, config, index, counts.notes)
    for note in counts.notes:
        logger.warning("%s %s: %s", pair_name(pair), split, note)
    normalize = partial(
        normalize_lines,
        unicode_form="none" if split == "test" else config.unicode_form,
        without_control=split != "test" and config.remove_control,
        changed=changed,
    )
    with open(paths[0], "wb") as first, open(paths[1], "wb") as second:
        for batch in _batches(sentences, f"{pair_name(pair)} {split}"):
            left, right = (normalize(lines) for lines in zip(*batch, strict=True))
            for reason, predicate in filters:
                is_dropped = predicate(left, right)
                if any(is_dropped):
                    dropped[reason] += sum(is_dropped)
                    is_kept = [not value for value in is_dropped]
                    left, right = list(compress(left, is_kept)), list(compress(right, is_kept))
            _write(first, left, pair, split, counts.read)
            _write(second, right, pair, split, counts.read)
            counts.read += len(batch)
            counts.kept += len(left)
    counts.dropped = dict(dropped)
    counts.changed = {step: count for step, count in changed.items() if count}
    return counts


def _batches(sentences: Iterable[Tuple[str, str]], name: str) -> Iterator[List[Tuple[str, str]]]:
    """Yield the sentences, BATCH at a time, and log the progress now and then."""
    start = reported = time.monotonic()
    read = 0
    iterator = iter(sentences)
    while batch := list(islice(iterator, BATCH)):
        yield batch
        read += len(batch)
        now = time.monotonic()
        if now - reported >= SECONDS_BETWEEN_REPORTS:
            logger.info("%s: %d pairs cleaned, %.0f a second", name, read, read / (now - start))
            reported = now


def _write(stream: IO[bytes], lines: Sequence[str], pair: Pair, split: str, before: int) -> None:
    try:
        stream.write("".join(f"{line}\n" for line in lines).encode())
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise DataError(
            f"{pair_name(pair)} {split}, sentences {before + 1} to {before + BATCH}: "
            f"{character!r} is half a character; mend the text"
        ) from None

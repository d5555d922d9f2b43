"""Parallel text cleaned on its way into the corpus, line by line: memory grows with the held-out sentences, not with the corpus.

Train is normalised, then filtered in the fixed order of cleaning_filters, then freed of repeated pairs; a dropped pair counts under the
first filter that drops it. Dev is normalised and loses pairs with an empty side, or with a side that stands in a test set. Test sets keep
every line, and all of its text but unusual white space, so that scores compare with published ones.

Disk: up to one more copy of the text kept, in a hidden folder beside the output which goes whatever happens, and what deduplicate needs.
"""

import logging
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Dict, Iterable, Iterator, List, Sequence, Tuple

from deepnet_fairseq.data.contamination import HeldOut
from deepnet_fairseq.data.corpus_paths import SUPERVISED, corpus_file
from deepnet_fairseq.data.deduplicate import write_first_occurrences
from deepnet_fairseq.data.filters import CleaningConfig, filters_of
from deepnet_fairseq.data.normalize import normalize_lines
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name

logger = logging.getLogger(__name__)

BATCH = 2000  # pairs that are worked on at a time; more don't go faster
SECONDS_BETWEEN_REPORTS = 30


@dataclass
class SplitCounts:
    """What became of a split: read = kept + everything dropped, in pairs; changed is in lines of either side."""

    read: int = 0
    kept: int = 0
    dropped: Dict[str, int] = field(default_factory=dict)  # by reason
    changed: Dict[str, int] = field(
        default_factory=dict
    )  # by step of normalisation, dropped pairs included
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
    held_out: HeldOut,
    part: str = SUPERVISED,
) -> SplitCounts:
    """Write a split of a pair, cleaned, into the corpus folder root; both files appear at the end, or neither.

    The sentences come in the pair's order. Raises DataError for text that cannot be written as UTF-8, and for a missing package.
    """
    paths = [corpus_file(root, pair, split, language, part) for language in pair]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{pair_name(pair)}-{split}-", dir=paths[0].parent) as scratch:
        written, unique = (
            [Path(scratch) / f"{stage}.{language}" for language in pair]
            for stage in ("written", "unique")
        )
        counts = _write_filtered(sentences, written, pair, split, config, held_out)
        if split == "train" and config.drop_repeated:
            counts.kept = write_first_occurrences(written, unique, Path(scratch))
            written = unique
        repeated = counts.read - counts.kept - sum(counts.dropped.values())
        if repeated:
            counts.dropped["repeated"] = repeated
        for source, destination in zip(written, paths, strict=True):
            os.replace(source, destination)
    logger.info("%s %s: %s", pair_name(pair), split, counts)
    return counts


def _write_filtered(
    sentences: Iterable[Tuple[str, str]],
    paths: Sequence[Path],
    pair: Pair,
    split: str,
    config: CleaningConfig,
    held_out: HeldOut,
) -> SplitCounts:
    """Write what passes the filters; the count of dropped pairs lacks the repeated ones."""
    dropped: Counter = Counter()
    changed: Counter = Counter()
    counts = SplitCounts()
    filters = filters_of(pair, split, config, held_out, counts.notes)
    for note in counts.notes:
        logger.warning("%s %s: %s", pair_name(pair), split, note)
    normalise = partial(
        normalize_lines,
        unicode_form=config.unicode_form,
        without_control=config.remove_control,
        changed=changed,
    )
    if split == "test":
        normalise = partial(
            normalize_lines, unicode_form="none", without_control=False, changed=changed
        )
    with open(paths[0], "wb") as first, open(paths[1], "wb") as second:
        for batch in _batches(sentences, f"{pair_name(pair)} {split}"):
            left, right = (normalise(lines) for lines in zip(*batch, strict=True))
            for reason, which in filters:
                bad = which(left, right)
                if any(bad):
                    dropped[reason] += sum(bad)
                    good = [not one for one in bad]
                    left, right = list(compress(left, good)), list(compress(right, good))
            _write(first, left, pair, split, counts.read)
            _write(second, right, pair, split, counts.read)
            counts.read += len(batch)
            counts.kept += len(left)
    counts.dropped = dict(dropped)
    counts.changed = {step: count for step, count in changed.items() if count}
    return counts


def _batches(sentences: Iterable[Tuple[str, str]], name: str) -> Iterator[List[Tuple[str, str]]]:
    """The sentences, BATCH at a time; logs now and then how many have passed."""
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
        place = f"sentences {before + 1} to {before + BATCH}"
        raise DataError(
            f"{pair_name(pair)} {split}, {place}: {error.object[error.start]!r} is half a character; mend the text"
        ) from None

"""Removal of repeated pairs from aligned files of any length, in bounded memory.

The first of equal pairs is kept, and the order does not change. A first pass writes an 8-byte
digest and the number of each pair to a file. That file is split by the leading bits of the digests
until a part fits in memory (equal pairs come into the same part), where sorting finds the first
pair of each digest. A second pass copies those.

Memory: about 50 bytes for each of RECORDS_IN_MEMORY pairs, whatever the size of the corpus. Disk:
17 bytes per pair besides the files themselves, 33 while a part is split. Two different pairs share
a digest by chance: of n pairs, n^2 / 2^65 are lost on average, which is 0.00001 of the 20 million
pairs of a large WMT corpus and 0.03 of a billion.
"""

import os
from contextlib import ExitStack
from hashlib import blake2b
from itertools import chain, compress, islice
from pathlib import Path
from typing import Sequence

import numpy as np

RECORD = np.dtype([("digest", "<u8"), ("number", "<u8")])
DIGEST_BITS = 64
SPLIT_BITS = 4  # 16 parts at a time, well under any limit of open files
RECORDS_IN_MEMORY = 2**20
BATCH = 2**16  # records read or written at a time


def write_first_occurrences(
    sources: Sequence[Path],
    destinations: Sequence[Path],
    scratch: Path,
    records_in_memory: int = RECORDS_IN_MEMORY,
) -> int:
    """Copy equally long files without repeated rows of lines; return the number of rows kept.

    Args:
        sources: The files; they are moved instead if nothing is repeated.
        destinations: Where each of them goes.
        scratch: A folder for temporary files.
        records_in_memory: The maximum number of rows that are sorted at a time.

    Raises:
        ValueError: The files differ in length.
    """
    records = scratch / "records"
    count = _write_records(sources, records)
    # An empty file cannot be mapped.
    is_first = np.memmap(scratch / "is_first", dtype=np.bool_, mode="w+", shape=(max(count, 1),))
    _mark_first(records, is_first, DIGEST_BITS, records_in_memory)
    kept = int(np.count_nonzero(is_first))
    if kept == count:
        for source, destination in zip(sources, destinations, strict=True):
            os.replace(source, destination)
        return count
    for source, destination in zip(sources, destinations, strict=True):
        selection = chain.from_iterable(
            is_first[start : start + BATCH].tolist() for start in range(0, count, BATCH)
        )
        with open(source, "rb") as lines, open(destination, "wb") as output:
            output.writelines(compress(lines, selection))
    return kept


def _write_records(sources: Sequence[Path], records: Path) -> int:
    """Write a record per row of lines and return how many there are."""
    count = 0
    with ExitStack() as files:
        rows = zip(*(files.enter_context(open(source, "rb")) for source in sources), strict=True)
        output = files.enter_context(open(records, "wb"))
        while digests := [
            blake2b(b"".join(row), digest_size=8).digest() for row in islice(rows, BATCH)
        ]:
            batch = np.empty(len(digests), RECORD)
            batch["digest"] = np.frombuffer(b"".join(digests), "<u8")
            batch["number"] = np.arange(count, count + len(digests))
            batch.tofile(output)
            count += len(digests)
    return count


def _mark_first(records: Path, is_first: np.ndarray, bits: int, records_in_memory: int) -> None:
    """Mark the first row of each digest and remove the file of records.

    Args:
        records: Records whose digests agree in all except their last `bits` bits.
        is_first: Per row of the corpus; updated in place.
        bits: How many bits of the digests may differ.
        records_in_memory: The maximum number of records to sort.
    """
    if bits == 0:
        # All digests are equal: a single row, repeated more often than memory can hold.
        is_first[np.fromfile(records, RECORD, 1)["number"]] = True
        records.unlink()
    elif records.stat().st_size <= records_in_memory * RECORD.itemsize:
        batch = np.fromfile(records, RECORD)
        # unique sorts stably, and the records are in the order of the corpus.
        is_first[batch["number"][np.unique(batch["digest"], return_index=True)[1]]] = True
        records.unlink()
    else:
        for part in _split(records, bits - SPLIT_BITS):
            _mark_first(part, is_first, bits - SPLIT_BITS, records_in_memory)


def _split(records: Path, shift: int) -> Sequence[Path]:
    """Split a file of records by the SPLIT_BITS bits of the digest above its last `shift` bits.

    The order is kept; the file is removed.
    """
    parts = [records.with_name(f"{records.name}-{number:x}") for number in range(2**SPLIT_BITS)]
    with ExitStack() as files:
        source = files.enter_context(open(records, "rb"))
        outputs = [files.enter_context(open(part, "wb")) for part in parts]
        while len(batch := np.fromfile(source, RECORD, BATCH)):
            numbers = (batch["digest"] >> np.uint64(shift)) & np.uint64(2**SPLIT_BITS - 1)
            for number, output in enumerate(outputs):
                batch[numbers == number].tofile(output)
    records.unlink()
    return parts

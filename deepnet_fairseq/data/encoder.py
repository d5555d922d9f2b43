"""Text to fairseq's binary format, in a SentencePiece vocabulary's pieces.

SentencePiece, in C++, encodes blocks of lines in several threads; numpy turns piece ids into
dictionary indices. Memory: a few blocks, and some bytes per sentence of the current file.
"""

import logging
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple

import numpy as np
import sentencepiece

from deepnet_fairseq.data.vocabulary import load_dictionary, load_model
from deepnet_fairseq.io import atomic
from deepnet_fairseq.parallel import map_ordered

logger = logging.getLogger(__name__)

BLOCK = 1 << 20  # bytes of text that are encoded at once
SECONDS_BETWEEN_REPORTS = 30

Shard = Tuple[int, int]  # its number, and the number of shards
WHOLE: Shard = (0, 1)


class Encoder:
    """Writes text as fairseq's binary data: a vocabulary's pieces, then </s>, per sentence."""

    def __init__(self, vocabulary_dir: Path, threads: int = 1) -> None:
        from fairseq.data import indexed_dataset

        self.model = load_model(vocabulary_dir)
        self.threads = threads
        dictionary = load_dictionary(vocabulary_dir)
        self.dtype = indexed_dataset.best_fitting_int_dtype(len(dictionary))
        self.index_writer: Callable = indexed_dataset.MMapIndexedDataset.Index.writer
        self.indices = _indices_of_pieces(self.model, dictionary)
        self.unknown: int = dictionary.unk()

    def write(self, source: Path, prefix: Path, shard: Shard = WHOLE) -> int:
        """Write a shard of a text, its every nth line, as prefix.bin and prefix.idx.

        Returns:
            The number of sentences.
        """
        sizes = array("i")
        progress = _Progress(prefix.name)
        # The index, by which readers know the data, appears last.
        with (
            atomic(prefix.with_name(f"{prefix.name}.idx")) as index_path,
            atomic(prefix.with_name(f"{prefix.name}.bin")) as data_path,
        ):
            blocks = _blocks(source, *shard)
            with open(data_path, "wb") as stream, ThreadPoolExecutor(self.threads) as pool:
                for indices, lengths in map_ordered(pool, self.encode, blocks, self.threads + 1):
                    stream.write(indices.tobytes())
                    sizes.frombytes(lengths.tobytes())
                    progress.update(len(sizes))
            with self.index_writer(str(index_path), self.dtype) as index:
                index.write(np.array(sizes, np.int32))
        return len(sizes)

    def encode(self, lines: List[bytes]) -> Tuple[np.ndarray, np.ndarray]:
        """Return the dictionary indices of all lines, one after another, and their lengths."""
        # One thread per block: SentencePiece's own threads would wait for each other at the end of
        # each block, and while its result is made.
        ids = self.model.encode(lines, out_type=int, num_threads=1, add_eos=True)
        lengths = np.fromiter(map(len, ids), np.int32, len(ids))
        pieces = np.fromiter(chain.from_iterable(ids), np.int32, int(lengths.sum()))
        indices = pieces if self.indices is None else self.indices[pieces]
        return indices.astype(self.dtype), lengths


def _indices_of_pieces(
    model: sentencepiece.SentencePieceProcessor, dictionary: Any
) -> Optional[np.ndarray]:
    """Return the index of each piece id in fairseq's dictionary; None if they are the same.

    Pieces that the dictionary lacks are <unk>, as in fairseq.
    """
    pieces = map(model.id_to_piece, range(model.get_piece_size()))
    indices = np.array([dictionary.index(piece) for piece in pieces], np.int32)
    indices[model.unk_id()] = dictionary.unk()
    indices[model.eos_id()] = dictionary.eos()
    return None if np.array_equal(indices, np.arange(len(indices))) else indices


def _blocks(source: Path, first: int, step: int) -> Iterator[List[bytes]]:
    """Yield every step-th line of a text, from line `first`, as bytes, in blocks of the file."""
    line = 0
    with open(source, "rb") as stream:
        while block := stream.read(BLOCK):
            lines = (block + stream.readline()).split(b"\n")
            if not lines[-1]:
                lines.pop()  # what follows the last newline
            yield lines[(first - line) % step :: step]
            line += len(lines)


class _Progress:
    """Logs now and then how many sentences of a file are written."""

    def __init__(self, name: str) -> None:
        self.name, self.start = name, time.monotonic()
        self.reported = self.start

    def update(self, sentences: int) -> None:
        now = time.monotonic()
        if now - self.reported >= SECONDS_BETWEEN_REPORTS:
            rate = sentences / (now - self.start)
            logger.info("%s: %d sentences written, %.0f a second", self.name, sentences, rate)
            self.reported = now

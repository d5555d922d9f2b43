"""Corpus text to fairseq's binary data, as `spm_encode` and `fairseq-preprocess` write it.

The bytes are the same. SentencePiece, in C++, encodes blocks of lines in several threads; numpy
turns piece ids into dictionary indices. Memory: a few blocks, and some bytes per sentence of the
current file. Language pairs, and the shards of large ones, are jobs that run in parallel.
"""

import logging
import os
import shutil
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import sentencepiece

from deepnet_fairseq.data.bitext import TEST_SETS, check_pair, corpus_file
from deepnet_fairseq.data.stages import JOURNAL_NAME
from deepnet_fairseq.data.vocabulary import DICTIONARY_NAME, load_dictionary, load_model
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import atomic
from deepnet_fairseq.languages import Pair, pair_name, parse_pair
from deepnet_fairseq.parallel import Jobs, map_ordered

logger = logging.getLogger(__name__)

FAIRSEQ_SPLIT = {"train": "train", "dev": "valid", "test": "test"}
BLOCK = 1 << 20  # bytes of text that are encoded at once
SECONDS_BETWEEN_REPORTS = 30

Shard = Tuple[int, int]  # its number, and the number of shards
WHOLE: Shard = (0, 1)


@dataclass
class BinarizationConfig:
    """What `binarization:` holds.

    Of a pair with several shards, fairseq reads one per epoch, a different one each time.
    """

    shards: int = 1  # maximum per pair; 1 = everything in data-bin itself
    shard_lines: int = 1_000_000  # a pair with at most this many training pairs has one shard

    def __post_init__(self) -> None:
        for name in ("shards", "shard_lines"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}; it must be at least 1")

    def shards_of(self, lines: int) -> int:
        """Return the number of shards of a pair with that many training pairs."""
        return min(self.shards, max(1, -(-lines // self.shard_lines)))


def data_paths(data_bin: Path, config: BinarizationConfig) -> List[Path]:
    """Return the folders of binary data, which fairseq's command line takes joined by colons.

    dev, test and dictionaries are in the first.
    """
    if config.shards == 1:
        return [data_bin]
    return [data_bin / f"shard{number}" for number in range(config.shards)]


def binarize(
    corpus_root: Path,
    vocabulary_dir: Path,
    data_bin: Path,
    parts: Mapping[str, Sequence[str]],
    languages: Sequence[str],
    config: BinarizationConfig,
    jobs: Jobs,
) -> Dict[str, Dict[str, int]]:
    """Write `{train,valid,test}.{a}-{b}.{a|b}.{bin,idx}` per pair, and `dict.{language}.txt`.

    Args:
        corpus_root: The corpus folder.
        vocabulary_dir: The vocabulary folder.
        data_bin: Where the data go.
        parts: The splits of each pair, such as {"supervised/de-en": ["train", "dev"]}.
        languages: All languages.
        config: How many shards to write.
        jobs: How the pairs are run.

    Returns:
        The lines by pair and split. A further test set's split has the set's name.

    Raises:
        DataError: A corpus file is missing, the sides of a pair differ in length, or the binary
            data lack a line.
    """
    load_model(vocabulary_dir)
    folders = data_paths(data_bin, config)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for language in languages:
        shutil.copyfile(vocabulary_dir / DICTIONARY_NAME, folders[0] / f"dict.{language}.txt")
    arguments: Dict[str, Tuple] = {}
    counts: Dict[str, Dict[str, int]] = {}
    for name, splits in parts.items():
        part, _, pair = name.rpartition("/")
        pair = parse_pair(pair)
        lines = {split: check_pair(corpus_root, pair, split, part) for split in splits}
        shards = config.shards_of(lines.get("train", 0))
        for number in range(shards):
            in_shard = {s: n for s, n in lines.items() if number == 0 or s == "train"}
            target = (folders[number], part, pair, in_shard, (number, shards))
            arguments[f"{name}/{number}"] = (corpus_root, vocabulary_dir, *target)
        for split, count in lines.items():
            counts.setdefault(pair_name(pair), {})[_split_name(part, split)] = count
    threads = jobs.threads(len(arguments))
    jobs.run(
        binarize_pair,
        {name: (*values, threads) for name, values in arguments.items()},
        "binarizing",
        data_bin / JOURNAL_NAME,
    )
    return counts


def _split_name(part: str, split: str) -> str:
    """Return a split's name in reports: that of its test set, if it is a further one."""
    return part.removeprefix(f"{TEST_SETS}/") if part.startswith(f"{TEST_SETS}/") else split


def binarize_pair(
    corpus_root: Path,
    vocabulary_dir: Path,
    folder: Path,
    part: str,
    pair: Pair,
    splits: Mapping[str, int],
    shard: Shard,
    threads: int = 1,
) -> Dict[str, int]:
    """Write a pair's splits; return the number of sentences of each, equal on both sides.

    Args:
        corpus_root: The corpus folder.
        vocabulary_dir: The vocabulary folder.
        folder: Where the data go.
        part: The part of the corpus.
        pair: The two languages.
        splits: The lines of each split.
        shard: The part of the training text to write.
        threads: The number of threads.

    Raises:
        DataError: The number of sentences is not as expected.
    """
    encoder = Encoder(vocabulary_dir, threads)
    counts = {}
    for split, lines in splits.items():
        number, step = shard if split == "train" else WHOLE
        for language in pair:
            source = corpus_file(corpus_root, pair, split, language, part)
            prefix = binary_prefix(folder, pair, _split_name(part, split), language)
            counts[split] = encoder.write(source, prefix, (number, step))
            check_binary(prefix, len(range(number, lines, step)))
    return counts


def binary_prefix(data_bin: Path, pair: Pair, split: str, language: str) -> Path:
    """Return the path, without .bin or .idx, of one language's binary sentences.

    The split is train, dev, test or a further test set's name.
    """
    return data_bin / f"{FAIRSEQ_SPLIT.get(split, split)}.{pair_name(pair)}.{language}"


def check_binary(prefix: Path, lines: int) -> None:
    """Raise DataError unless fairseq reads that many sentences in the binary data."""
    from fairseq.data import indexed_dataset

    if not os.path.exists(f"{prefix}.idx"):
        raise DataError(f"{prefix}.idx is missing; prepare the data again")
    sentences = len(indexed_dataset.MMapIndexedDataset.Index(f"{prefix}.idx"))
    if sentences != lines:
        raise DataError(
            f"{prefix}.idx holds {sentences} sentences, but the text has {lines} lines; "
            f"remove {prefix.parent} and prepare again"
        )


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
                # fairseq's own makes a list, 50 bytes per sentence
                index._get_pointers = self._offsets
                index.write(np.array(sizes, np.int32))
        return len(sizes)

    def _offsets(self, sizes: np.ndarray) -> np.ndarray:
        """Return the first byte of each sentence."""
        return (np.cumsum(sizes, dtype=np.int64) - sizes) * np.dtype(self.dtype).itemsize

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

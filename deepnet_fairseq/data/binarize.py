"""Corpus text straight to fairseq's binary data, byte for byte what `spm_encode` and then `fairseq-preprocess` write.

SentencePiece, in C++, encodes blocks of lines in several threads; numpy turns piece ids into dictionary indices. Memory: a few blocks, and
some bytes for each sentence of the file at hand. Language pairs, and shards of large ones, are jobs that run side by side.
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

from deepnet_fairseq.data.bitext import check_pair
from deepnet_fairseq.data.corpus_paths import TEST_SETS, corpus_file
from deepnet_fairseq.data.stages import JOURNAL_NAME
from deepnet_fairseq.data.vocabulary import DICTIONARY_NAME, load_dictionary, load_model
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name, parse_pair
from deepnet_fairseq.parallel import Jobs, map_ordered

logger = logging.getLogger(__name__)

FAIRSEQ_SPLIT = {"train": "train", "dev": "valid", "test": "test"}
BLOCK = 1 << 20  # bytes of text that are encoded at once
SECONDS_BETWEEN_REPORTS = 30


@dataclass
class BinarizationConfig:
    """What `binarization:` holds. Of a pair in several shards, fairseq reads one per epoch, a different one each time."""

    shards: int = 1  # at most so many per pair; 1 = everything in data-bin itself
    shard_lines: int = 1_000_000  # a pair with at most so many training pairs stays whole

    def __post_init__(self) -> None:
        for name in ("shards", "shard_lines"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}; it must be at least 1")

    def shards_of(self, lines: int) -> int:
        """The number of shards that so many training pairs are cut into."""
        return min(self.shards, max(1, -(-lines // self.shard_lines)))


def data_paths(data_bin: Path, config: BinarizationConfig) -> List[Path]:
    """The folders of binary data as fairseq's command line wants them, joined by colons; dev, test and dictionaries lie in the first."""
    return (
        [data_bin]
        if config.shards == 1
        else [data_bin / f"shard{number}" for number in range(config.shards)]
    )


def binarize(
    corpus_root: Path,
    vocabulary_dir: Path,
    data_bin: Path,
    parts: Mapping[str, Sequence[str]],
    languages: Sequence[str],
    config: BinarizationConfig,
    jobs: Jobs,
) -> Dict[str, Dict[str, int]]:
    """Write `{train,valid,test}.{a}-{b}.{a|b}.{bin,idx}` of every pair and `dict.{language}.txt`; return lines by pair and split.

    Args: parts: the splits of each pair, such as {"supervised/de-en": ["train", "dev"]}. A further test set's split has its own name.

    Raises DataError if a corpus file is missing, the sides of a pair differ in length, or the binary data lack a line.
    """
    load_model(vocabulary_dir)
    for folder in data_paths(data_bin, config):
        folder.mkdir(parents=True, exist_ok=True)
    for language in languages:  # fairseq reads them in the first folder
        shutil.copyfile(
            vocabulary_dir / DICTIONARY_NAME,
            data_paths(data_bin, config)[0] / f"dict.{language}.txt",
        )
    todo: Dict[str, Tuple] = {}
    counts: Dict[str, Dict[str, int]] = {}
    for name, splits in parts.items():
        part, pair = _parse_part(name)
        lines = {split: check_pair(corpus_root, pair, split, part) for split in splits}
        shards = config.shards_of(lines.get("train", 0))
        for number in range(shards):
            first = number == 0
            chosen = {split: count for split, count in lines.items() if first or split == "train"}
            folder = data_paths(data_bin, config)[number]
            todo[f"{name}/{number}"] = (
                corpus_root,
                vocabulary_dir,
                folder,
                part,
                pair,
                chosen,
                (number, shards),
            )
        for split, count in lines.items():
            counts.setdefault(pair_name(pair), {})[_split_name(part, split)] = count
    jobs.run(
        binarize_pair,
        {name: (*values, jobs.threads(len(todo))) for name, values in todo.items()},
        "binarizing",
        data_bin / JOURNAL_NAME,
    )
    return counts


def _parse_part(name: str) -> Tuple[str, Pair]:
    part, _, pair = name.rpartition("/")
    return part, parse_pair(pair)


def _split_name(part: str, split: str) -> str:
    """A split by the name that the report has for it: a further test set's own."""
    return part.removeprefix(f"{TEST_SETS}/") if part.startswith(f"{TEST_SETS}/") else split


def binarize_pair(
    corpus_root: Path,
    vocabulary_dir: Path,
    folder: Path,
    part: str,
    pair: Pair,
    splits: Mapping[str, int],
    shard: Tuple[int, int],
    threads: int = 1,
) -> Dict[str, int]:
    """Write a pair's splits, of training text one shard (number, of how many); return the sentences of each, equal on both sides.

    Raises DataError if what was written isn't what was to be written.
    """
    encoder = Encoder(vocabulary_dir, threads)
    counts = {}
    for split in splits:
        which = shard if split == "train" else (0, 1)
        for language in pair:
            source = corpus_file(corpus_root, pair, split, language, part)
            prefix = binary_prefix(folder, pair, _split_name(part, split), language)
            counts[split] = encoder.write(source, prefix, which)
            check_binary(prefix, len(range(which[0], splits[split], which[1])))
    return counts


def binary_prefix(data_bin: Path, pair: Pair, split: str, language: str) -> Path:
    """The path, without .bin or .idx, of one language's binary sentences; split: train, dev, test or a further test set's name."""
    return data_bin / f"{FAIRSEQ_SPLIT.get(split, split)}.{pair_name(pair)}.{language}"


def check_binary(prefix: Path, lines: int) -> None:
    """Raise DataError unless the binary data hold so many sentences, as fairseq reads them."""
    from fairseq.data import indexed_dataset

    if not os.path.exists(f"{prefix}.idx"):
        raise DataError(f"{prefix}.idx is missing; prepare the data again")
    found = len(indexed_dataset.MMapIndexedDataset.Index(f"{prefix}.idx"))
    if found != lines:
        raise DataError(
            f"{prefix}.idx holds {found} sentences, but the text has {lines} lines; remove {prefix.parent} and prepare again"
        )


class Encoder:
    """Writes text files as fairseq's binary data, in a vocabulary's pieces, each sentence followed by </s>."""

    def __init__(self, vocabulary_dir: Path, threads: int = 1) -> None:
        from fairseq.data import indexed_dataset

        self.model = load_model(vocabulary_dir)
        self.threads = threads
        dictionary = load_dictionary(vocabulary_dir)
        self.dtype = indexed_dataset.best_fitting_int_dtype(len(dictionary))
        self.index_writer: Callable = indexed_dataset.MMapIndexedDataset.Index.writer
        self.indices = _indices_of_pieces(self.model, dictionary)
        self.unknown: int = dictionary.unk()

    def write(self, source: Path, prefix: Path, shard: Tuple[int, int] = (0, 1)) -> int:
        """Write every shard[1]th line of a text from line shard[0] on as prefix.bin and prefix.idx; return how many.

        The files appear when they are whole.
        """
        beside = [f"{prefix}.{kind}.partial" for kind in ("bin", "idx")]
        sizes = array("i")
        progress = _Progress(prefix.name)
        with open(beside[0], "wb") as stream, ThreadPoolExecutor(self.threads) as pool:
            for indices, lengths in map_ordered(
                pool, self.encode, _blocks(source, *shard), ahead=self.threads + 1
            ):
                stream.write(indices.tobytes())
                sizes.frombytes(lengths.tobytes())
                progress.update(len(sizes))
        with self.index_writer(beside[1], self.dtype) as index:
            index._get_pointers = self._offsets  # fairseq's own makes a list, 50 bytes a sentence
            index.write(np.array(sizes, np.int32))
        for path in beside:
            os.replace(path, path.removesuffix(".partial"))
        return len(sizes)

    def _offsets(self, sizes: np.ndarray) -> np.ndarray:
        """Where each sentence begins, in bytes."""
        return (np.cumsum(sizes, dtype=np.int64) - sizes) * np.dtype(self.dtype).itemsize

    def encode(self, lines: List[bytes]) -> Tuple[np.ndarray, np.ndarray]:
        """The dictionary indices of a block, one sentence after another, and their lengths."""
        # One thread a block: SentencePiece's own would wait for one another at the end of each, and while its result is made.
        ids = self.model.encode(lines, out_type=int, num_threads=1, add_eos=True)
        lengths = np.fromiter(map(len, ids), np.int32, len(ids))
        pieces = np.fromiter(chain.from_iterable(ids), np.int32, int(lengths.sum()))
        indices = pieces if self.indices is None else self.indices[pieces]
        return indices.astype(self.dtype), lengths


def _indices_of_pieces(
    model: sentencepiece.SentencePieceProcessor, dictionary: Any
) -> Optional[np.ndarray]:
    """Index of each piece id in fairseq's dictionary; None if they are the same. What the dictionary lacks is <unk>, as in fairseq."""
    indices = np.array(
        [dictionary.index(model.id_to_piece(piece)) for piece in range(model.get_piece_size())],
        np.int32,
    )
    indices[model.unk_id()] = dictionary.unk()
    indices[model.eos_id()] = dictionary.eos()
    return None if np.array_equal(indices, np.arange(len(indices))) else indices


def _blocks(source: Path, first: int, step: int) -> Iterator[List[bytes]]:
    """The lines of a text as bytes, every step-th from line `first` on, a block of the file at a time."""
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
            logger.info(
                "%s: %d sentences written, %.0f a second",
                self.name,
                sentences,
                sentences / (now - self.start),
            )
            self.reported = now

"""Corpus text to fairseq's binary data, as `spm_encode` and `fairseq-preprocess` write it.

The bytes are the same. Language pairs, and the shards of large ones, are jobs that run in parallel.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

from deepnet_fairseq.data.bitext import TEST_SETS, check_pair, corpus_file
from deepnet_fairseq.data.encoder import WHOLE, Encoder, Shard
from deepnet_fairseq.data.stages import JOURNAL_NAME
from deepnet_fairseq.data.vocabulary import DICTIONARY_NAME, load_model
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name, parse_pair
from deepnet_fairseq.parallel import Jobs

FAIRSEQ_SPLIT = {"train": "train", "dev": "valid", "test": "test"}


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

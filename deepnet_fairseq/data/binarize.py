"""Corpus text to fairseq's binary data: encoded with SentencePiece, then `fairseq-preprocess`, pair by pair, into one data-bin folder."""

import contextlib
import logging
import os
import shlex
import shutil
import sys
from itertools import islice
from pathlib import Path
from typing import Dict, Iterator, List, Sequence

import sentencepiece

from deepnet_fairseq.data.layout import (
    DataError,
    Pair,
    check_pair,
    corpus_file,
    corpus_parts,
    normalise_spaces,
    pair_name,
    read_lines,
    splits_of,
)
from deepnet_fairseq.data.vocabulary import DICTIONARY_NAME, load_model

FAIRSEQ_SPLIT = {"train": "train", "dev": "valid", "test": "test"}
# Sentences handed to sentencepiece at once: enough to keep its threads busy, little enough to hold in memory.
ENCODING_BATCH = 10000


def binarize(
    corpus_root: Path, vocabulary_dir: Path, data_bin: Path, supervised: Sequence[Pair], zero_shot: Sequence[Pair], workers: int = 1
) -> Dict[str, Dict[str, int]]:
    """Write `{train,valid,test}.{a}-{b}.{a|b}.{bin,idx}` of every pair (test alone for zero-shot ones) and `dict.{language}.txt`.

    Returns the lines of each pair and split. Every pair's text is encoded, handed to fairseq-preprocess and removed before the next.
    Raises DataError if a corpus file is missing, the sides of a pair differ in length, or the binary data lack a line.
    """
    model = load_model(vocabulary_dir)
    encoded = data_bin / "encoded"
    counts: Dict[str, Dict[str, int]] = {}
    for pair, is_zero_shot in corpus_parts(supervised, zero_shot):
        encoded.mkdir(parents=True, exist_ok=True)
        lines = {split: check_pair(corpus_root, pair, split, is_zero_shot) for split in splits_of(is_zero_shot)}
        for split in lines:
            for language in pair:
                source = corpus_file(corpus_root, pair, split, language, is_zero_shot)
                encode_file(model, source, encoded / f"{FAIRSEQ_SPLIT[split]}.{language}", workers)
        run_preprocess(preprocess_command(pair, list(lines), encoded, vocabulary_dir / DICTIONARY_NAME, data_bin, workers))
        for split, count in lines.items():
            check_binary(data_bin, pair, split, count)
        shutil.rmtree(encoded)
        counts[pair_name(pair)] = lines
    return counts


def encode_file(model: sentencepiece.SentencePieceProcessor, source: Path, destination: Path, threads: int = 1) -> None:
    """Write the source's lines as pieces with spaces between them, which is how fairseq-preprocess wants its text."""
    lines = (normalise_spaces(line) for line in read_lines(source))
    with open(destination, "w", encoding="utf-8", newline="\n") as stream:
        for batch in _batches(lines):
            stream.writelines(" ".join(pieces) + "\n" for pieces in model.encode(batch, out_type=str, num_threads=threads))


def _batches(lines: Iterator[str]) -> Iterator[List[str]]:
    batch = list(islice(lines, ENCODING_BATCH))
    while batch:
        yield batch
        batch = list(islice(lines, ENCODING_BATCH))


def preprocess_command(pair: Pair, splits: Sequence[str], encoded: Path, dictionary: Path, data_bin: Path, workers: int) -> List[str]:
    """The `fairseq-preprocess` call of one pair."""
    command = ["fairseq-preprocess", "--source-lang", pair[0], "--target-lang", pair[1]]
    for split in splits:
        command += [f"--{FAIRSEQ_SPLIT[split]}pref", str(encoded / FAIRSEQ_SPLIT[split])]
    command += ["--srcdict", str(dictionary), "--tgtdict", str(dictionary), "--destdir", str(data_bin)]
    return command + ["--dataset-impl", "mmap", "--workers", str(workers)]


def run_preprocess(command: Sequence[str]) -> None:
    """Print a `fairseq-preprocess` call on stderr and run it in this process, which saves importing torch for every pair.

    What it reports goes to preprocess.log in its destination, as always, and not to the screen.
    """
    print(shlex.join(command), file=sys.stderr, flush=True)
    # On import it configures logging onto stdout, which is for our results.
    with contextlib.redirect_stdout(sys.stderr):
        from fairseq import options
        from fairseq_cli import preprocess

    log = logging.getLogger("fairseq_cli.preprocess")
    handlers, propagate, level = list(log.handlers), log.propagate, log.level
    log.propagate = False
    log.setLevel(logging.INFO)
    try:
        preprocess.main(options.get_preprocessing_parser().parse_args(list(command[1:])))
    except (Exception, SystemExit) as error:  # fairseq raises bare Exceptions
        raise DataError(f"fairseq-preprocess failed: {type(error).__name__}: {error}") from error
    finally:
        log.propagate = propagate
        log.setLevel(level)
        # Each call adds a file handler and leaves it open: the next pair's report would go to this one's file as well.
        for handler in [handler for handler in log.handlers if handler not in handlers]:
            log.removeHandler(handler)
            handler.close()


def binary_prefix(data_bin: Path, pair: Pair, split: str, language: str) -> Path:
    """The path, without .bin or .idx, of one language's binary sentences."""
    return data_bin / f"{FAIRSEQ_SPLIT[split]}.{pair_name(pair)}.{language}"


def check_binary(data_bin: Path, pair: Pair, split: str, lines: int) -> None:
    """Raise DataError unless both languages of a pair's split have as many binary sentences as the text has lines."""
    from fairseq.data import indexed_dataset

    for language in pair:
        prefix = binary_prefix(data_bin, pair, split, language)
        if not os.path.exists(f"{prefix}.idx"):
            raise DataError(f"{prefix}.idx is missing: fairseq-preprocess did not write it; see {data_bin / 'preprocess.log'}")
        found = len(indexed_dataset.make_dataset(str(prefix), impl="mmap"))
        if found != lines:
            raise DataError(f"{prefix}.idx holds {found} sentences, but the text has {lines} lines; remove {data_bin} and prepare again")

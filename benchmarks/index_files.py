"""Corpora of OPUS-100's shape: real index files, whose text is a hole in a sparse file."""

import struct
from pathlib import Path
from typing import Dict, List

import numpy as np
from fairseq.data.indexed_dataset import MMapIndexedDataset, _dtype_header_code

PAIRS = 54_656_433  # OPUS-100's training pairs, over 99 languages with English
MAX_PAIRS, WITH_MAX_PAIRS, ABOVE_100K, LANGUAGES = 1_000_000, 44, 73, 99
MIN_PAIRS = 3_000
TOKEN = np.uint16


def opus100_sizes() -> List[int]:
    """Return the numbers of training pairs [99] in descending order.

    44 are a million, 73 above 100,000, and the sum is 54,656,433.
    """
    tail = np.geomspace(99_000, MIN_PAIRS, LANGUAGES - ABOVE_100K).astype(int)
    left = PAIRS - WITH_MAX_PAIRS * MAX_PAIRS - int(tail.sum())
    steps = np.linspace(1, 0, ABOVE_100K - WITH_MAX_PAIRS)
    low, high = 0.1, 10.0
    for _ in range(60):  # search for the slope of the 29 between that gives the sum
        power = (low + high) / 2
        middle = (101_000 * 9.5 ** (steps**power)).astype(int)
        low, high = (power, high) if middle.sum() > left else (low, power)
    middle[0] += left - middle.sum()
    return [MAX_PAIRS] * WITH_MAX_PAIRS + middle.tolist() + tail.tolist()


def languages() -> List[str]:
    """Return names for the 99 languages that are paired with English."""
    return [f"l{number:02d}" for number in range(LANGUAGES)]


def write_corpus(root: Path, pairs: int, vocabulary: int, seed: int = 1) -> Dict[str, int]:
    """Write data-bin files and return the number of pairs per language.

    Lengths are log-normal (median 13 tokens, mean 19, a few in 100,000 above 256), those of source
    and target correlated, as in subtitles.

    Args:
        root: the folder.
        pairs: of all languages together, about.
        vocabulary: entries per dictionary.
        seed: of the lengths.
    """
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    words = "".join(f"word{number} 1\n" for number in range(vocabulary))
    sizes = {
        name: max(2, round(size * pairs / PAIRS))
        for name, size in zip(languages(), opus100_sizes(), strict=True)
    }
    for name in ["en", *sizes]:
        (root / f"dict.{name}.txt").write_text(words)
    for name, size in sizes.items():
        english = rng.normal(np.log(13), 0.85, size)
        for language, logarithms in (
            ("en", english),
            (name, english + rng.normal(0.05, 0.25, size)),
        ):
            _write_index(
                root / f"train.en-{name}.{language}",
                np.exp(logarithms).clip(2, 2_000).astype(np.int32),
            )
    return sizes


def _write_index(path: Path, lengths: np.ndarray) -> None:
    """Write fairseq's mmap format: header, lengths, byte offsets; the text is a separate file."""
    offsets = np.cumsum(lengths, dtype=np.int64) * TOKEN().itemsize
    with open(f"{path}.idx", "wb") as stream:
        stream.write(
            MMapIndexedDataset.Index._HDR_MAGIC
            + struct.pack("<QBQ", 1, _dtype_header_code(TOKEN), len(lengths))
        )
        lengths.tofile(stream)
        np.append(0, offsets[:-1]).tofile(stream)
    with open(f"{path}.bin", "wb") as stream:
        stream.truncate(int(offsets[-1]))

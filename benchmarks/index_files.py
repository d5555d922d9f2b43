"""Corpora of OPUS-100's shape for measurements: real index files, whose text is a hole in a sparse file."""

import struct
from pathlib import Path
from typing import Dict, List

import numpy as np
from fairseq.data.indexed_dataset import MMapIndexedDataset, _dtype_header_code

PAIRS = 54_656_433  # OPUS-100's training pairs, over 99 languages with English
LARGEST, AT_LARGEST, ABOVE_100K, LANGUAGES = 1_000_000, 44, 73, 99
SMALLEST = 3_000
TOKEN = np.uint16


def opus100_sizes() -> List[int]:
    """Return the numbers of training pairs [99], falling: 44 of a million, 73 above 100,000, 54,656,433 in all."""
    tail = np.geomspace(99_000, SMALLEST, LANGUAGES - ABOVE_100K).astype(int)
    left = PAIRS - AT_LARGEST * LARGEST - int(tail.sum())
    steps = np.linspace(1, 0, ABOVE_100K - AT_LARGEST)
    low, high = 0.1, 10.0
    for _ in range(60):  # how steeply the 29 between fall, so that the sum is right
        power = (low + high) / 2
        middle = (101_000 * 9.5 ** (steps**power)).astype(int)
        low, high = (power, high) if middle.sum() > left else (low, power)
    middle[0] += left - middle.sum()
    return [LARGEST] * AT_LARGEST + middle.tolist() + tail.tolist()


def languages() -> List[str]:
    """Return names for the 99 languages that are paired with English."""
    return [f"l{number:02d}" for number in range(LANGUAGES)]


def write_corpus(root: Path, pairs: int, vocabulary: int, seed: int = 1) -> Dict[str, int]:
    """Write data-bin files of about so many pairs and one dictionary a language into root; return the pairs of each language.

    Lengths are log-normal (median 13 tokens, mean 19, a few in 100,000 above 256), target and source correlated, as in subtitles.
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
    """The format of fairseq/data/indexed_dataset.py: header, lengths, byte offsets; text in a file of its own."""
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

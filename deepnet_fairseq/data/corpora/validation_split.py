"""Validation text taken from training text, every so many pairs, for corpora that are published without any."""

import logging
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Dict, Mapping, Sequence, Tuple

from deepnet_fairseq.data.bitext import Files, aligned_sentences
from deepnet_fairseq.data.contamination import HeldOut
from deepnet_fairseq.data.filters import CleaningConfig, filters_of
from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.languages import Pair

logger = logging.getLogger(__name__)


def split_off_validation(
    pair: Pair,
    files: Mapping[str, Sequence[Path]],
    folder: Path,
    every: int,
    cleaning: CleaningConfig,
    count_all: bool,
) -> Tuple[Files, Files]:
    """Write a pair's training text and every nth pair of it, as validation text, into the folder; return the files of both.

    Only pairs that the cleaning's limits of length let pass become validation text. If count_all, every nth pair of all is taken, provided
    that it passes; else every nth pair of those that pass. The others stay with the training text, for the cleaning to drop and to count.
    Raises DataError for two sides of different length.
    """
    # No other filter: dev is cleaned of test sentences later, and languages are guessed once.
    limits = replace(cleaning, drop_identical=False, drop_held_out=False, identify_languages=False)
    filters = filters_of(pair, "train", limits, HeldOut(), [])
    folder.mkdir(parents=True, exist_ok=True)
    parts: Dict[str, Files] = {
        split: {language: [folder / f"{split}.{language}"] for language in pair}
        for split in ("train", "dev")
    }
    seen = passed = taken = 0
    with ExitStack() as stack:
        streams = {
            split: [
                stack.enter_context(
                    open(files_of[language][0], "w", encoding="utf-8", newline="\n")
                )
                for language in pair
            ]
            for split, files_of in parts.items()
        }
        for seen, published in enumerate(aligned_sentences(pair, files), start=1):
            sides = [normalize_spaces(line) for line in published]
            passes = (not count_all or seen % every == 0) and not any(
                which([sides[0]], [sides[1]])[0] for _, which in filters
            )
            passed += passes
            split = "dev" if passes and (seen if count_all else passed) % every == 0 else "train"
            taken += split == "dev"
            for stream, sentence in zip(streams[split], sides, strict=True):
                stream.write(f"{sentence}\n")
    logger.info("%s-%s: %d pairs of %d become validation text", *pair, taken, seen)
    return parts["train"], parts["dev"]

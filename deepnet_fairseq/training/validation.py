"""Directions that are trained but not validated: five of OPUS-100's languages, for example, have no dev set."""

import logging
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from fairseq import utils
from fairseq.data.multilingual.multilingual_data_manager import MultilingualDatasetManager

logger = logging.getLogger(__name__)


@contextmanager
def without_directions_that_lack(
    split: str, manager: MultilingualDatasetManager, args: Namespace
) -> Iterator[None]:
    """Let the manager load a split of the directions that have it; stock's ends with a KeyError at the first that has not.

    Raises FileNotFoundError, naming the split and the folder, if none has.
    """
    lang_pairs = manager.lang_pairs
    folder = Path(
        utils.split_paths(args.data)[0]
    )  # where fairseq looks for everything but training data
    present = [direction for direction in lang_pairs if has_data(folder, split, direction)]
    if not present:
        raise FileNotFoundError(f"{folder} has no {split} data of {', '.join(lang_pairs[:10])}")
    if len(present) < len(lang_pairs):
        missing = [direction for direction in lang_pairs if direction not in present]
        logger.info("%s: without %s, of which there is no data", split, ", ".join(missing))
    manager.lang_pairs = present
    try:
        yield
    finally:
        manager.lang_pairs = lang_pairs


def has_data(folder: Path, split: str, direction: str) -> bool:
    """Tell whether there is binary data of a direction, which serves both ways."""
    source, target = direction.split("-")
    names = (f"{split}.{source}-{target}.{source}.idx", f"{split}.{target}-{source}.{source}.idx")
    return any((folder / name).is_file() for name in names)

"""Directions that are trained but not validated, such as OPUS-100's five without a dev set."""

import logging
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from fairseq import utils
from fairseq.data.multilingual.multilingual_data_manager import MultilingualDatasetManager

logger = logging.getLogger(__name__)


@contextmanager
def skip_missing_directions(
    split: str, manager: MultilingualDatasetManager, args: Namespace
) -> Iterator[None]:
    """Let the manager load only the directions that have a split; stock raises a KeyError.

    Raises:
        FileNotFoundError: No direction has it; names the split and the folder.
    """
    lang_pairs = manager.lang_pairs
    # fairseq looks there for everything but training data.
    folder = Path(utils.split_paths(args.data)[0])
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
    """Return whether there is binary data of a direction; the data serves both directions."""
    source, target = direction.split("-")  # fairseq also allows en-en, as parse_direction does not
    names = (f"{split}.{source}-{target}.{source}.idx", f"{split}.{target}-{source}.{source}.idx")
    return any((folder / name).is_file() for name in names)

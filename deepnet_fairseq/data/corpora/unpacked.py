"""Published archives on their way into a corpus: only the members that are needed, in a hidden folder that goes when the corpus is made."""

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, Mapping, TypeVar

from deepnet_fairseq.data.archives import extract
from deepnet_fairseq.errors import DataError

# Hidden: what a killed run leaves of it is no part of the corpus (see steps.py).
FOLDER = ".unpacked"

Key = TypeVar("Key")


@contextmanager
def unpacking(root: Path) -> Iterator[Path]:
    """A folder inside the corpus being made for what is unpacked; it stays if the making fails
    once a pair is finished, so that the next run finds it."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def unpack_members(archive: Path, folder: Path, members: Mapping[Key, str]) -> Dict[Key, Path]:
    """Unpack the named members into the folder; return their paths. Raises DataError, naming both, for one that the archive lacks."""
    extract(
        archive, folder, sorted({f"*{member}" for member in members.values()})
    )  # some names begin with ./
    paths = {key: folder / member for key, member in members.items()}
    for path, member in zip(paths.values(), members.values(), strict=True):
        if not path.is_file():
            raise DataError(f"{archive}: has no member {member}; it is not what was published")
    return paths

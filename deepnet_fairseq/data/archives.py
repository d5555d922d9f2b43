"""Safe extraction of archives: plain files only, inside the folder, within a size limit.

tarfile and zipfile do the unpacking. What they would repair or skip without a word, such as an
absolute path or a damaged header, is refused here.
"""

import json
import re
import shutil
import sys
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import translate
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Any, Dict, Iterator, List, Mapping, Sequence, TypeVar, Union

from tqdm import tqdm

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import atomic_folder

METADATA_NAME = ".extracted.json"
# Hidden: a stage removes what a killed run leaves of it (see stages.py).
SCRATCH_NAME = ".unpacked"
BLOCK = 1 << 20  # bytes
MAX_BYTES = 200 << 30  # of all requested members: OPUS-100 has about 10 GiB
MAX_MEMBERS = 100_000  # of the archive, requested or not: each takes memory
# What Python's modules raise for damaged and unknown content; OSError also for a full disk.
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)

Key = TypeVar("Key")


@dataclass(frozen=True)
class Member:
    """What tar and zip archives say alike about a member."""

    name: str
    size: int  # bytes once unpacked; neither module writes more than that
    is_folder: bool
    is_file: bool  # and not a link, a device …
    info: Union[tarfile.TarInfo, zipfile.ZipInfo]


def extract(
    archive: Path,
    folder: Path,
    patterns: Sequence[str] = ("*",),
    max_bytes: int = MAX_BYTES,
    max_members: int = MAX_MEMBERS,
) -> List[Path]:
    """Unpack the members whose names match a pattern of fnmatch; return their paths, sorted.

    The folder appears once it is complete. It is left as it is if these members of this archive
    are in it already.

    Raises:
        DataError: The archive is broken or too large, or a requested member is not a plain file
            inside the folder. The message names archive and member.
    """
    archive, folder = Path(archive), Path(folder)
    state = archive.stat()
    metadata = {
        "archive": archive.name,
        "bytes": state.st_size,
        "modified": state.st_mtime_ns,
        "wanted": sorted(patterns),
    }
    existing = _read_metadata(folder)
    if existing == metadata:
        return _files(folder)
    if folder.exists() and not existing:
        raise DataError(
            f"{folder} was not unpacked from {archive.name} by this program; move it away"
        )
    try:
        with atomic_folder(folder) as partial:
            _unpack(archive, partial, patterns, max_bytes, max_members)
            (partial / METADATA_NAME).write_text(json.dumps(metadata), encoding="utf-8")
    except BROKEN as error:
        # Only the system's own errors have a number; zlib's and bz2's do not.
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{archive}: cannot be unpacked into {folder}: {error}") from error
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise DataError(
            f"{archive}: cannot be unpacked: {reason}; remove it to fetch it again"
        ) from error
    return _files(folder)


def extract_members(archive: Path, folder: Path, members: Mapping[Key, str]) -> Dict[Key, Path]:
    """Unpack the named members into the folder; return their paths by the mapping's keys.

    Raises:
        DataError: As `extract`, and for a member that the archive lacks.
    """
    # Some archives' names begin with ./
    extract(archive, folder, sorted({f"*{member}" for member in members.values()}))
    paths = {}
    for key, member in members.items():
        paths[key] = folder / member
        if not paths[key].is_file():
            raise DataError(f"{archive}: has no member {member}; it is not what was published")
    return paths


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """Yield a hidden folder in `root` for unpacked files, and remove it on success.

    After an error it stays, so that the next run does not unpack them again.
    """
    folder = root / SCRATCH_NAME
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def _unpack(
    archive: Path, folder: Path, patterns: Sequence[str], max_bytes: int, max_members: int
) -> None:
    # One expression: fnmatch would compile hundreds of patterns again for every name.
    is_requested = re.compile("|".join(map(translate, patterns)) or "(?!)").match
    unpacked = 0
    with _open(archive) as opened, _progress_bar(archive) as bar:
        for number, member in enumerate(_members(opened), start=1):
            if number > max_members:
                raise DataError(
                    f"{archive} has more than {max_members} members; that is not what was published"
                )
            if member.is_folder or not is_requested(member.name):
                continue
            _check_member(archive, folder, member)
            unpacked += member.size
            if unpacked > max_bytes:
                raise DataError(
                    f"{archive}, member {member.name}: unpacked, the archive has more than "
                    f"{max_bytes} bytes"
                )
            if isinstance(opened, zipfile.ZipFile):
                opened.extract(member.info, folder)
            else:
                opened.extract(member.info, folder, set_attrs=False, filter="data")
            bar.update(member.size)


def _open(archive: Path) -> Union[tarfile.TarFile, zipfile.ZipFile]:
    with open(archive, "rb") as stream:
        start = stream.read(4)
    # is_zipfile looks at the end of a file, where a tar archive may hold a zip archive.
    if start in (b"PK\x03\x04", b"PK\x05\x06"):
        return zipfile.ZipFile(archive)
    if not hasattr(tarfile, "data_filter"):
        raise DataError(f"{archive}: unpacking it needs Python 3.10.12, 3.11.4 or a later one")
    return tarfile.open(archive, "r:*", tarinfo=_StrictTarInfo)


def _members(opened: Union[tarfile.TarFile, zipfile.ZipFile]) -> Iterator[Member]:
    if isinstance(opened, zipfile.ZipFile):
        for info in opened.infolist():
            file_type = info.external_attr >> 28  # of a Unix mode; 0 when none was recorded
            is_file = file_type in (0, 0o10)
            yield Member(info.filename, info.file_size, info.filename.endswith("/"), is_file, info)
        return
    for info in opened:
        yield Member(info.name, info.size, info.isdir(), info.isreg(), info)
    # The checksum of a compressed archive is at its very end.
    while opened.fileobj and opened.fileobj.read(BLOCK):
        pass


def _check_member(archive: Path, folder: Path, member: Member) -> None:
    """Raise DataError for a member that is no plain file in a place of its own in the folder."""
    name, path = member.name, PurePosixPath(member.name)
    is_inside = path.parts and not path.is_absolute() and ".." not in path.parts
    if not is_inside or "\\" in name or "\0" in name or path.name == METADATA_NAME:
        reason = "is not a path inside the folder"
        raise DataError(f"{archive}, member {name!r}: {reason}; that is not what was published")
    if not member.is_file:
        reason = "is not a plain file"
    elif (folder / path).exists():
        reason = "comes twice"
    else:
        return
    raise DataError(f"{archive}, member {name}: {reason}; that is not what was published")


def _progress_bar(archive: Path) -> tqdm:
    interval = 0.2 if sys.stderr.isatty() else 30
    return tqdm(desc=f"unpacking {archive.name}", unit="B", unit_scale=True, mininterval=interval)


class _StrictTarInfo(tarfile.TarInfo):
    """A member of a tar archive whose damaged header is an error.

    tarfile would take it for the end of the archive, and the rest would be missing.
    """

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        try:
            return super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:
            raise tarfile.ReadError(f"damaged: {error}") from None


def _read_metadata(folder: Path) -> Dict[str, Any]:
    try:
        return dict(json.loads((folder / METADATA_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _files(folder: Path) -> List[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if path.name != METADATA_NAME)

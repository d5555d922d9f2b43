"""Archives taken apart safely: only plain files, only inside the target folder, only so many bytes, all of them or none."""

import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
import zlib
from fnmatch import translate
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from tqdm import tqdm

from deepnet_fairseq.errors import DataError

STAMP_NAME = ".extracted.json"
BLOCK = 1 << 20  # bytes copied at once
MAX_BYTES = 200 << 30  # of the wanted members together: OPUS-100 has about 10 GiB
MAX_MEMBERS = 100_000  # of the archive, wanted or not: each takes memory
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

# A member's name, a folder's with a slash at its end, and how to open it; None for what is no plain file: a link, a device ...
Member = Tuple[str, Optional[Callable[[], Optional[IO[bytes]]]]]


def extract(
    archive: Path,
    folder: Path,
    wanted: Sequence[str] = ("*",),
    max_bytes: int = MAX_BYTES,
    max_members: int = MAX_MEMBERS,
) -> List[Path]:
    """Unpack the members whose names match one of the wanted patterns (as fnmatch has them); return their paths, sorted.

    The folder appears when all is there, and is left as it is if this archive's wanted members are in it already. Raises DataError, naming
    archive and member, for a broken archive, a member that would land outside the folder or isn't a plain file, and too much of anything.
    """
    archive, folder = Path(archive), Path(folder)
    state = archive.stat()
    stamp = {
        "archive": archive.name,
        "bytes": state.st_size,
        "modified": state.st_mtime_ns,
        "wanted": sorted(wanted),
    }
    found = _read_stamp(folder)
    if found == stamp:
        return _files(folder)
    if folder.exists() and not found:
        raise DataError(
            f"{folder} was not unpacked from {archive.name} by this program; move it away"
        )
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        _unpack(archive, partial, wanted, max_bytes, max_members)
        (partial / STAMP_NAME).write_text(json.dumps(stamp), encoding="utf-8")
    except BROKEN as error:
        shutil.rmtree(partial)
        # Only the system's own errors have a number; zlib's and bz2's haven't.
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{archive}: cannot be unpacked into {folder}: {error}") from error
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise DataError(
            f"{archive}: cannot be unpacked: {reason}; remove it to fetch it again"
        ) from error
    except BaseException:
        shutil.rmtree(partial)
        raise
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(partial, folder)
    return _files(folder)


def _unpack(
    archive: Path, folder: Path, wanted: Sequence[str], max_bytes: int, max_members: int
) -> None:
    left, quiet = max_bytes, not sys.stderr.isatty()
    members = _zip_members(archive) if _is_zip(archive) else _tar_members(archive)
    is_wanted = re.compile(
        "|".join(map(translate, wanted)) or "(?!)"
    ).match  # fnmatch compiles hundreds of patterns again for every name
    with tqdm(
        desc=f"unpacking {archive.name}",
        unit="B",
        unit_scale=True,
        mininterval=30 if quiet else 0.2,
    ) as bar:
        for number, (name, opener) in enumerate(members, start=1):
            if number > max_members:
                raise DataError(
                    f"{archive} has more than {max_members} members; that is not what was published"
                )
            if name.endswith("/") or not is_wanted(name):
                continue
            target = folder / _inside(archive, name)
            if target.exists():
                raise DataError(
                    f"{archive}, member {name}: comes twice; that is not what was published"
                )
            stream = opener() if opener else None
            if stream is None:
                raise DataError(
                    f"{archive}, member {name}: is not a plain file; that is not what was published"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            with stream, open(target, "xb") as output:
                # What really comes out, whatever the archive declares.
                while block := stream.read(BLOCK):
                    left -= len(block)
                    if left < 0:
                        raise DataError(
                            f"{archive}, member {name}: unpacked, the archive has more than {max_bytes} bytes"
                        )
                    output.write(block)
                    bar.update(len(block))


def _is_zip(archive: Path) -> bool:
    """Whether a file begins as a zip archive does; is_zipfile looks at its end, where a tar archive may hold one."""
    with open(archive, "rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            kind = (
                info.external_attr >> 28
            )  # the file type of a Unix mode; 0 when none was recorded
            yield (
                info.filename,
                (lambda info=info: zipped.open(info)) if kind in (0, 0o10) else None,
            )


def _tar_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive, "r:*", tarinfo=_WholeTarInfo) as tar:
        for member in tar:
            name = f"{member.name}/" if member.isdir() else member.name
            yield name, (lambda member=member: tar.extractfile(member)) if member.isreg() else None
        # The checksum of a compressed archive stands at its very end.
        while tar.fileobj and tar.fileobj.read(BLOCK):
            pass


class _WholeTarInfo(tarfile.TarInfo):
    """A member of an archive that must not stop at a damaged one, as tarfile would have it: the rest would be missing, without a word."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        try:
            return super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:
            raise tarfile.ReadError(f"damaged: {error}") from None


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or "\0" in name
        or not path.parts
        or path.name == STAMP_NAME
    ):
        raise DataError(
            f"{archive}, member {name!r}: is not a path inside the folder; that is not what was published"
        )
    return path


def _read_stamp(folder: Path) -> Dict[str, Any]:
    try:
        return dict(json.loads((folder / STAMP_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _files(folder: Path) -> List[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != STAMP_NAME)

"""Text files and atomic writes: a file or folder written here is complete or absent."""

import contextlib
import gzip
import hashlib
import os
import shutil
import socket
from pathlib import Path
from typing import IO, Iterable, Iterator

from deepnet_fairseq.errors import DataError


@contextlib.contextmanager
def atomic(path: Path, several_writers: bool = False) -> Iterator[Path]:
    """Yield a path beside `path` to write a file to.

    On success it is renamed to `path`; on an error it is removed and `path` stays as it was. Its
    name ends with `.partial`, so that what a kill leaves behind is never taken for the file. If
    `several_writers` may write the same file at the same time, each gets a path of its own.
    """
    writer = f".{socket.gethostname()}.{os.getpid()}" if several_writers else ""
    partial = _partial(path.with_name(path.name + writer))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` to fill; as `atomic`, but for a folder.

    What a killed process has left beside `path` is removed first.
    """
    partial = _partial(path)
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def write_text(path: Path, text: str) -> None:
    r"""Write text atomically as UTF-8, with `\n` line ends."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one line per string, atomically.

    Raises:
        ValueError: A string has a line break in it.
    """
    text = [line + "\n" for line in lines]
    for number, line in enumerate(text, start=1):
        if "\n" in line[:-1] or "\r" in line:
            raise ValueError(f"{path}, line {number}: a line must not hold a line break: {line!r}")
    write_text(path, "".join(text))


def open_binary(path: Path) -> IO[bytes]:
    """Open a plain or gzip-compressed (`.gz`) file to read its bytes."""
    return gzip.open(path, "rb") if str(path).endswith(".gz") else open(path, "rb")


def read_lines(path: Path) -> Iterator[str]:
    r"""Yield the lines of a plain or `.gz` file, without their newlines.

    Only `\n` or `\r\n` ends a line: at characters such as U+2028, the two sides of parallel text
    would come apart.

    Raises:
        DataError: The text is not UTF-8, or the file is no complete gzip file; names the line.
    """
    try:
        with open_binary(path) as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    yield line.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    reason = f"{error.reason} at byte {error.start}"
                    raise DataError(
                        f"{path}, line {number}: not UTF-8 ({reason}); convert the file to UTF-8"
                    ) from None
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(
            f"{path}: not a whole gzip file ({error}); copy it again, "
            "or drop the .gz from a plain file's name"
        ) from None


def count_lines(path: Path) -> int:
    """Count the lines of a plain or `.gz` file, a last line without a newline included."""
    lines = 0
    with open_binary(path) as stream:
        for _ in stream:
            lines += 1
    return lines


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()

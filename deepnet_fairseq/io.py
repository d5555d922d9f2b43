"""Text files and atomic writes: a file that is written here is complete, or it is not there."""

import contextlib
import gzip
import hashlib
import os
from pathlib import Path
from typing import IO, Iterable, Iterator

from deepnet_fairseq.errors import DataError


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success rename it to `path`, on an error remove it.

    The name ends with `.partial`, so that whatever a kill leaves is never taken for the file.
    """
    beside = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield beside
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write text atomically as UTF-8, with `\n` line ends."""
    with atomic(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one line each, beside path, then rename. Raises ValueError for a line with a line break in it."""
    text = [line + "\n" for line in lines]
    for number, line in enumerate(text, start=1):
        if "\n" in line[:-1] or "\r" in line:
            raise ValueError(f"{path}, line {number}: a line must not hold a line break: {line!r}")
    write_text(path, "".join(text))


def open_binary(path: Path) -> IO[bytes]:
    """Open a plain or gzip-compressed (`.gz`) file to read its bytes."""
    return gzip.open(path, "rb") if str(path).endswith(".gz") else open(path, "rb")


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a plain or `.gz` file, without their newlines. Raises DataError, naming file and line, for bytes which aren't UTF-8.

    Only `\\n` (or `\\r\\n`) ends a line: characters such as U+2028 would otherwise tear two sides of a pair apart.
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
            f"{path}: not a whole gzip file ({error}); copy it again, or drop the .gz from a plain file's name"
        ) from None


def count_lines(path: Path) -> int:
    """How many lines a plain or `.gz` file holds; a last line without a newline counts."""
    lines = 0
    with open_binary(path) as stream:
        for _ in stream:
            lines += 1
    return lines


def sha256_of(path: Path) -> str:
    """A file's SHA-256 in hexadecimal digits, read block by block."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()

"""Published files fetched once and kept: from a folder of the user's or from the web, checked, and never trusted by their name alone."""

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from deepnet_fairseq.data.transfer import discard, transfer
from deepnet_fairseq.errors import DataError, DownloadError

logger = logging.getLogger(__name__)

AT_ONCE = 4  # files fetched at the same time
CHECKSUMS = ("sha256", "md5")
WITHOUT_LOCKS = (
    errno.ENOLCK,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
)  # what file systems say that have none, such as Lustre


@dataclass(frozen=True)
class RemoteFile:
    """One file of a published corpus. Raises ValueError for a checksum of an unknown kind."""

    name: str  # file name in the download folder
    urls: Tuple[str, ...]  # the pinned address, then mirrors; http, https or file
    size: Optional[int] = None  # bytes, where published
    checksum: str = ""  # "sha256:…" or "md5:…", where published

    def __post_init__(self) -> None:
        if self.checksum and self.checksum.partition(":")[0] not in CHECKSUMS:
            raise ValueError(
                f"{self.name}: a checksum must begin with sha256: or md5:, not {self.checksum!r}"
            )


class Downloads:
    """The files of a corpus on this machine, fetched as they are asked for.

    `records` names each fetched file with its pinned address, size and SHA-256, in the order in which they were asked for.
    """

    def __init__(self, folder: Path, source_dir: Optional[Path] = None) -> None:
        self.folder = Path(folder)
        self.source_dir = Path(source_dir) if source_dir else None
        self.records: List[Dict[str, Any]] = []
        self._fetched: Dict[RemoteFile, Path] = {}

    def fetch(self, file: RemoteFile) -> Path:
        """Return the path of the whole, checked file: the one in source_dir if there is one, else a download, new or of an earlier run.

        Raises DataError, naming the file, for one that is not what was published, and if no address gives it.
        """
        return self.fetch_all([file])[0]

    def fetch_all(self, files: Sequence[RemoteFile]) -> List[Path]:
        """`fetch` for several files, a few at a time; the first error ends it."""
        new = [file for file in dict.fromkeys(files) if file not in self._fetched]
        # One is fetched in this thread, where Ctrl-C ends it at once.
        found = (
            _in_threads(self._checked, new)
            if len(new) > 1
            else [self._checked(file) for file in new]
        )
        for file, (path, digest) in zip(new, found, strict=True):
            address = file.urls[0] if file.urls else ""
            self.records.append(
                {
                    "name": file.name,
                    "address": address,
                    "size": path.stat().st_size,
                    "sha256": digest,
                }
            )
            self._fetched[file] = path
        return [self._fetched[file] for file in files]

    def _checked(self, file: RemoteFile) -> Tuple[Path, str]:
        """The path and the SHA-256 of a file."""
        given = self.source_dir / file.name if self.source_dir else None
        return (
            (given, check_file(given, file))
            if given and given.is_file()
            else self._kept_or_new(file)
        )

    def _kept_or_new(self, file: RemoteFile) -> Tuple[Path, str]:
        path = self.folder / file.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path.with_name(path.name + ".lock")):
                return path, _check_kept(path, file) if path.is_file() else self._download(
                    path, file
                )
        except OSError as error:
            raise DataError(
                f"{path}: {error}; downloads need a folder that can be written to, with room for them"
            ) from error

    def _download(self, path: Path, file: RemoteFile) -> str:
        """Fetch the file from the first address that gives it; return its SHA-256. Raises DataError if none does."""
        reasons = []
        for url in file.urls:
            try:
                digest = _download_from(url, path, file)
            except DownloadError as error:
                logger.warning("%s", error)
                reasons.append(str(error))
                continue
            _write_record(path, digest)
            return digest
        looked = f"not in {self.source_dir}; " if self.source_dir else ""
        raise DataError(
            f"{file.name}: {looked}no address gave it ({'; '.join(reasons) or 'none is known'}); fetch it by other means and give its "
            "folder with --source-dir"
        )


def _in_threads(
    function: Callable[[RemoteFile], Tuple[Path, str]], files: Sequence[RemoteFile]
) -> List[Tuple[Path, str]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            return list(pool.map(function, files))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def check_file(path: Path, file: RemoteFile) -> str:
    """Return the file's SHA-256. Raises DataError if its size or checksum isn't the published one."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise DataError(
            f"{path} has {size} bytes, but {file.name} was published with {file.size}; remove it and fetch it again"
        )
    kind, _, expected = file.checksum.partition(":")
    digests = {name: hashlib.new(name) for name in {"sha256", kind or "sha256"}}
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            for digest in digests.values():
                digest.update(block)
    found = digests[kind or "sha256"].hexdigest()
    if expected and found != expected.lower():
        raise DataError(
            f"{path}: its {kind} is {found}, but {file.name} was published with {expected}; remove it and fetch it again"
        )
    return digests["sha256"].hexdigest()


def _download_from(url: str, path: Path, file: RemoteFile) -> str:
    """Fetch one address into path; return the SHA-256. Raises DownloadError if the address does not give what was published."""
    partial = path.with_name(path.name + ".partial")
    transfer(url, partial, file.size)
    try:
        digest = check_file(partial, file)
    except DataError as error:
        discard(partial)
        raise DownloadError(f"{url}: {error}") from error
    os.replace(partial, path)
    discard(partial)
    return digest


def _check_kept(path: Path, file: RemoteFile) -> str:
    """Check a file of an earlier run, against the checksum of that run as well: without a published one there is no other."""
    digest = check_file(path, file)
    record = _record_path(path)
    if record.is_file() and record.read_text(encoding="utf-8").split()[:1] not in (
        [digest],
        [],
    ):  # [] is what a full disk leaves
        raise DataError(
            f"{path} has changed since it was downloaded (see {record.name}); remove both to fetch it again"
        )
    _write_record(path, digest)
    return digest


def _write_record(path: Path, digest: str) -> None:
    """Note a file's checksum beside it, as sha256sum does."""
    record = _record_path(path)
    if not record.is_file() or not record.stat().st_size:
        beside = record.with_name(record.name + ".partial")
        beside.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        os.replace(beside, record)


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time in; the lock goes with the process that holds it."""
    with open(path, "a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("another process is fetching %s; waiting for it", path.stem)
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            logger.warning(
                "%s: this file system has no locks; don't prepare two corpora here at once",
                path.parent,
            )
        yield

"""Published files, fetched once and kept: from a user's folder or the web, and always checked."""

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
from deepnet_fairseq.io import write_text

logger = logging.getLogger(__name__)

THREADS = 4  # files fetched at the same time
CHECKSUMS = ("sha256", "md5")
# What file systems without locks say, such as Lustre.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


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
    """The published files on this machine, each fetched when it is first requested.

    `records` has the name, pinned address, size and SHA-256 of each file, in the order of the
    requests.
    """

    def __init__(self, folder: Path, source_dir: Optional[Path] = None) -> None:
        self.folder = Path(folder)
        self.source_dir = Path(source_dir) if source_dir else None
        self.records: List[Dict[str, Any]] = []
        self._fetched: Dict[RemoteFile, Path] = {}

    def fetch(self, file: RemoteFile) -> Path:
        """Return the path of the complete, checked file.

        It is the one in source_dir if there is one, and else a download, a new or an earlier one.

        Raises:
            DataError: The file is not what was published, or no address gives it; names the file.
        """
        return self.fetch_all([file])[0]

    def fetch_all(self, files: Sequence[RemoteFile]) -> List[Path]:
        """Fetch several files, a few at a time; as `fetch`. The first error ends it."""
        new = [file for file in dict.fromkeys(files) if file not in self._fetched]
        # A single one is fetched in this thread, where Ctrl-C ends it at once.
        paths_and_digests = (
            _in_threads(self._fetch_checked, new)
            if len(new) > 1
            else [self._fetch_checked(file) for file in new]
        )
        for file, (path, digest) in zip(new, paths_and_digests, strict=True):
            record = {
                "name": file.name,
                "address": file.urls[0] if file.urls else "",
                "size": path.stat().st_size,
                "sha256": digest,
            }
            self.records.append(record)
            self._fetched[file] = path
        return [self._fetched[file] for file in files]

    def _fetch_checked(self, file: RemoteFile) -> Tuple[Path, str]:
        """Return the path and the SHA-256 of a file."""
        if self.source_dir and (self.source_dir / file.name).is_file():
            path = self.source_dir / file.name
            return path, check_file(path, file)
        path = self.folder / file.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path.with_name(path.name + ".lock")):
                if path.is_file():
                    return path, _check_kept(path, file)
                return path, self._download(path, file)
        except OSError as error:
            raise DataError(
                f"{path}: {error}; "
                "downloads need a folder that can be written to, with room for them"
            ) from error

    def _download(self, path: Path, file: RemoteFile) -> str:
        """Fetch the file from the first address that gives it and return its SHA-256."""
        reasons = []
        for url in file.urls:
            try:
                digest = _download_from(url, path, file)
            except DownloadError as error:
                logger.warning("%s", error)
                reasons.append(str(error))
                continue
            _write_checksum(path, digest)
            return digest
        missing = f"not in {self.source_dir}; " if self.source_dir else ""
        raise DataError(
            f"{file.name}: {missing}no address gave it ({'; '.join(reasons) or 'none is known'}); "
            "fetch it by other means and give its folder with --source-dir"
        )


def _in_threads(
    function: Callable[[RemoteFile], Tuple[Path, str]], files: Sequence[RemoteFile]
) -> List[Tuple[Path, str]]:
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            return list(pool.map(function, files))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def check_file(path: Path, file: RemoteFile) -> str:
    """Return the SHA-256 of a file. Raise DataError unless it is what was published."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise DataError(
            f"{path} has {size} bytes, but {file.name} was published with {file.size}; "
            "remove it and fetch it again"
        )
    kind, _, expected = file.checksum.partition(":")
    digests = {name: hashlib.new(name) for name in {"sha256", kind or "sha256"}}
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            for digest in digests.values():
                digest.update(block)
    actual = digests[kind or "sha256"].hexdigest()
    if expected and actual != expected.lower():
        raise DataError(
            f"{path}: its {kind} is {actual}, but {file.name} was published with {expected}; "
            "remove it and fetch it again"
        )
    return digests["sha256"].hexdigest()


def _download_from(url: str, path: Path, file: RemoteFile) -> str:
    """Fetch one address into `path` and return the SHA-256.

    The partial file outlives an error, unlike that of io.atomic: the next try continues it.

    Raises:
        DownloadError: The address does not give what was published.
    """
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
    """Check a file of an earlier run and return its SHA-256.

    It must have that run's checksum as well: for some files, none is published.
    """
    digest = check_file(path, file)
    checksum_path = _checksum_path(path)
    if checksum_path.is_file():
        recorded = checksum_path.read_text(encoding="utf-8").split()[:1]
        if recorded not in ([digest], []):  # [] is what a full disk leaves
            raise DataError(
                f"{path} has changed since it was downloaded (see {checksum_path.name}); "
                "remove both to fetch it again"
            )
    _write_checksum(path, digest)
    return digest


def _write_checksum(path: Path, digest: str) -> None:
    """Write a file's checksum beside it, in the format of sha256sum."""
    checksum_path = _checksum_path(path)
    if not checksum_path.is_file() or not checksum_path.stat().st_size:
        write_text(checksum_path, f"{digest}  {path.name}\n")


def _checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Admit one process at a time; the lock ends with the process that has it."""
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

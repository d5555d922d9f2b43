"""Transfer of one address into a partial file, which the next try or the next run continues."""

import json
import logging
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Dict, Mapping, Optional
from urllib.parse import unquote, urlparse

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from deepnet_fairseq.errors import DownloadError

logger = logging.getLogger(__name__)

BLOCK = 1 << 16  # bytes read at once; what a killed process or a broken connection may lose
TIMEOUTS = (20, 60)  # seconds: to connect; without a byte
TRIES = 6  # consecutive requests to one address without progress
FIRST_WAIT = 1.0  # seconds before the second try; doubled for each one after it
LONGEST_WAIT = 120.0
RETRY_STATUS = (408, 425, 429, 500, 502, 503, 504)  # status codes of temporary errors
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)$")


class _TemporaryError(Exception):
    """An error that the next try may not meet."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait  # seconds that the server asks for


def transfer(url: str, partial: Path, size: Optional[int] = None) -> None:
    """Fetch the whole content of an address (http, https or file) into the partial file.

    Continues at the end of the partial file as long as the server has the same content.

    Raises:
        DownloadError: The address does not give the file, or not with `size` bytes.
    """
    logger.info("fetching %s", url)
    if urlparse(url).scheme == "file":
        _copy(url, partial)
        return
    wait, tries, furthest = FIRST_WAIT, 0, 0
    while True:
        requested_wait = 0.0
        try:
            _request(url, partial, size)
            return
        except _TemporaryError as error:
            reason, requested_wait = str(error), error.wait
        except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
            reason = _shorten(error)
        except requests.RequestException as error:
            raise DownloadError(f"{url}: {_shorten(error)}") from error
        # Only bytes beyond all earlier tries are progress: a server that can only start again must
        # not be asked for ever.
        if _length(partial) > furthest:
            wait, tries, furthest = FIRST_WAIT, 0, _length(partial)
        tries += 1
        if tries >= TRIES:
            raise DownloadError(f"{url}: {reason}, {tries} times in a row")
        pause = min(max(wait, requested_wait), LONGEST_WAIT)
        logger.warning("%s: %s; trying again in %.0f s", url, reason, pause)
        time.sleep(pause)
        wait *= 2


def discard(partial: Path) -> None:
    """Remove a partial file, and the record of where it is from."""
    _origin_path(partial).unlink(missing_ok=True)
    partial.unlink(missing_ok=True)


def _copy(url: str, partial: Path) -> None:
    source = Path(unquote(urlparse(url).path))
    discard(partial)
    if not source.is_file():
        raise DownloadError(f"{url}: no such file")
    shutil.copyfile(source, partial)


def _request(url: str, partial: Path, size: Optional[int]) -> None:
    """Request the rest of the partial file if it is a part of what the server has now."""
    origin = _read_origin(partial)
    validator = origin.get("validator", "") if origin.get("url") == url else ""
    have = _length(partial) if validator else 0
    # identity: a server that compresses while sending could not continue in the middle
    headers = {"Accept-Encoding": "identity", "User-Agent": "deepnet_fairseq"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as response:
        content_range = response.headers.get("Content-Range", "")
        if response.status_code == 416 and have and content_range == f"bytes */{have}":
            return  # complete: an earlier run was killed before it could rename the file
        _check_status(url, response)
        start = 0 if response.status_code == 200 else have
        length = _number(response.headers.get("Content-Length"))
        if response.status_code != 200:
            sent = CONTENT_RANGE.match(content_range)
            same_file = _validator(response.headers) in ("", validator)
            if not sent or int(sent[1]) != have or not same_file:
                discard(partial)
                raise _TemporaryError("the server did not go on with the same file")
            length = _number(sent[2])
        if size is not None and length not in (None, size):
            raise DownloadError(f"{url}: has {length} bytes, but was published with {size}")
        if not start:
            _begin(partial, url, response)
        _receive(response, partial, start, length or size)
    if length is not None and _length(partial) < length:
        raise _TemporaryError(f"the connection broke at {_length(partial)} of {length} bytes")


def _check_status(url: str, response: requests.Response) -> None:
    """Raise an error for a response that has no content, or a part that was not requested."""
    if response.status_code in RETRY_STATUS:
        wait = _number(response.headers.get("Retry-After")) or 0
        raise _TemporaryError(f"status {response.status_code}", wait)
    if response.status_code not in (200, 206, 416):
        raise DownloadError(f"{url}: status {response.status_code} {response.reason}")


def _begin(partial: Path, url: str, response: requests.Response) -> None:
    """Empty the partial file, and only then record its origin: no other bytes may ever have it."""
    discard(partial)
    partial.touch()
    origin = {"url": url, "validator": _validator(response.headers)}
    _origin_path(partial).write_text(json.dumps(origin), encoding="utf-8")


def _receive(response: requests.Response, partial: Path, start: int, total: Optional[int]) -> None:
    """Append a response's body, as transmitted, to the partial file, with a progress bar."""
    bar = tqdm(
        total=total,
        initial=start,
        desc=partial.stem,
        unit="B",
        unit_scale=True,
        mininterval=0.2 if sys.stderr.isatty() else 30,
    )
    with open(partial, "ab") as stream, bar:
        # Not iter_content: some servers call a .tgz a tar file in gzip encoding; it would be
        # decompressed, and no checksum would match.
        for block in response.raw.stream(BLOCK, decode_content=False):
            stream.write(block)
            stream.flush()
            bar.update(len(block))


def _validator(headers: Mapping[str, str]) -> str:
    """Return what shows that the server's file is still the same, "" if nothing does.

    A weak ETag does not vouch for single bytes.
    """
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _origin_path(partial: Path) -> Path:
    return partial.with_suffix(".origin")


def _read_origin(partial: Path) -> Dict[str, str]:
    try:
        return dict(json.loads(_origin_path(partial).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _number(text: Optional[str]) -> Optional[int]:
    return int(text) if text and text.isdecimal() else None


def _shorten(error: Exception) -> str:
    """Return the kind of error and the start of its message, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}"

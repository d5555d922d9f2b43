"""The bytes of one address brought into a partial file, which the next try, or the next run, goes on with."""

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
TRIES = 6  # requests to one address in a row that bring nothing new
FIRST_WAIT = 1.0  # seconds before the second try; doubled for each one after it
LONGEST_WAIT = 120.0
PASSING_TROUBLE = (
    408,
    425,
    429,
    500,
    502,
    503,
    504,
)  # status codes that may be gone at the next try
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)$")


class _Passing(Exception):
    """Trouble that may be gone at the next try."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait  # seconds that the server asks for


def transfer(url: str, partial: Path, size: Optional[int] = None) -> None:
    """Bring the whole content of an address (http, https or file) into the partial file.

    Goes on where the partial file ends for as long as the server offers the same content. Raises DownloadError if the address doesn't
    give it, or gives another number of bytes than size.
    """
    logger.info("fetching %s", url)
    if urlparse(url).scheme == "file":
        _copy(url, partial)
        return
    wait, tries, furthest = FIRST_WAIT, 0, 0
    while True:
        asked_to_wait = 0.0
        try:
            _request(url, partial, size)
            return
        except _Passing as trouble:
            reason, asked_to_wait = str(trouble), trouble.wait
        except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
            reason = _in_short(error)
        except requests.RequestException as error:
            raise DownloadError(f"{url}: {_in_short(error)}") from error
        # Progress is what goes beyond all earlier tries: a server that can only begin anew must not be asked for ever.
        if _length(partial) > furthest:
            wait, tries, furthest = FIRST_WAIT, 0, _length(partial)
        tries += 1
        if tries >= TRIES:
            raise DownloadError(f"{url}: {reason}, {tries} times in a row")
        pause = min(max(wait, asked_to_wait), LONGEST_WAIT)
        logger.warning("%s: %s; trying again in %.0f s", url, reason, pause)
        time.sleep(pause)
        wait *= 2


def discard(partial: Path) -> None:
    """Remove a partial file, and the note of what it is a part of."""
    _origin_path(partial).unlink(missing_ok=True)
    partial.unlink(missing_ok=True)


def _copy(url: str, partial: Path) -> None:
    source = Path(unquote(urlparse(url).path))
    discard(partial)
    if not source.is_file():
        raise DownloadError(f"{url}: no such file")
    shutil.copyfile(source, partial)


def _request(url: str, partial: Path, size: Optional[int]) -> None:
    """One request, for the rest of the partial file if it is a part of what the server has now."""
    origin = _read_origin(partial)
    validator = origin.get("validator", "") if origin.get("url") == url else ""
    have = _length(partial) if validator else 0
    # identity: a server that compresses on the fly could not go on in the middle
    headers = {"Accept-Encoding": "identity", "User-Agent": "deepnet_fairseq"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as response:
        if (
            response.status_code == 416
            and have
            and response.headers.get("Content-Range") == f"bytes */{have}"
        ):
            return  # killed between the last byte and the new name
        if response.status_code in PASSING_TROUBLE:
            raise _Passing(
                f"status {response.status_code}", _number(response.headers.get("Retry-After")) or 0
            )
        if response.status_code not in (200, 206, 416):
            raise DownloadError(f"{url}: status {response.status_code} {response.reason}")
        start = 0 if response.status_code == 200 else have
        length = _number(response.headers.get("Content-Length"))
        if response.status_code != 200:
            sent = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
            if (
                not sent
                or int(sent[1]) != have
                or _validator(response.headers) not in ("", validator)
            ):
                discard(partial)
                raise _Passing("the server did not go on with the same file")
            length = _number(sent[2])
        if size is not None and length not in (None, size):
            raise DownloadError(f"{url}: has {length} bytes, but was published with {size}")
        if not start:
            _begin(partial, url, response)
        _receive(response, partial, start, length or size)
    if length is not None and _length(partial) < length:
        raise _Passing(f"the connection broke at {_length(partial)} of {length} bytes")


def _begin(partial: Path, url: str, response: requests.Response) -> None:
    """Empty the partial file, and only then note what it will be a part of: nothing else may ever stand under that note."""
    discard(partial)
    partial.touch()
    _origin_path(partial).write_text(
        json.dumps({"url": url, "validator": _validator(response.headers)}), encoding="utf-8"
    )


def _receive(response: requests.Response, partial: Path, start: int, total: Optional[int]) -> None:
    """Append a response's body, as it comes over the wire, to the partial file, behind a progress bar."""
    quiet = not sys.stderr.isatty()
    bar = tqdm(
        total=total,
        initial=start,
        desc=partial.stem,
        unit="B",
        unit_scale=True,
        mininterval=30 if quiet else 0.2,
    )
    with open(partial, "ab") as stream, bar:
        # Not iter_content: servers that call a .tgz a tar file in gzip encoding would have it unpacked, and no checksum would match.
        for block in response.raw.stream(BLOCK, decode_content=False):
            stream.write(block)
            stream.flush()
            bar.update(len(block))


def _validator(headers: Mapping[str, str]) -> str:
    """What tells whether the server's file is still the same, "" if nothing does; a weak ETag doesn't vouch for single bytes."""
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


def _in_short(error: Exception) -> str:
    """The kind of error and what it says, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}"

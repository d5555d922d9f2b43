"""A local web server for tests of downloads; a chain of answers per path says how it behaves."""

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest


@dataclass
class Answer:
    """What a path answers: once if another answer follows, else always."""

    body: bytes = b""
    status: int = 200
    etag: str = '"1"'
    modified: str = ""
    headers: Dict[str, str] = field(default_factory=dict)
    ranges: bool = True  # resume in the middle if asked to
    honors_if_range: bool = True  # send the whole if the file has changed
    shift: int = 0  # bytes by which a part begins elsewhere than asked
    silent_parts: bool = False  # parts lack ETag and Last-Modified
    declares_length: bool = True
    sent: Optional[int] = None  # bytes after which the connection ends; None = all
    stalls: bool = False  # wait for the server's `released` before the connection ends
    then: Optional["Answer"] = None  # what the next request gets

    @property
    def validators(self) -> Tuple[str, ...]:
        return (self.etag, self.modified)


class WebServer(ThreadingHTTPServer):
    """Serves `answers` by name; `requests` lists name and range ("": none) of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: Dict[str, Answer] = {}
        self.requests: List[Tuple[str, str]] = []
        self.released = threading.Event()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def add(self, name: str, *answers: Answer) -> str:
        """Add answers, given one after another, under a name; return its address."""
        for answer, following in pairwise(answers):
            answer.then = following
        self.answers[name] = answers[0]
        return self.url(name)


class _Handler(BaseHTTPRequestHandler):
    server: WebServer

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        asked = self.headers.get("Range", "")
        self.server.requests.append((name, asked))
        answer = self.server.answers.get(name, Answer(status=404))
        if answer.then:
            self.server.answers[name] = answer.then
        start, status = self._start(answer, asked), answer.status
        body = answer.body[start:]
        headers = {"ETag": answer.etag, "Last-Modified": answer.modified, **answer.headers}
        if status == 200 and asked and start is not None:
            status = 206 if body else 416
            length = len(answer.body)
            headers["Content-Range"] = (
                f"bytes {start}-{length - 1}/{length}" if body else f"bytes */{length}"
            )
            if answer.silent_parts:
                headers |= {"ETag": "", "Last-Modified": ""}
        if answer.declares_length:
            headers["Content-Length"] = str(len(body))
        self.send_response(status)
        for key, value in headers.items():
            if value:
                self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body[: answer.sent])
        if answer.stalls:
            self.wfile.flush()
            self.server.released.wait(60)

    def _start(self, answer: Answer, asked: str) -> Optional[int]:
        """Return where the requested part begins, or None for the whole."""
        condition = self.headers.get("If-Range")
        if (
            not asked
            or not answer.ranges
            or (answer.honors_if_range and condition and condition not in answer.validators)
        ):
            return None
        match = re.fullmatch(r"bytes=(\d+)-", asked)
        assert match, asked
        return int(match[1]) + answer.shift

    def log_message(self, *arguments: Any) -> None:
        """Log nothing; tests read `requests`."""


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """Yield a running server that is reached without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with WebServer() as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()

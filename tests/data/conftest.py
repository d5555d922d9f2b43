"""Fixtures of the data's tests."""

from typing import Iterator

import pytest
from support.published_files import Published
from support.web_server import WebServer, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A web server on this machine."""
    with serving(monkeypatch) as server:
        yield server


@pytest.fixture
def published(server: WebServer) -> Published:
    """Small stand-ins for published files, on that server."""
    return Published(server)

"""Published files: fetched, resumed, retried and checked, against faulty and missing servers."""

import errno
import fcntl
import gzip
import hashlib
import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List

import pytest
from support.web_server import Answer, WebServer
from urllib3.response import HTTPResponse

from deepnet_fairseq.data import download, transfer
from deepnet_fairseq.data.download import Downloads, RemoteFile, check_file
from deepnet_fairseq.errors import DataError

NAME = "corpus.tgz"
BODY = random.Random(3).randbytes(5000)
OTHER = random.Random(4).randbytes(6000)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """The seconds that would have been slept."""
    seconds: List[float] = []
    monkeypatch.setattr(transfer, "time", SimpleNamespace(sleep=seconds.append))
    return seconds


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def remote(*urls: str, body: bytes = BODY, name: str = NAME) -> RemoteFile:
    """The file as it was published."""
    return RemoteFile(name, urls, len(body), f"sha256:{sha256(body)}")


def unchecked(*urls: str) -> RemoteFile:
    """A file published without size and checksum."""
    return RemoteFile(NAME, urls)


def left(folder: Path) -> Dict[str, bytes]:
    """What is in the folder, except locks."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


WHOLE = {NAME: BODY, f"{NAME}.sha256": f"{sha256(BODY)}  {NAME}\n".encode()}


def test_a_file_is_fetched_checked_and_recorded(
    server: WebServer, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    url = server.add(NAME, Answer(BODY))
    downloads = Downloads(tmp_path / "new" / "folder")
    path = downloads.fetch(remote(url, "http://mirror.example/x"))
    assert path == tmp_path / "new" / "folder" / NAME
    assert left(path.parent) == WHOLE
    assert downloads.records == [
        {"name": NAME, "address": url, "size": 5000, "sha256": sha256(BODY)}
    ]
    assert f"{NAME}: 100%" in capsys.readouterr().err


def test_a_file_is_fetched_once_and_recorded_by_every_run(
    server: WebServer, tmp_path: Path
) -> None:
    file = remote(server.add(NAME, Answer(BODY)))
    first, second = Downloads(tmp_path), Downloads(tmp_path)
    assert first.fetch(file) == first.fetch(file) == second.fetch(file)
    assert server.requests == [(NAME, "")]
    assert len(first.records) == 1
    assert first.records == second.records


@pytest.mark.parametrize(
    "validators",
    [
        {},
        {"etag": "", "modified": "Mon, 01 Jan 2018 00:00:00 GMT"},
        {"etag": 'W/"1"', "modified": "Mon, 01 Jan 2018 00:00:00 GMT"},
        {"silent_parts": True},
    ],
    ids=["etag", "last-modified", "weak etag and last-modified", "etag of the whole alone"],
)
def test_a_broken_connection_is_taken_up_where_it_broke(
    server: WebServer, tmp_path: Path, pauses: List[float], validators: dict
) -> None:
    breaks = [Answer(BODY, sent=sent, **validators) for sent in (1000, 0, 500, 2500)]
    url = server.add(NAME, *breaks, Answer(BODY, **validators))
    Downloads(tmp_path).fetch(unchecked(url))
    assert left(tmp_path) == WHOLE
    assert [asked for _, asked in server.requests] == [
        "",
        "bytes=1000-",
        "bytes=1000-",
        "bytes=1500-",
        "bytes=4000-",
    ]
    assert pauses == [1.0, 2.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "asked"),
    [({"ranges": False}, "bytes=1000-"), ({"etag": ""}, ""), ({"etag": 'W/"1"'}, "")],
    ids=["ignores ranges", "no validator", "weak etag"],
)
def test_a_server_that_cannot_go_on_is_asked_for_everything_again(
    server: WebServer, tmp_path: Path, options: dict, asked: str
) -> None:
    url = server.add(NAME, Answer(BODY, sent=1000, **options), Answer(BODY, **options))
    Downloads(tmp_path).fetch(unchecked(url))
    assert left(tmp_path) == WHOLE
    assert server.requests == [(NAME, ""), (NAME, asked)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Answer(OTHER, sent=1000), {"etag": '"2"'}),
        (Answer(OTHER, sent=1000), {"etag": '"2"', "honors_if_range": False}),
        (Answer(OTHER, sent=5500), {"etag": '"2"', "honors_if_range": False}),
        (Answer(OTHER, sent=1000), {"etag": '"2"', "silent_parts": True}),
        (Answer(OTHER, sent=1000), {"shift": 7}),
        (Answer(OTHER, sent=1000), {"shift": -7}),
        (
            Answer(OTHER, sent=1000, etag="", modified="Mon"),
            {"etag": "", "modified": "Tue", "honors_if_range": False},
        ),
    ],
    ids=[
        "told so",
        "sent a part of the new one",
        "is shorter now",
        "whole without being told",
        "sent a later part",
        "sent an earlier part",
        "by date",
    ],
)
def test_parts_of_two_files_are_never_mixed(
    server: WebServer, tmp_path: Path, before: Answer, after: dict
) -> None:
    url = server.add(NAME, replace(before), Answer(BODY, **after))
    Downloads(tmp_path).fetch(unchecked(url))
    assert left(tmp_path) == WHOLE
    assert server.requests[1][1] == f"bytes={before.sent}-"


def test_another_mirror_does_not_go_on_with_the_first_ones_part(
    server: WebServer, tmp_path: Path
) -> None:
    broken = server.add("broken", Answer(OTHER[:5000], sent=1000), Answer(status=404))
    Downloads(tmp_path).fetch(remote(broken, server.add("mirror", Answer(BODY))))
    assert server.requests == [("broken", ""), ("broken", "bytes=1000-"), ("mirror", "")]
    assert left(tmp_path) == WHOLE


def test_a_mirror_of_another_size_leaves_the_firsts_part_for_the_next_run(
    server: WebServer, tmp_path: Path
) -> None:
    broken = server.add("broken", Answer(BODY, sent=1000), Answer(status=403), Answer(BODY))
    file = remote(broken, server.add("web-page", Answer(b"<html>")))
    with pytest.raises(DataError, match="web-page: has 6 bytes, but was published with 5000"):
        Downloads(tmp_path).fetch(file)
    Downloads(tmp_path).fetch(file)
    assert server.requests[-1] == ("broken", "bytes=1000-")
    assert left(tmp_path) == WHOLE


@pytest.mark.parametrize("status", transfer.RETRY_STATUS)
@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        ("", 1.0),
        ("7", 7.0),
        ("99999", 120.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 1.0),
        ("-3", 1.0),
        ("\u00b2", 1.0),
    ],
    ids=["silent", "seconds", "too long", "date", "negative", "superscript"],
)
def test_trouble_that_passes_is_waited_for(
    server: WebServer,
    tmp_path: Path,
    pauses: List[float],
    status: int,
    retry_after: str,
    pause: float,
) -> None:
    url = server.add(
        NAME, Answer(b"busy", status, headers={"Retry-After": retry_after}), Answer(BODY)
    )
    Downloads(tmp_path).fetch(remote(url))
    assert pauses == [pause]
    assert left(tmp_path) == WHOLE


def test_trouble_that_does_not_pass_is_told(
    server: WebServer, tmp_path: Path, pauses: List[float]
) -> None:
    url = server.add(NAME, Answer(status=503))
    with pytest.raises(
        DataError,
        match=rf"^{NAME}: no address gave it \({url}: status 503, 6 times in a row\); "
        ".* with --source-dir",
    ):
        Downloads(tmp_path).fetch(remote(url))
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert left(tmp_path) == {}


def test_any_progress_begins_the_count_of_tries_anew(
    server: WebServer, tmp_path: Path, pauses: List[float]
) -> None:
    url = server.add(NAME, *[Answer(BODY, sent=50) for _ in range(20)], Answer(BODY))
    Downloads(tmp_path).fetch(remote(url))
    assert left(tmp_path) == WHOLE
    assert pauses == [1.0] * 20


def test_a_server_that_only_ever_begins_anew_is_given_up(server: WebServer, tmp_path: Path) -> None:
    answers = [Answer(BODY, ranges=False, sent=sent) for sent in [500, 300, 400] * 20]
    with pytest.raises(
        DataError,
        match="the connection broke at 300 of 5000 bytes, 6 times in a row|IncompleteRead",
    ):
        Downloads(tmp_path).fetch(unchecked(server.add(NAME, *answers)))
    assert len(server.requests) == transfer.TRIES


def no_page(server: WebServer, folder: Path) -> str:
    return server.url("nowhere")


def no_server(server: WebServer, folder: Path) -> str:
    return "http://127.0.0.1:1/x"


def no_file(server: WebServer, folder: Path) -> str:
    return f"file://{folder}/nowhere"


def other_scheme(server: WebServer, folder: Path) -> str:
    return "gopher://127.0.0.1/x"


def other_size(server: WebServer, folder: Path) -> str:
    return server.add("first", Answer(OTHER))


def other_size_untold(server: WebServer, folder: Path) -> str:
    return server.add("first", Answer(OTHER, declares_length=False))


def other_content(server: WebServer, folder: Path) -> str:
    return server.add("first", Answer(OTHER[:5000]))


def cut_short(server: WebServer, folder: Path) -> str:
    return server.add("first", Answer(BODY, declares_length=False, sent=4000))


def other_file(server: WebServer, folder: Path) -> str:
    (folder / "a copy").write_bytes(OTHER)
    return f"file://{folder}/a%20copy"


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (no_page, "status 404"),
        (no_server, "Connection refused|ConnectionError"),
        (no_file, "no such file"),
        (other_scheme, "InvalidSchema"),
        (other_size, "first: has 6000 bytes, but was published with 5000"),
        (other_size_untold, f"{NAME}.partial has 6000 bytes, but {NAME} was published with 5000"),
        (
            other_content,
            f"its sha256 is {sha256(OTHER[:5000])}, but {NAME} was published with {sha256(BODY)}",
        ),
        (cut_short, f"{NAME}.partial has 4000 bytes, but {NAME} was published with 5000"),
        (other_file, f"{NAME}.partial has 6000 bytes, but {NAME} was published with 5000"),
    ],
)
def test_an_address_that_does_not_give_the_file_is_told_or_passed_over_for_a_mirror(
    server: WebServer, tmp_path: Path, first: Callable[[WebServer, Path], str], reason: str
) -> None:
    url = first(server, tmp_path)
    with pytest.raises(DataError, match=f"^{NAME}: no address gave it .*({reason})"):
        Downloads(tmp_path / "alone").fetch(remote(url))
    assert left(tmp_path / "alone") == {}
    Downloads(tmp_path / "mirrored").fetch(remote(url, server.add("mirror", Answer(BODY))))
    assert left(tmp_path / "mirrored") == WHOLE


def test_every_address_and_its_reason_is_told(server: WebServer, tmp_path: Path) -> None:
    file = remote(server.url("one"), server.add("two", Answer(OTHER)))
    with pytest.raises(
        DataError, match=r"not in \S*given; .*one: status 404 Not Found; .*two: has 6000 bytes"
    ):
        Downloads(tmp_path, tmp_path / "given").fetch(file)
    with pytest.raises(DataError, match=rf"^{NAME}: no address gave it \(none is known\)"):
        Downloads(tmp_path).fetch(unchecked())


@pytest.mark.parametrize(
    "checksum", [f"md5:{hashlib.md5(BODY).hexdigest()}", f"sha256:{sha256(BODY).upper()}", ""]
)
def test_each_kind_of_checksum_is_checked(server: WebServer, tmp_path: Path, checksum: str) -> None:
    file = RemoteFile(
        NAME,
        (server.add(NAME, Answer(OTHER)), server.add("mirror", Answer(BODY))),
        checksum=checksum,
    )
    content = Downloads(tmp_path).fetch(file).read_bytes()
    assert content == (BODY if checksum else OTHER)


def test_a_checksum_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"x: a checksum must begin with sha256: or md5:, not 'crc32:00'"
    ):
        RemoteFile("x", (), checksum="crc32:00")


def test_check_file_returns_the_sha256_and_names_what_differs(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(BODY)
    assert check_file(
        path, RemoteFile(NAME, (), checksum=f"md5:{hashlib.md5(BODY).hexdigest()}")
    ) == sha256(BODY)
    with pytest.raises(
        DataError,
        match=f"{path}: its md5 is {hashlib.md5(BODY).hexdigest()}, "
        f"but {NAME} was published with 00",
    ):
        check_file(path, RemoteFile(NAME, (), checksum="md5:00"))


def test_bytes_are_kept_as_they_come_over_the_wire(server: WebServer, tmp_path: Path) -> None:
    packed = gzip.compress(BODY)
    url = server.add(
        NAME, Answer(packed, headers={"Content-Encoding": "x-gzip"}, sent=2000), Answer(packed)
    )
    assert Downloads(tmp_path).fetch(remote(url, body=packed)).read_bytes() == packed


def test_a_redirect_is_followed(server: WebServer, tmp_path: Path) -> None:
    target = server.add("target", Answer(BODY, sent=1000), Answer(BODY))
    url = server.add(NAME, Answer(status=302, headers={"Location": target}))
    Downloads(tmp_path).fetch(remote(url))
    assert server.requests == [
        (NAME, ""),
        ("target", ""),
        (NAME, "bytes=1000-"),
        ("target", "bytes=1000-"),
    ]
    assert left(tmp_path) == WHOLE


def test_an_address_on_this_machine_is_copied(tmp_path: Path) -> None:
    source = tmp_path / "a source"
    source.write_bytes(BODY)
    Downloads(tmp_path / "downloads").fetch(remote(f"file://{tmp_path}/a%20source"))
    assert left(tmp_path / "downloads") == WHOLE
    assert source.read_bytes() == BODY


def test_a_copy_cut_short_is_not_gone_on_with_over_the_web(
    server: WebServer, tmp_path: Path
) -> None:
    """A part of the first address's file, then a part of a copy, which is not the same file."""
    url = server.add(NAME, Answer(BODY, sent=1000), Answer(status=404), Answer(BODY))
    (tmp_path / "copy").write_bytes(OTHER)
    with pytest.raises(DataError):
        Downloads(tmp_path / "downloads").fetch(remote(url, f"file://{tmp_path}/copy"))
    (tmp_path / "downloads" / f"{NAME}.partial").write_bytes(
        OTHER[:1500]
    )  # as if killed while it copied
    Downloads(tmp_path / "downloads").fetch(unchecked(url))
    assert left(tmp_path / "downloads") == WHOLE


def in_a_process(function: Callable[..., Any], *arguments: Any) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    return process


def wait_until(condition: Callable[[], Any]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_a_killed_process_is_gone_on_from(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "BLOCK", 100)
    file = remote(server.add(NAME, Answer(BODY, sent=3000, stalls=True), Answer(BODY)))
    process = in_a_process(Downloads(tmp_path).fetch, file)
    partial = tmp_path / f"{NAME}.partial"
    wait_until(lambda: partial.is_file() and partial.stat().st_size == 3000)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert sorted(left(tmp_path)) == [f"{NAME}.origin", f"{NAME}.partial"]
    Downloads(tmp_path).fetch(file)
    assert server.requests == [(NAME, ""), (NAME, "bytes=3000-")]
    assert left(tmp_path) == WHOLE


def test_a_process_killed_after_the_last_byte_is_gone_on_from(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = remote(server.add(NAME, Answer(BODY)))
    with monkeypatch.context() as patches:
        patches.setattr(download, "check_file", lambda *_: os._exit(9))
        process = in_a_process(Downloads(tmp_path).fetch, file)
        process.join()
    assert process.exitcode == 9
    assert sorted(left(tmp_path)) == [f"{NAME}.origin", f"{NAME}.partial"]
    Downloads(tmp_path).fetch(file)
    assert server.requests == [(NAME, ""), (NAME, "bytes=5000-")]
    assert left(tmp_path) == WHOLE


def test_a_broken_note_of_what_a_part_belongs_to_means_a_new_beginning(
    server: WebServer, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.partial").write_bytes(OTHER[:1000])
    (tmp_path / f"{NAME}.origin").write_text('{"url": "http')
    Downloads(tmp_path).fetch(unchecked(server.add(NAME, Answer(BODY))))
    assert server.requests == [(NAME, "")]
    assert left(tmp_path) == WHOLE


def test_two_processes_fetch_a_file_once(server: WebServer, tmp_path: Path) -> None:
    file = remote(server.add(NAME, Answer(BODY, stalls=True)))
    processes = [in_a_process(Downloads(tmp_path).fetch, file) for _ in range(2)]
    wait_until(lambda: server.requests)
    time.sleep(0.2)  # time for the other one to come to the lock
    server.released.set()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert server.requests == [(NAME, "")]
    assert left(tmp_path) == WHOLE


def test_a_file_system_without_locks_is_told_of(
    server: WebServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def flock(*_: Any) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    Downloads(tmp_path).fetch(remote(server.add(NAME, Answer(BODY))))
    assert left(tmp_path) == WHOLE
    assert f"{tmp_path}: this file system has no locks" in caplog.text


def test_a_full_disk_and_an_unusable_folder_are_told(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        DataError, match=f"file/{NAME}: .*downloads need a folder that can be written to"
    ):
        Downloads(tmp_path / "file").fetch(remote(server.url(NAME)))

    def stream(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(HTTPResponse, "stream", stream)
    with pytest.raises(DataError, match=f"{NAME}: .*No space left on device; .* with room"):
        Downloads(tmp_path / "full").fetch(remote(server.add(NAME, Answer(BODY))))


def test_a_file_fetched_by_other_means_is_used_where_it_lies(
    server: WebServer, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / NAME).write_bytes(BODY)
    downloads = Downloads(tmp_path / "downloads", given)
    assert downloads.fetch(remote(server.url(NAME))) == given / NAME
    assert downloads.records == [
        {"name": NAME, "address": server.url(NAME), "size": 5000, "sha256": sha256(BODY)}
    ]
    assert server.requests == []
    assert left(given) == {NAME: BODY}
    assert not (tmp_path / "downloads").exists()


def test_a_wrong_file_fetched_by_other_means_is_refused_and_stays(
    server: WebServer, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(OTHER)
    with pytest.raises(
        DataError, match=f"{tmp_path / NAME} has 6000 bytes, but {NAME} was published with 5000"
    ):
        Downloads(tmp_path / "downloads", tmp_path).fetch(remote(server.add(NAME, Answer(BODY))))
    assert (tmp_path / NAME).read_bytes() == OTHER
    assert server.requests == []


def test_what_was_not_fetched_by_other_means_is_downloaded(
    server: WebServer, tmp_path: Path
) -> None:
    (tmp_path / "given").mkdir()
    path = Downloads(tmp_path / "downloads", tmp_path / "given").fetch(
        remote(server.add(NAME, Answer(BODY)))
    )
    assert path == tmp_path / "downloads" / NAME
    assert left(path.parent) == WHOLE


@pytest.mark.parametrize("publish", [remote, unchecked])
def test_a_download_that_has_changed_since_is_refused(
    server: WebServer, tmp_path: Path, publish: Callable[[str], RemoteFile]
) -> None:
    file = publish(server.add(NAME, Answer(BODY)))
    path = Downloads(tmp_path).fetch(file)
    path.write_bytes(OTHER[:5000])
    with pytest.raises(
        DataError, match=f"{path}.*(published with|has changed since it was downloaded)"
    ):
        Downloads(tmp_path).fetch(file)
    assert len(server.requests) == 1


def test_a_file_put_into_the_download_folder_is_taken_if_it_is_the_published_one(
    server: WebServer, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(BODY)
    Downloads(tmp_path).fetch(remote(server.url(NAME)))
    assert left(tmp_path) == WHOLE
    with pytest.raises(DataError, match="published with 6000; remove it"):
        Downloads(tmp_path).fetch(remote(server.url(NAME), body=OTHER))


def test_several_files_are_recorded_in_the_order_asked_for(
    server: WebServer, tmp_path: Path
) -> None:
    bodies = {f"{number}.gz": BODY[number:] for number in range(9)}
    files = [
        remote(server.add(name, Answer(status=503), Answer(body)), body=body, name=name)
        for name, body in bodies.items()
    ]
    downloads = Downloads(tmp_path)
    assert downloads.fetch_all([*files, files[0]]) == [
        tmp_path / name for name in [*bodies, "0.gz"]
    ]
    assert [(record["name"], record["sha256"]) for record in downloads.records] == [
        (name, sha256(body)) for name, body in bodies.items()
    ]
    assert {name: (tmp_path / name).read_bytes() for name in bodies} == bodies


def test_one_of_several_files_that_cannot_be_had_is_named(
    server: WebServer, tmp_path: Path
) -> None:
    files = [
        remote(server.add("a.gz", Answer(BODY)), name="a.gz"),
        remote(server.url("b.gz"), name="b.gz"),
    ]
    with pytest.raises(DataError, match=r"^b\.gz: no address gave it"):
        Downloads(tmp_path).fetch_all(files)

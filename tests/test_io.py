"""Reading lines of text, and files and folders that are complete or absent."""

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import (
    atomic,
    atomic_folder,
    count_lines,
    read_lines,
    write_lines,
    write_text,
)

ROOT = Path(__file__).parents[1]


def names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.iterdir())


def test_only_newlines_end_a_line(tmp_path: Path) -> None:
    text = "one\u2028still one\x85\ntwo\r\n\nfour without newline"
    plain, packed = tmp_path / "a.txt", tmp_path / "a.txt.gz"
    plain.write_bytes(text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    expected = ["one\u2028still one\x85", "two", "", "four without newline"]
    for path in (plain, packed):
        assert list(read_lines(path)) == expected
        assert count_lines(path) == len(expected)


def test_bytes_which_are_not_utf8_are_located(tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"fine\nM\xfcnchen\n")
    with pytest.raises(DataError, match=r"latin1\.txt, line 2: not UTF-8"):
        list(read_lines(path))


@pytest.mark.parametrize(
    "content",
    [b"plain text\n", gzip.compress(b"cut short\n" * 100)[:-12]],
    ids=["not gzip", "truncated"],
)
def test_a_broken_gzip_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.gz: not a whole gzip file"):
        list(read_lines(path))


def test_an_atomic_file_appears_at_the_end_in_folders_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    with atomic(path) as partial:
        partial.write_text("text")
        assert names(path.parent) == ["file.partial"]
    assert names(path.parent) == ["file"]
    assert path.read_text() == "text"


def test_each_of_several_writers_has_a_partial_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic(path) as one, atomic(path, several_writers=True) as other:
        one.write_text("one")
        other.write_text("other")
        assert str(os.getpid()) in other.name and other.name.endswith(".partial")
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, error: type) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), atomic(path) as partial:
        partial.write_text("new, but only ha")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_an_error_before_anything_is_written_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError), atomic(tmp_path / "file"):
        raise ValueError
    assert names(tmp_path) == []


@pytest.mark.parametrize("context", ["atomic", "atomic_folder"])
def test_a_kill_leaves_a_partial_file_alone(tmp_path: Path, context: str) -> None:
    program = (
        "import os, sys; from pathlib import Path; from deepnet_fairseq import io\n"
        f"with io.{context}(Path(sys.argv[1])) as partial:\n"
        "    (partial / 'part' if partial.is_dir() else partial).write_text('half')\n"
        "    os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "result")]
    assert subprocess.run(command, cwd=ROOT).returncode == -9
    assert names(tmp_path) == ["result.partial"]


def test_an_atomic_folder_replaces_the_old_one_and_what_a_kill_left(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()
    (tmp_path / "folder.partial").mkdir()
    (tmp_path / "folder.partial" / "left").touch()
    with atomic_folder(folder) as partial:
        (partial / "new").touch()
        assert names(folder) == ["old"]
    assert names(folder) == ["new"]
    assert names(tmp_path) == ["folder"]


def test_an_error_leaves_the_old_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "folder") as partial:
        (partial / "new").touch()
        raise KeyboardInterrupt
    assert names(tmp_path / "folder") == ["old"]
    assert names(tmp_path) == ["folder"]


def test_written_lines_read_back_with_the_same_line_ends_everywhere(tmp_path: Path) -> None:
    write_lines(tmp_path / "lines", ["one\u2028still one", "", "drei ä"])
    assert (tmp_path / "lines").read_bytes() == "one\u2028still one\n\ndrei ä\n".encode()
    assert list(read_lines(tmp_path / "lines")) == ["one\u2028still one", "", "drei ä"]


@pytest.mark.parametrize("line", ["a\nb", "a\r"])
def test_a_line_break_inside_a_line_is_refused_and_leaves_the_old_file(
    tmp_path: Path, line: str
) -> None:
    write_text(tmp_path / "lines", "old\n")
    with pytest.raises(ValueError, match="lines, line 2: a line must not hold a line break"):
        write_lines(tmp_path / "lines", ["fine", line])
    assert (tmp_path / "lines").read_text() == "old\n"

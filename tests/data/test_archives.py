"""Archives: what comes out of complete ones, and what is refused of malicious and damaged ones."""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from deepnet_fairseq.data.archives import extract
from deepnet_fairseq.errors import DataError

FILES = {
    "a/one.de": b"eins\nzwei\n",
    "a/one.en": b"one\ntwo\n",
    "./b/two.de": b"drei\n" * 5000,
    "readme": b"",
    "umlaut-\u00e4": b"x",
}
PLAIN = {name.removeprefix("./"): content for name, content in FILES.items()}


@dataclass
class Odd:
    """A member that is no plain file, by tarfile's types."""

    name: str
    type: bytes
    target: str = ""


def tar_archive(path: Path, members: Any = FILES, mode: str = "w") -> Path:
    """Write a tar archive of plain files and odd members."""
    with tarfile.open(path, mode) as tar:
        for member in members.items() if isinstance(members, dict) else members:
            if isinstance(member, Odd):
                info = tarfile.TarInfo(member.name)
                info.type, info.linkname = member.type, member.target
                tar.addfile(info)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def zip_archive(path: Path, members: Any = FILES) -> Path:
    """Write a zip archive; a name of Odd is a link to its target."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for member in members.items() if isinstance(members, dict) else members:
            if isinstance(member, Odd):
                info = zipfile.ZipInfo(member.name)
                info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
                zipped.writestr(info, member.target)
            else:
                zipped.writestr(*member)
    return path


FORMATS: Dict[str, Callable[..., Path]] = {
    "zip": zip_archive,
    "tar": tar_archive,
    "tgz": lambda path, members=FILES: tar_archive(path, members, "w:gz"),
    "bz2": lambda path, members=FILES: tar_archive(path, members, "w:bz2"),
    "xz": lambda path, members=FILES: tar_archive(path, members, "w:xz"),
}


@pytest.fixture(params=FORMATS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Makes an archive of each format; its name says nothing of the format."""
    return lambda members=FILES: FORMATS[request.param](tmp_path / "archive", members)


def contents(folder: Path, paths: List[Path]) -> Dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def left(tmp_path: Path) -> List[str]:
    return sorted(path.name for path in tmp_path.iterdir())


def test_all_files_come_out_whatever_the_format(make: Callable[..., Path], tmp_path: Path) -> None:
    paths = extract(make(), tmp_path / "new" / "out")
    assert contents(tmp_path / "new" / "out", paths) == PLAIN
    assert paths == sorted(paths)
    assert left(tmp_path / "new") == ["out"]


def test_only_requested_members_come_out(make: Callable[..., Path], tmp_path: Path) -> None:
    paths = extract(make(), tmp_path / "out", ["*.de", "read[m]e"])
    assert contents(tmp_path / "out", paths) == {
        name: PLAIN[name] for name in ("a/one.de", "b/two.de", "readme")
    }
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == [
        ".extracted.json",
        "one.de",
        "readme",
        "two.de",
    ]
    assert extract(tmp_path / "archive", tmp_path / "none", []) == []


def test_no_file_gets_rights_from_the_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive", "w") as tar:
        info = tarfile.TarInfo("x")
        info.mode = 0o4777
        tar.addfile(info)
    [path] = extract(tmp_path / "archive", tmp_path / "out")
    assert path.stat().st_mode & 0o7111 == 0


def test_what_is_there_already_is_left_as_it_is(make: Callable[..., Path], tmp_path: Path) -> None:
    def state(paths: List[Path]) -> Dict[Path, Any]:
        return {path: (path.stat().st_ino, path.stat().st_ctime_ns) for path in paths}

    before = state(extract(make(), tmp_path / "out", ["*.de"]))
    assert state(extract(tmp_path / "archive", tmp_path / "out", ["*.de"])) == before


def test_another_archive_or_other_requested_members_replace_what_is_there(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    extract(make(), out, ["*.de"])
    assert contents(out, extract(tmp_path / "archive", out, ["*.en"])) == {
        "a/one.en": FILES["a/one.en"]
    }
    assert contents(out, extract(make({"c.en": b"new"}), out, ["*.en"])) == {"c.en": b"new"}
    assert left(tmp_path) == ["archive", "out"]


def test_a_broken_archive_does_not_replace_what_is_there(tmp_path: Path) -> None:
    before = extract(zip_archive(tmp_path / "whole"), tmp_path / "out")
    (tmp_path / "broken").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match="broken: cannot be unpacked: BadZipFile"):
        extract(tmp_path / "broken", tmp_path / "out")
    assert contents(tmp_path / "out", before) == PLAIN


def test_a_folder_of_someone_elses_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diary").write_text("mine")
    with pytest.raises(
        DataError, match="out was not unpacked from archive by this program; move it away"
    ):
        extract(tar_archive(tmp_path / "archive"), tmp_path / "out")
    assert (tmp_path / "out" / "diary").read_text() == "mine"
    assert left(tmp_path) == ["archive", "out"]


OUTSIDE = [
    "../evil",
    "a/../../evil",
    "a/..",
    "{tmp}/evil",
    "//evil",
    "..\\evil",
    ".extracted.json",
    "a/.extracted.json",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_member_outside_the_folder_is_refused(
    make: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    name = name.format(tmp=tmp_path)
    archive = make([("fine", b"x"), (name, b"evil")])
    with pytest.raises(
        DataError,
        match=rf"archive, member {re.escape(repr(name))}: is not a path inside the folder",
    ):
        extract(archive, tmp_path / "deep" / "out")
    assert left(tmp_path) == ["archive", "deep"]
    assert left(tmp_path / "deep") == []


@pytest.mark.parametrize(
    "member",
    [
        Odd("link", tarfile.SYMTYPE, "/etc/passwd"),
        Odd("link", tarfile.SYMTYPE, "fine"),
        Odd("link", tarfile.LNKTYPE, "/etc/passwd"),
        Odd("link", tarfile.LNKTYPE, "fine"),
        Odd("device", tarfile.CHRTYPE),
        Odd("device", tarfile.BLKTYPE),
        Odd("pipe", tarfile.FIFOTYPE),
    ],
    ids=[
        "symlink out",
        "symlink",
        "hard link out",
        "hard link",
        "character device",
        "block device",
        "pipe",
    ],
)
def test_links_and_devices_are_refused_if_they_are_requested(tmp_path: Path, member: Odd) -> None:
    archive = tar_archive(
        tmp_path / "archive", [("fine", b"x"), member, (f"{member.name}/inside", b"evil")]
    )
    with pytest.raises(DataError, match=f"archive, member {member.name}: is not a plain file"):
        extract(archive, tmp_path / "out")
    assert left(tmp_path) == ["archive"]
    assert contents(tmp_path / "out", extract(archive, tmp_path / "out", ["fine"])) == {
        "fine": b"x"
    }


def test_a_link_in_a_zip_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="archive, member link: is not a plain file"):
        extract(
            zip_archive(tmp_path / "archive", [Odd("link", tarfile.SYMTYPE, "/etc/passwd")]),
            tmp_path / "out",
        )
    assert left(tmp_path) == ["archive"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names", [["a", "a"], ["a", "./a"], ["a/b", "a"], ["a", "a/b"]], ids=" ".join
)
def test_a_member_in_the_place_of_another_is_refused(
    make: Callable[..., Path], tmp_path: Path, names: List[str]
) -> None:
    with pytest.raises(
        DataError, match="archive, member a|archive, member ./a|cannot be unpacked into"
    ):
        extract(make([(name, b"x") for name in names]), tmp_path / "out")
    assert left(tmp_path) == ["archive"]


def test_more_bytes_than_allowed_are_refused_whatever_the_archive_declares(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    archive = make({"a": b"x" * 600, "b": b"x" * 401, "c": b""})
    with pytest.raises(
        DataError, match="archive, member b: unpacked, the archive has more than 1000 bytes"
    ):
        extract(archive, tmp_path / "out", max_bytes=1000)
    assert left(tmp_path) == ["archive"]
    assert len(extract(archive, tmp_path / "out", max_bytes=1001)) == 3
    assert len(extract(archive, tmp_path / "out", ["a", "c"], max_bytes=600)) == 2


def test_a_sparse_file_is_counted_in_full(tmp_path: Path) -> None:
    """GNU tar's old form: a header that declares a gigabyte of which nothing is stored."""
    info = tarfile.TarInfo("hole")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (1 << 30, 0)
    header[483:495] = b"%011o\0" % (1 << 30)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "archive").write_bytes(bytes(header) + bytes(1024))
    with pytest.raises(
        DataError, match="archive, member hole: unpacked, the archive has more than 5000000 bytes"
    ):
        extract(tmp_path / "archive", tmp_path / "out", max_bytes=5_000_000)
    assert left(tmp_path) == ["archive"]


def test_more_members_than_allowed_are_refused_even_if_not_requested(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    archive = make({f"{number}": b"" for number in range(11)})
    with pytest.raises(DataError, match="archive has more than 10 members"):
        extract(archive, tmp_path / "out", ["0"], max_members=10)
    assert left(tmp_path) == ["archive"]
    assert len(extract(archive, tmp_path / "out", max_members=11)) == 11


def test_folders_count_as_members(tmp_path: Path) -> None:
    archive = tar_archive(
        tmp_path / "archive", [Odd(f"{number}", tarfile.DIRTYPE) for number in range(11)]
    )
    with pytest.raises(DataError, match="archive has more than 10 members"):
        extract(archive, tmp_path / "out", max_members=10)
    assert extract(archive, tmp_path / "out") == []


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_an_archive_cut_short_is_refused(
    make: Callable[..., Path], tmp_path: Path, keep: float
) -> None:
    archive = make({"a": os.urandom(30000), "b": os.urandom(30000)})
    content = archive.read_bytes()
    # a tar archive ends in thousands of zeros, of which none are needed
    end = len(content.rstrip(b"\0")) if content[257:262] == b"ustar" else len(content)
    archive.write_bytes(content[: int(end * keep)])
    with pytest.raises(
        DataError, match="archive: cannot be unpacked: .*; remove it to fetch it again"
    ):
        extract(archive, tmp_path / "out", ["a"])
    assert left(tmp_path) == ["archive"]


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"]
)
def test_a_compressed_archive_without_its_last_bytes_is_refused(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    """All members are there, but not the checksum after them."""
    tar_archive(tmp_path / "tar")
    (tmp_path / "archive").write_bytes(compress((tmp_path / "tar").read_bytes())[:-6])
    with pytest.raises(DataError, match="archive: cannot be unpacked: EOFError"):
        extract(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize("place", ["header", "text"])
def test_a_damaged_compressed_archive_is_refused(tmp_path: Path, place: str) -> None:
    tar_archive(tmp_path / "tar", {"a": b"x" * 1024, "b": b"y" * 1024})
    content = bytearray((tmp_path / "tar").read_bytes())
    packed = gzip.compress(bytes(content))
    content[{"header": 512 + 1024, "text": 600}[place]] ^= 1
    damaged = gzip.compress(bytes(content))
    (tmp_path / "archive").write_bytes(damaged[:-8] + packed[-8:])
    with pytest.raises(
        DataError,
        match=r"archive: cannot be unpacked: (BadGzipFile: CRC|ReadError: damaged: bad checksum)",
    ):
        extract(tmp_path / "archive", tmp_path / "out")
    assert left(tmp_path) == ["archive", "tar"]


def test_a_damaged_member_of_a_tar_archive_does_not_end_it_quietly(tmp_path: Path) -> None:
    content = bytearray(
        tar_archive(tmp_path / "archive", {"a": b"x", "b": b"y", "c": b"z"}).read_bytes()
    )
    content[1024] ^= 1  # the name of b
    (tmp_path / "archive").write_bytes(content)
    with tarfile.open(tmp_path / "archive") as tar:
        assert tar.getnames() == ["a"]  # what it is about
    with pytest.raises(
        DataError, match="archive: cannot be unpacked: ReadError: damaged: bad checksum"
    ):
        extract(tmp_path / "archive", tmp_path / "out")


def test_a_zip_archive_whose_text_was_changed_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive", "w") as zipped:
        zipped.writestr("a", "Frieden")
    (tmp_path / "archive").write_bytes(
        (tmp_path / "archive").read_bytes().replace(b"Frieden", b"Unfried")
    )
    with pytest.raises(DataError, match="archive: cannot be unpacked: BadZipFile: Bad CRC-32"):
        extract(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>not found</html>", gzip.compress(b"no tar"), b"PK\x05\x06"],
    ids=["0", "html", "gz", "zip"],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(DataError, match="archive: cannot be unpacked: "):
        extract(tmp_path / "archive", tmp_path / "out")
    assert left(tmp_path) == ["archive"]


def test_a_tar_archive_that_ends_in_a_zip_archive_is_a_tar_archive(tmp_path: Path) -> None:
    inner = zip_archive(tmp_path / "inner.zip").read_bytes()
    tar_archive(tmp_path / "archive", {"a": b"x", "inner.zip": inner})
    assert zipfile.is_zipfile(tmp_path / "archive")
    assert [path.name for path in extract(tmp_path / "archive", tmp_path / "out")] == [
        "a",
        "inner.zip",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    archive = tar_archive(tmp_path / "archive")

    def interrupt(tar: Any, info: Any, *args: Any, **options: Any) -> None:
        if "de" in info.name:
            extract_member(tar, info, *args, **options)
            return
        assert (tmp_path / "out.partial" / "a" / "one.de").is_file()
        raise error

    extract_member = tarfile.TarFile.extract
    monkeypatch.setattr(tarfile.TarFile, "extract", interrupt)
    with pytest.raises(error):
        extract(archive, tmp_path / "out")
    assert left(tmp_path) == ["archive"]


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "out.partial" / "a").mkdir(parents=True)
    (tmp_path / "out.partial" / "a" / "half").write_text("hal")
    paths = extract(tar_archive(tmp_path / "archive"), tmp_path / "out")
    assert contents(tmp_path / "out", paths) == PLAIN
    assert left(tmp_path) == ["archive", "out"]


def test_a_full_disk_does_not_blame_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extract", full)
    with pytest.raises(
        DataError,
        match=r"archive: cannot be unpacked into \S*out: \[Errno 28\] No space left on device$",
    ):
        extract(tar_archive(tmp_path / "archive"), tmp_path / "out")
    assert left(tmp_path) == ["archive"]


def test_a_python_whose_tarfile_has_no_filters_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DataError, match=r"archive: unpacking it needs Python 3\.10\.12, 3\.11\.4"):
        extract(tar_archive(tmp_path / "archive"), tmp_path / "out")
    assert left(tmp_path) == ["archive"]

"""How the patch series is read and applied, and that each patch is tested."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict

import fairseq_patches
import pytest
from fairseq_patches import PatchError, apply_series, fingerprint, read_series

TEXT = "one\ntwo\nthree\nfour\n"
PATCH = """\
Subject: [PATCH] {name}

Without this, {old} is a word.
---
diff --git a/{file} b/{file}
--- a/{file}
+++ b/{file}
@@ -1,4 +1,4 @@
 one
-{old}
+{new}
 three
 four
"""
NEW_FILE = """\
Subject: [PATCH] add-it

Without this, there is no second module.
---
diff --git a/added.py b/added.py
new file mode 100644
--- /dev/null
+++ b/added.py
@@ -0,0 +1 @@
+text
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source tree with one module."""
    (tmp_path / "source" / "fairseq").mkdir(parents=True)
    (tmp_path / "source" / "module.py").write_text(TEXT)
    return tmp_path / "source"


def write_series(folder: Path, **patches: str) -> Path:
    """Write patches, in their order, as a series; return its folder."""
    folder.mkdir()
    for number, (name, text) in enumerate(patches.items(), start=1):
        (folder / f"{number:04d}-{name.replace('_', '-')}.patch").write_text(text)
    return folder


def mend(file: str = "module.py", old: str = "two", new: str = "2", name: str = "mend-it") -> str:
    return PATCH.format(name=name, file=file, old=old, new=new)


@pytest.fixture(params=["git", "patch"])
def tool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The only program on the PATH that applies patches."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"no {request.param} on this machine")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / request.param).symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return request.param


def test_patches_are_applied_in_their_order(tool: str, source: Path, tmp_path: Path) -> None:
    series = write_series(
        tmp_path / "series",
        mend_it=mend(),
        mend_more=mend(name="mend-more", old="2", new="zwei"),
        add_it=NEW_FILE,
    )
    assert fairseq_patches.find_tool() == tool
    apply_series(source, series)
    assert (source / "module.py").read_text() == "one\nzwei\nthree\nfour\n"
    assert (source / "added.py").read_text() == "text\n"
    record: Dict[str, object] = {}
    exec((source / "fairseq" / "patches.py").read_text(), record)
    assert record["NAMES"] == ("mend-it", "mend-more", "add-it")
    assert record["FINGERPRINT"] == fingerprint(series)
    assert not list(source.glob("*.orig"))


@pytest.mark.parametrize(
    "patch",
    [mend(old="five"), mend(file="absent.py")],
    ids=["other-text", "no-such-file"],
)
def test_a_patch_that_does_not_fit_is_named(
    tool: str, patch: str, source: Path, tmp_path: Path
) -> None:
    series = write_series(tmp_path / "series", mend_it=patch)
    with pytest.raises(PatchError, match=r"0001-mend-it\.patch does not fit"):
        apply_series(source, series)
    assert (source / "module.py").read_text() == TEXT
    assert not (source / "fairseq" / "patches.py").exists()


def test_a_context_that_has_changed_is_no_fit(tool: str, source: Path, tmp_path: Path) -> None:
    (source / "module.py").write_text(TEXT.replace("four", "vier"))
    with pytest.raises(PatchError, match=r"0001-mend-it\.patch does not fit"):
        apply_series(source, write_series(tmp_path / "series", mend_it=mend()))


def test_an_added_file_replaces_no_other(tool: str, source: Path, tmp_path: Path) -> None:
    (source / "added.py").write_text("another text\n")
    with pytest.raises(PatchError, match=r"0001-add-it\.patch does not fit"):
        apply_series(source, write_series(tmp_path / "series", add_it=NEW_FILE))
    assert (source / "added.py").read_text() == "another text\n"


def test_a_repository_around_the_source_changes_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside a repository `git apply` takes paths from its root, and silently skips others."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))  # as in a hook
    apply_series(source, write_series(tmp_path / "series", mend_it=mend()))
    assert (source / "module.py").read_text() == "one\n2\nthree\nfour\n"


def test_without_a_program_that_applies_patches_the_error_says_what_to_install(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(PatchError, match="neither git nor patch is on the PATH.*install one"):
        apply_series(source, write_series(tmp_path / "series", mend_it=mend()))


@pytest.mark.parametrize(
    "files",
    [
        {"0001-other-name.patch": mend()},
        {"0002-mend-it.patch": mend()},
        {"0001-mend-it.patch": mend(), "0001-mend-more.patch": mend(name="mend-more")},
        {"0001-mend-it.patch": "no header"},
    ],
    ids=["subject-and-name-differ", "gap", "number-twice", "no-subject"],
)
def test_a_malformed_series_is_refused(files: Dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(PatchError, match=r"expected patch 000\d, with its name as the subject"):
        read_series(tmp_path)


def test_names_are_unique_and_every_patch_says_what_a_user_sees_without_it() -> None:
    patches = read_series()
    assert len({patch.name for patch in patches}) == len(patches) > 20
    for patch in patches:
        assert "Without" in patch.reason, patch.name
        assert patch.files, patch.name


def test_version_is_that_of_the_first_patch() -> None:
    assert f"+{fairseq_patches.VERSION}\n" in read_series()[0].path.read_text()


def test_fingerprint_is_that_of_the_patches(tmp_path: Path) -> None:
    before = fingerprint()
    assert re.fullmatch(r"[0-9a-f]{16}", before)
    assert fingerprint() == before
    shutil.copytree(fairseq_patches.FOLDER, tmp_path / "patches")
    assert fingerprint(tmp_path / "patches") == before
    os.remove(read_series(tmp_path / "patches")[-1].path)
    assert fingerprint(tmp_path / "patches") != before


def test_every_patch_has_a_test_and_every_test_a_patch() -> None:
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("test_patched_*.py"))
    tested = set(re.findall(r"mark\.patch\(\"([\w-]+)\"\)", source))
    assert tested == {patch.name for patch in read_series()}


def test_installed_fairseq_has_these_patches() -> None:
    from fairseq import patches

    assert patches.NAMES == tuple(patch.name for patch in read_series())
    assert patches.FINGERPRINT == fingerprint(), (
        "run scripts/setup.sh: the patches have changed since fairseq was installed"
    )

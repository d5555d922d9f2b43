"""The patch series that brings fairseq 0.12.2 to current Python, torch, numpy and hydra.

`patches/` holds one unified diff per defect, in the form of `git format-patch`: its subject is the
patch's name, its body says what a user sees without it. `tests/environment/test_patched_*.py` show
that each defect is gone.
"""

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

# What patches/0001-version.patch makes of fairseq's version.
VERSION = "0.12.2+deepnet.2"
FOLDER = Path(__file__).resolve().parent / "patches"
# The user's own settings must not change what git applies. `patch` gets no leeway in the context.
TOOLS: Dict[str, Sequence[str]] = {
    "git": (
        *("-c", "core.autocrlf=false", "-c", "apply.ignoreWhitespace=no"),
        *("apply", "-p1", "--whitespace=nowarn"),
    ),
    "patch": ("-p1", "--forward", "--silent", "--fuzz=0", "-i"),
}


class PatchError(RuntimeError):
    """A patch is malformed or does not fit; names the patch."""


@dataclass(frozen=True)
class Patch:
    """One file of the series."""

    # Unique; the tests and the error messages call the patch by it.
    name: str
    path: Path
    # Why it is needed, and what a user sees without it.
    reason: str
    # The patched files, below the root of fairseq's source distribution.
    files: Sequence[str]


def read_series(folder: Path = FOLDER) -> List[Patch]:
    """Return the patches in the order in which they are applied.

    Raises:
        PatchError: A file's name, subject or number does not belong into the series.
    """
    patches = []
    for number, path in enumerate(sorted(folder.glob("*.patch")), start=1):
        subject, _, body = path.read_text(encoding="utf-8").partition("\n\n")
        name = subject.removeprefix("Subject: [PATCH] ")
        if path.name != f"{number:04d}-{name}.patch":
            raise PatchError(f"{path}: expected patch {number:04d}, with its name as the subject")
        reason, _, diff = body.partition("\n---\n")
        files = re.findall(r"^\+\+\+ b/(.+)$", diff, flags=re.MULTILINE)
        patches.append(Patch(name, path, reason, tuple(files)))
    return patches


def fingerprint(folder: Path = FOLDER) -> str:
    """Return a hash of the series: equal fingerprints mean equal wheels."""
    digest = hashlib.sha256()
    for patch in read_series(folder):
        digest.update(patch.path.read_bytes())
    return digest.hexdigest()[:16]


def find_tool() -> str:
    """Return the program that applies patches: git, or patch.

    Raises:
        PatchError: Neither is on the PATH.
    """
    for tool in TOOLS:
        if shutil.which(tool):
            return tool
    raise PatchError(
        "neither git nor patch is on the PATH, and fairseq's patches need one of them; "
        "install one (Debian: apt install patch)"
    )


def apply_series(source: Path, folder: Path = FOLDER) -> None:
    """Apply the series to fairseq's unpacked source distribution, and record it there.

    The record is `fairseq/patches.py`, so that an installed fairseq can tell how it was patched.

    Raises:
        PatchError: A patch does not fit, or no program can apply it.
    """
    tool = find_tool()
    patches = read_series(folder)
    for patch in patches:
        apply(patch, source, tool)
    names = "".join(f'    "{patch.name}",\n' for patch in patches)
    text = f'FINGERPRINT = "{fingerprint(folder)}"\nNAMES = (\n{names})\n'
    record = source / "fairseq" / "patches.py"
    record.write_text(f'"""Written by scripts/build_fairseq.py."""\n\n{text}', encoding="utf-8")


def apply(patch: Patch, source: Path, tool: str) -> None:
    """Apply one patch below `source` with git or patch.

    Raises:
        PatchError: The patch does not fit; names it and holds what the program printed.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    # Inside a repository, `git apply` would take the paths to be relative to its root.
    environment["GIT_CEILING_DIRECTORIES"] = str(source.resolve().parent)
    before = [_content(source / file) for file in patch.files]
    done = subprocess.run(
        [tool, *TOOLS[tool], str(patch.path)],
        cwd=source.resolve(),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        reason = done.stdout.strip()
        raise PatchError(f"patch {patch.path.name} does not fit fairseq 0.12.2: {reason}")
    for file, old in zip(patch.files, before, strict=True):
        if _content(source / file) == old:
            raise PatchError(f"patch {patch.path.name} has not changed {file}")


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""

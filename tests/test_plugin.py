"""The door of --user-dir: which fairseq it accepts, and what it says to any other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepnet_fairseq.network.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[1]


def import_plugin(folder: Path, version_module: str) -> subprocess.CompletedProcess:
    """Import the package where `fairseq` is a package with nothing but a version module."""
    (folder / "fairseq").mkdir()
    (folder / "fairseq/__init__.py").touch()
    (folder / "fairseq/version.py").write_text(version_module)
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, "-c", "import deepnet_fairseq"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("version_module", "reason"),
    [
        ("__version__ = '0.12.2'", "fairseq 0.12.2 lacks the edits"),
        ("raise ValueError('mutable default')", "fairseq cannot be imported (mutable default)"),
    ],
    ids=["stock", "broken"],
)
def test_a_fairseq_without_the_edits_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, version_module: str, reason: str
) -> None:
    done = import_plugin(tmp_path, version_module)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {reason}")
    assert "run scripts/setup.sh" in last


def test_fairseq_finds_the_architectures_by_the_packages_name_from_any_folder(
    tmp_path: Path,
) -> None:
    code = "from fairseq import utils; from argparse import Namespace as N; utils.import_user_module(N(user_dir='deepnet_fairseq'))"
    code += "; from fairseq.models import ARCH_MODEL_REGISTRY as R; print(sum(name.startswith('deepnet_transformer') for name in R))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(ARCHITECTURES)

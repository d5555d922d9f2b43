"""What --user-dir imports: the fairseq that it accepts, and what importing it does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepnet_fairseq.network.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[1]


FIND = """
from argparse import Namespace
from fairseq import utils
from fairseq.models import ARCH_MODEL_REGISTRY

utils.import_user_module(Namespace(user_dir="deepnet_fairseq"))
print(sum(name.startswith("deepnet_transformer") for name in ARCH_MODEL_REGISTRY))
"""

# Compares every attribute of fairseq's modules and classes, by identity; registries may grow.
COMPARE = """
import inspect, signal, sys
import fairseq_cli.generate, fairseq_cli.interactive, fairseq_cli.preprocess, fairseq_cli.train
from fairseq.data import indexed_dataset
from fairseq.tasks import translation_multi_simple_epoch

def snapshot():
    holders = [m for name, m in list(sys.modules.items()) if name.split(".")[0] in PACKAGES]
    classes = [c for m in holders for c in vars(m).values() if inspect.isclass(c)]
    return {
        (repr(holder), name): value
        for holder in [*holders, *classes, indexed_dataset.MMapIndexedDataset.Index]
        for name, value in vars(holder).items()
        if (getattr(holder, "__module__", None) or holder.__name__).split(".")[0] in PACKAGES
    }

PACKAGES = ("fairseq", "fairseq_cli")
handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
before = snapshot()
import deepnet_fairseq
after = snapshot()
assert len(before) > 5000
changed = [key for key in before if after.get(key, None) is not before[key]]
print(changed or "unchanged")
now = {number: signal.getsignal(number) for number in signal.valid_signals()}
print("signals unchanged" if now == handlers else "signals changed")
"""


def run_python(code: str, folder: Path) -> str:
    """Run a program in a folder, with nothing but this project added to its path; return stdout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


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
        ("__version__ = '0.12.2'", "fairseq 0.12.2 lacks the patches"),
        ("__version__ = '0.12.2+deepnet.1'", "fairseq 0.12.2+deepnet.1 lacks the patches"),
        ("raise ValueError('mutable default')", "fairseq cannot be imported (mutable default)"),
    ],
    ids=["stock", "older", "broken"],
)
def test_a_fairseq_without_the_patches_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, version_module: str, reason: str
) -> None:
    done = import_plugin(tmp_path, version_module)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {reason}")
    assert "run deepnet-setup (or scripts/setup.sh from a clone)" in last


def test_fairseq_finds_the_architectures_by_the_packages_name_from_any_folder(
    tmp_path: Path,
) -> None:
    assert int(run_python(FIND, tmp_path)) == len(ARCHITECTURES)


def test_importing_the_package_changes_nothing_of_fairseq_and_no_signal(tmp_path: Path) -> None:
    assert run_python(COMPARE, tmp_path).splitlines() == ["unchanged", "signals unchanged"]

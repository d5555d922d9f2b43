"""scripts/setup.sh, with a stub for Python; the whole of it, for real, is slow."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List

import pytest

ROOT = Path(__file__).parents[2]

# Stands for the Python that is named and for that of the environment. Records its arguments, and
# fails if a line of $FAIL is part of them.
STUB = r"""#!/usr/bin/env bash
if [[ $1 == -c ]]; then
  [[ $2 != *platform* ]] || echo "Python 3.11.0"
  [[ $2 != *sys.exit* ]] || exit "${UNSUPPORTED:-0}"
  exit 0
fi
line=$*
line=${line//"$ROOT"\//}
printf '%s\n' "$line" >> "$RECORD"
if [[ $line == '-m venv '* ]]; then
  mkdir -p "${@: -1}/bin"
  : > "${@: -1}/pyvenv.cfg"
  cp "$0" "${@: -1}/bin/python"
fi
while read -r part; do
  [[ -z $part || $line != *"$part"* ]] || exit 1
done <<< "$FAIL"
"""
NOTHING_THERE = "current"


class Setup:
    """setup.sh in a copy of the project's scripts, run with the stub."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a project"
        shutil.copytree(
            ROOT / "scripts", self.root / "scripts", ignore=shutil.ignore_patterns("__pycache__")
        )
        self.stub = folder / "python-stub"
        self.stub.write_text(STUB)
        self.stub.chmod(0o755)
        self.record = folder / "record"
        self.venv = self.root / ".venv"

    def run(
        self, *arguments: str, fail: str = NOTHING_THERE, **variables: str
    ) -> subprocess.CompletedProcess:
        """Run setup.sh; `fail` lists, line by line, parts of the stub's calls that are to fail."""
        self.record.write_text("")
        environment = {
            **os.environ,
            "RECORD": str(self.record),
            "ROOT": str(self.root),
            "FAIL": fail,
            **variables,
        }
        command = [self.root / "scripts" / "setup.sh", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=self.root.parent
        )

    def calls(self) -> List[str]:
        """Return what the stub was called with, without the project's path."""
        return self.record.read_text().splitlines()


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """setup.sh in a folder whose name has a space."""
    return Setup(tmp_path)


BUILD = "scripts/build_fairseq.py --output build/fairseq"
FIRST_RUN = [
    f"{BUILD} --check",
    "-m venv --without-pip .venv",
    "scripts/environment.py repair",
    "-m ensurepip --upgrade --default-pip",
]
INSTALL = "scripts/install.py --build-dir build/fairseq --editable"


def without_root(setup: Setup, calls: List[str]) -> List[str]:
    """Return the calls with the project's own path left out where it stands alone."""
    return [call.replace(str(setup.root), "ROOT") for call in calls]


@pytest.mark.parametrize(
    ("flag", "package"),
    [([], "ROOT"), (["--with-tests"], "ROOT[test]")],
    ids=["plain", "with-tests"],
)
def test_first_run_takes_every_step_in_order(flag: List[str], package: str, setup: Setup) -> None:
    done = setup.run("--python", str(setup.stub), *flag)
    assert done.returncode == 0, done.stderr
    record = " ".join(["scripts/environment.py record ROOT", *flag])
    assert without_root(setup, setup.calls()) == [
        *FIRST_RUN,
        f"{INSTALL} {package}",
        "-m pip check --disable-pip-version-check",
        record,
    ]
    assert done.stdout == ""
    assert [path.name for path in setup.venv.glob(".*")] == []


def test_second_run_only_asks(setup: Setup) -> None:
    setup.run("--python", str(setup.stub))
    done = setup.run(fail="")
    assert done.returncode == 0 and "up to date" in done.stderr
    assert without_root(setup, setup.calls()) == ["scripts/environment.py current ROOT"]


@pytest.mark.parametrize(
    "step",
    [
        "--check",
        "-m venv",
        "ensurepip",
        "--editable",
        "record",
    ],
)
def test_failure_of_a_step_ends_the_run_and_the_next_run_mends_it(step: str, setup: Setup) -> None:
    done = setup.run("--python", str(setup.stub), fail=f"{NOTHING_THERE}\n{step}")
    assert done.returncode == 1
    assert step in setup.calls()[-1]
    if step == "--check":
        assert not setup.venv.exists()
    assert setup.run("--python", str(setup.stub)).returncode == 0
    assert setup.calls()[-1].startswith("scripts/environment.py record")
    if step in ("--editable", "record"):
        assert "scripts/environment.py repair" in setup.calls()


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["--venv"], ["--python", ""], ["stray"]])
def test_wrong_call_shows_the_usage_on_stderr(arguments: List[str], setup: Setup) -> None:
    done = setup.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: scripts/setup.sh" in done.stderr


def test_help_is_the_header(setup: Setup) -> None:
    done = setup.run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: scripts/setup.sh [--python PYTHON] [--venv DIR] [--with-tests]" in done.stdout
    assert "set -euo" not in done.stdout


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"UNSUPPORTED": "1"}, "not a Python of version 3.10 to 3.13"),
        ({}, "exists and is no virtual environment"),
    ],
    ids=["unsupported-python", "folder-of-something-else"],
)
def test_what_cannot_work_is_rejected_and_nothing_touched(
    variables: Dict[str, str], message: str, setup: Setup
) -> None:
    setup.venv.mkdir()
    (setup.venv / "thesis.tex").write_text("precious")
    done = setup.run("--python", str(setup.stub), **variables)
    assert done.returncode == 1 and message in done.stderr
    assert [path.name for path in setup.venv.iterdir()] == ["thesis.tex"]


def test_environment_of_another_python_is_rejected(setup: Setup) -> None:
    setup.run("--python", str(setup.stub))
    other = setup.stub.with_name("python-other")
    other.write_text(STUB.replace("3.11.0", "3.12.0"))
    other.chmod(0o755)
    done = setup.run("--python", str(other))
    assert done.returncode == 1 and "was made with Python 3.11.0, not Python 3.12.0" in done.stderr


def test_missing_compiler_is_reported_before_anything_is_made(setup: Setup) -> None:
    done = setup.run("--python", sys.executable, CXX="no-such-compiler")
    assert done.returncode == 1 and "'no-such-compiler' is not on the PATH" in done.stderr
    assert not setup.venv.exists() and not (setup.root / "build").exists()


@pytest.mark.slow
def test_empty_environment_is_filled_and_the_second_run_takes_seconds(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, setup.root)
    shutil.copytree(
        ROOT / "deepnet_fairseq",
        setup.root / "deepnet_fairseq",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    done = setup.run("--python", sys.executable)
    assert done.returncode == 0, done.stderr
    started = time.monotonic()
    assert "up to date" in setup.run().stderr
    assert time.monotonic() - started < 5
    # --help comes after --arch: argparse has looked the architecture up by then
    train = [
        "fairseq-train",
        "data",
        "--user-dir",
        "deepnet_fairseq",
        "--arch",
        "deepnet_transformer",
        "--help",
    ]
    for command in (["pip", "check"], train):
        done = subprocess.run(
            [setup.venv / "bin" / command[0], *command[1:]],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr

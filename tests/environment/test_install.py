"""scripts/install.py, the command deepnet-setup: what it builds and what it has pip install."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import build_fairseq
import environment
import fairseq_patches
import install
import pytest

PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
FORCED = ["--no-deps", "--force-reinstall"]
TORCH = "torch==2.13.0"


class Machine:
    """An environment with or without the packages, and the calls of pip and of the compiler."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.has = {"fairseq": False, "torch": False}
        self.unmet: List[str] = []
        self.calls: List[List[str]] = []
        self.built: List[Any] = []
        self.status = 0
        self.folder = folder
        self.wheel = build_fairseq.wheel_folder(folder) / "fairseq.whl"
        patch.setattr(environment, "has_fairseq", lambda: self.has["fairseq"])
        patch.setattr(environment, "has_torch", lambda: self.has["torch"])
        patch.setattr(environment, "unmet", lambda *_: self.unmet)
        patch.setattr(build_fairseq, "check_compiler", lambda: self.built.append("check"))
        patch.setattr(build_fairseq, "build", self.build)
        patch.setattr(subprocess, "run", self.run)

    def build(self, output: Path, sdist: Any) -> Path:
        """Record the build."""
        self.built.append((output, sdist))
        return self.wheel

    def run(self, command: List[str], **_: Any) -> SimpleNamespace:
        """Record a call of pip."""
        self.calls.append(command)
        return SimpleNamespace(returncode=self.status)

    def call(self, *arguments: str) -> int:
        """Run the command on this machine's build folder."""
        return install.main(["--build-dir", str(self.folder), *arguments])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_an_environment_with_neither_gets_fairseq_and_this_torch(machine: Machine) -> None:
    assert machine.call() == 0
    assert machine.built == ["check", (machine.folder, None)]
    wheel = str(machine.wheel)
    assert machine.calls == [[*PIP, *FORCED, wheel], [*PIP, wheel, TORCH]]


def test_a_torch_that_is_there_stays(machine: Machine) -> None:
    machine.has["torch"] = True
    assert machine.call() == 0
    assert machine.calls[-1] == [*PIP, str(machine.wheel)]


def test_a_wheel_that_was_built_before_is_used_again(machine: Machine) -> None:
    machine.wheel.parent.mkdir()
    machine.wheel.touch()
    assert machine.call() == 0
    assert machine.built == [] and len(machine.calls) == 2


def test_if_all_is_there_nothing_is_done(machine: Machine, capsys: pytest.CaptureFixture) -> None:
    machine.has = {"fairseq": True, "torch": True}
    assert machine.call() == 0
    assert (machine.calls, machine.built) == ([], [])
    assert f"fairseq {fairseq_patches.VERSION} is installed" in capsys.readouterr().err
    machine.unmet = ["hydra-core<1.1"]
    assert machine.call() == 0
    assert machine.calls == [[*PIP, str(machine.wheel)]]


def test_a_project_is_installed_with_fairseq_in_one_go(machine: Machine) -> None:
    machine.has = {"fairseq": True, "torch": True}
    assert machine.call("--editable", "/project[test]") == 0
    assert machine.calls == [[*PIP, str(machine.wheel), "--editable", "/project[test]"]]


def test_a_failure_is_one_line(machine: Machine, capsys: pytest.CaptureFixture) -> None:
    machine.status = 1
    assert machine.call() == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"deepnet-setup: pip could not install {machine.wheel}, see above"


def test_a_missing_compiler_is_told_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(environment, "has_fairseq", lambda: False)
    assert install.main(["--build-dir", str(tmp_path / "build")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("deepnet-setup: fairseq cannot be built: ")
    assert "'no-such-compiler' is not on the PATH" in error and not list(tmp_path.iterdir())


def test_wheels_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert install.default_build_dir() == Path("/cache/deepnet_fairseq")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert install.default_build_dir() == Path(os.path.expanduser("~/.cache/deepnet_fairseq"))

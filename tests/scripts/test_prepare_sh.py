"""scripts/prepare.sh: the shell around deepnet_fairseq.commands.prepare, tested with a stub that records its call."""

import os
import subprocess
from pathlib import Path
from typing import List

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/prepare.sh"


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """A "Python" that writes its working arguments and PYTHONPATH into a file beside itself, and exits as $STUB_STATUS says."""
    path = tmp_path / "stub python"
    path.write_text('#!/usr/bin/env bash\nprintf \'%s\\n\' "$PYTHONPATH" "$@" >"$(dirname "$0")/call"\nexit "${STUB_STATUS:-0}"\n')
    path.chmod(0o755)
    return path


def call(arguments: List[str], folder: Path, **environment: str) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([SCRIPT, *arguments], cwd=folder, env={**inherited, **environment}, capture_output=True, text=True)


@pytest.mark.parametrize("flags", [[], ["--workers", "3"]], ids=["no flags", "workers"])
def test_config_and_flags_reach_the_command(stub: Path, tmp_path: Path, flags: List[str]) -> None:
    config = tmp_path / "my config.yaml"
    config.touch()
    result = call([config.name, *flags], tmp_path, PYTHON=str(stub))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "call").read_text().splitlines() == [str(ROOT), "-m", "deepnet_fairseq.commands.prepare", config.name, *flags]


def test_the_commands_exit_status_is_the_scripts(stub: Path, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").touch()
    assert call(["c.yaml"], tmp_path, PYTHON=str(stub), STUB_STATUS="3").returncode == 3


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_the_header_on_stdout(tmp_path: Path, flag: str) -> None:
    result = call([flag], tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "usage: scripts/prepare.sh CONFIG [--workers N]" in result.stdout
    assert "set -euo" not in result.stdout and "#" not in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--workers", "2"]], ids=["nothing", "no config"])
def test_a_wrong_call_shows_the_usage_on_stderr(stub: Path, tmp_path: Path, arguments: List[str]) -> None:
    result = call(arguments, tmp_path, PYTHON=str(stub))
    assert (result.returncode, result.stdout) == (2, "")
    assert "usage: scripts/prepare.sh" in result.stderr
    assert not (tmp_path / "call").exists()


def test_a_missing_config_is_named_and_nothing_is_made(stub: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    result = call(["absent.yaml"], tmp_path, PYTHON=str(stub))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1 and "absent.yaml" in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_python_points_to_setup(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").touch()
    result = call(["c.yaml"], tmp_path, PYTHON=str(tmp_path / "none"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1 and "scripts/setup.sh" in result.stderr

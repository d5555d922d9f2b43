"""scripts/evaluate.sh: the shell around deepnet_fairseq.commands.evaluate, tested with a stub that records its call."""

import os
import subprocess
from pathlib import Path
from typing import List

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/evaluate.sh"


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """A "Python" that writes its arguments into a file beside itself, prints a line, and exits as $STUB_STATUS says."""
    path = tmp_path / "stub python"
    path.write_text('#!/usr/bin/env bash\nprintf \'%s\\n\' "$@" >"$(dirname "$0")/call"\necho table\nexit "${STUB_STATUS:-0}"\n')
    path.chmod(0o755)
    (tmp_path / "my config.yaml").touch()
    return path


def call(arguments: List[str], folder: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([SCRIPT, *arguments], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)


FLAGS = {
    "no flags": [],
    "fairseq's flags": ["--beam", "1", "--model-overrides", "{'dropout': 0.0}"],
    "ours": ["--checkpoint", "a b.pt", "--fp16"],
}


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS.keys())
def test_config_and_flags_reach_the_command_as_they_are(stub: Path, tmp_path: Path, flags: List[str]) -> None:
    result = call(["my config.yaml", *flags], tmp_path, PYTHON=str(stub))
    assert (result.returncode, result.stdout, result.stderr) == (0, "table\n", "")
    expected = ["-m", "deepnet_fairseq.commands.evaluate", "my config.yaml", *flags]
    assert (tmp_path / "call").read_text().splitlines() == expected


@pytest.mark.parametrize("status", [1, 2, 130])
def test_the_commands_exit_status_is_the_scripts(stub: Path, tmp_path: Path, status: int) -> None:
    assert call(["my config.yaml"], tmp_path, PYTHON=str(stub), STUB_STATUS=str(status)).returncode == status


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_the_header_on_stdout(tmp_path: Path, flag: str) -> None:
    result = call([flag], tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "usage: scripts/evaluate.sh CONFIG [--checkpoint FILE] [fairseq-generate flags]" in result.stdout
    assert "set -euo" not in result.stdout and "#" not in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--beam", "2"]], ids=["nothing", "no config"])
def test_a_wrong_call_shows_the_usage_on_stderr(stub: Path, tmp_path: Path, arguments: List[str]) -> None:
    result = call(arguments, tmp_path, PYTHON=str(stub))
    assert (result.returncode, result.stdout) == (2, "")
    assert "usage: scripts/evaluate.sh" in result.stderr
    assert not (tmp_path / "call").exists()


def test_a_missing_config_is_named_and_nothing_is_made(stub: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    result = call(["absent.yaml"], tmp_path, PYTHON=str(stub))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1 and "absent.yaml" in result.stderr
    assert sorted(tmp_path.iterdir()) == before

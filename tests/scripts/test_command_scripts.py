"""The shell around deepnet_fairseq.commands (prepare.sh, train.sh, …), tested with a stub that records its call."""

import os
import subprocess
from pathlib import Path
from typing import List

import pytest

ROOT = Path(__file__).parents[2]
USAGES = {
    "prepare": "usage: scripts/prepare.sh CONFIG [--workers N]",
    "train": "usage: scripts/train.sh CONFIG [options] [fairseq-train flags]",
    "evaluate": "usage: scripts/evaluate.sh CONFIG [options] [fairseq-generate flags]",
    "compare": "usage: scripts/compare.sh RUN_A RUN_B [RUN ...] [options]",
    "stability": "usage: scripts/stability.sh [STUDY] [options] [-- fairseq-train flags]",
}
CONFIG = "my config.yaml"

of_every_script = pytest.mark.parametrize("name", USAGES)
of_those_that_need_a_config = pytest.mark.parametrize(
    "name", [name for name in USAGES if name != "stability"]
)


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """A "Python" that writes PYTHONPATH and its arguments into a file beside itself, prints a line, and exits as $STUB_STATUS says."""
    path = tmp_path / "stub python"
    lines = [
        "#!/usr/bin/env bash",
        'printf "%s\\n" "$PYTHONPATH" "$@" >"$(dirname "$0")/call"',
        "echo table",
        'exit "${STUB_STATUS:-0}"',
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    (tmp_path / CONFIG).touch()
    return path


def call(
    name: str, arguments: List[str], folder: Path, **environment: str
) -> subprocess.CompletedProcess:
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    script = ROOT / "scripts" / f"{name}.sh"
    return subprocess.run(
        [script, *arguments],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
    )


FLAGS = {
    "none": [],
    "several": ["--beam", "1", "--model-overrides", "{'dropout': 0.0}", "--path", "a b.pt"],
}


@of_every_script
@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_config_and_flags_reach_the_command_as_they_are(
    name: str, stub: Path, tmp_path: Path, flags: List[str]
) -> None:
    result = call(name, [CONFIG, *flags], tmp_path, PYTHON=str(stub))
    assert (result.returncode, result.stdout, result.stderr) == (0, "table\n", "")
    assert (tmp_path / "call").read_text().splitlines() == [
        str(ROOT),
        "-m",
        f"deepnet_fairseq.commands.{name}",
        CONFIG,
        *flags,
    ]


@of_every_script
@pytest.mark.parametrize("status", [1, 2, 130])
def test_the_commands_exit_status_is_the_scripts(
    name: str, stub: Path, tmp_path: Path, status: int
) -> None:
    assert (
        call(name, [CONFIG], tmp_path, PYTHON=str(stub), STUB_STATUS=str(status)).returncode
        == status
    )


@of_every_script
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_the_header_on_stdout(name: str, tmp_path: Path, flag: str) -> None:
    result = call(name, [flag], tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert USAGES[name] in result.stdout
    assert "set -euo" not in result.stdout and "#" not in result.stdout


@of_those_that_need_a_config
@pytest.mark.parametrize("arguments", [[], ["--workers", "2"]], ids=["nothing", "no config"])
def test_a_wrong_call_shows_the_usage_on_stderr(
    name: str, stub: Path, tmp_path: Path, arguments: List[str]
) -> None:
    result = call(name, arguments, tmp_path, PYTHON=str(stub))
    assert (result.returncode, result.stdout) == (2, "")
    assert USAGES[name] in result.stderr
    assert not (tmp_path / "call").exists()


@of_those_that_need_a_config
def test_a_missing_config_is_named_and_nothing_is_made(
    name: str, stub: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    result = call(name, ["absent.yaml"], tmp_path, PYTHON=str(stub))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1 and "absent.yaml" in result.stderr
    assert sorted(tmp_path.iterdir()) == before


@of_every_script
def test_a_missing_python_points_to_setup(name: str, stub: Path, tmp_path: Path) -> None:
    result = call(name, [CONFIG], tmp_path, PYTHON=str(tmp_path / "none"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1 and "scripts/setup.sh" in result.stderr

"""The shell around the commands (prepare.sh, train.sh, …), and the help of the commands.

A stub in place of Python records its call.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from deepnet_fairseq.commands import compare, evaluate, prepare, train

ROOT = Path(__file__).parents[2]
MODULES = {
    **{n: f"deepnet_fairseq.commands.{n}" for n in ("prepare", "train", "evaluate", "compare")},
    "stability": "experiments.stability",
}
USAGES = {
    "prepare": "usage: scripts/prepare.sh CONFIG [options]",
    "train": "usage: scripts/train.sh CONFIG [options] [fairseq-train flags]",
    "evaluate": "usage: scripts/evaluate.sh CONFIG [options] [fairseq-generate flags]",
    "compare": "usage: scripts/compare.sh RUN_A RUN_B [RUN ...] [options]",
}
CONFIG = "my config.yaml"

COMMANDS = {"prepare": prepare, "train": train, "evaluate": evaluate, "compare": compare}
of_every_script = pytest.mark.parametrize("name", MODULES)
of_every_command = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """A "Python" that records PYTHONPATH and its arguments in a file beside itself.

    It prints a line and exits with $STUB_STATUS.
    """
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
        MODULES[name],
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


@of_every_command
def test_help_is_the_commands_own_on_stdout(name: str, tmp_path: Path) -> None:
    result = call(name, ["--help"], tmp_path, COLUMNS="80", PYTHON=sys.executable)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(USAGES[name] + "\n")
    parser = COMMANDS[name].make_parser()
    for action in parser._actions:
        assert action.help and (action.metavar or action.dest.replace("_", "-")) in result.stdout
    assert f"example: scripts/{name}.sh " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


@of_every_command
def test_the_scripts_header_points_to_the_help(name: str) -> None:
    header = (ROOT / f"scripts/{name}.sh").read_text().partition("set -euo")[0].splitlines()
    assert len(header) <= 4 and header[-1].endswith("--help lists the options.")


@of_every_command
@pytest.mark.parametrize("arguments", [[], ["--workers", "2"]], ids=["nothing", "no config"])
def test_a_wrong_call_shows_the_usage_on_stderr(
    name: str, arguments: List[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as stopped:
        COMMANDS[name].main(arguments)
    assert stopped.value.code == 2
    out, error = capsys.readouterr()
    assert out == "" and error.startswith(USAGES[name])


@of_every_command
def test_a_missing_config_is_named_and_nothing_is_made(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["absent.yaml", "other.yaml"] if name == "compare" else ["absent.yaml"]
    assert COMMANDS[name].main(arguments) == 1
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1
    assert error.startswith(f"{name}.sh: ") and "absent.yaml" in error
    assert list(tmp_path.iterdir()) == []


@of_every_command
def test_a_console_command_has_its_own_name_in_messages(
    name: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        COMMANDS[name].main([], prog=f"deepnet-{name}")
    error = capsys.readouterr().err
    assert error.startswith(f"usage: deepnet-{name} ") and f"\ndeepnet-{name}: error: " in error


@of_every_script
def test_a_missing_python_points_to_setup(name: str, stub: Path, tmp_path: Path) -> None:
    result = call(name, [CONFIG], tmp_path, PYTHON=str(tmp_path / "none"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1 and "scripts/setup.sh" in result.stderr

"""scripts/quickstart.sh: the four scripts in order, with stubs in their place."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import List

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
STEPS = ["setup", "prepare", "train", "evaluate"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose scripts write their names, arguments and PYTHON into `calls`.

    The script named in $FAILS fails.
    """
    folder = tmp_path / "a project/scripts"
    folder.mkdir(parents=True)
    for name in ("quickstart.sh", "common.sh"):
        shutil.copy(SCRIPTS / name, folder)
    for step in STEPS:
        stub = folder / f"{step}.sh"
        stub.write_text(
            f'#!/usr/bin/env bash\necho "{step} $* $PYTHON" >>calls\n[[ ${{FAILS:-}} != {step} ]]\n'
        )
        stub.chmod(0o755)
    return folder.parent


def call(project: Path, arguments: List[str], **environment: str) -> subprocess.CompletedProcess:
    command = [project / "scripts/quickstart.sh", *arguments]
    return subprocess.run(
        command,
        cwd="/",
        env={**os.environ, "PYTHON": "other", **environment},
        capture_output=True,
        text=True,
    )


def test_it_runs_the_four_scripts_in_order_on_its_config(project: Path) -> None:
    done = call(project, [])
    assert done.returncode == 0, done.stderr
    python, config = project / ".venv/bin/python", "configs/cldr/cldr_quickstart.yaml"
    expected = [f"setup  {python}", *(f"{step} {config} {python}" for step in STEPS[1:])]
    assert (project / "calls").read_text().splitlines() == expected
    assert "Done in 0 min" in done.stderr


@pytest.mark.parametrize("fails", STEPS)
def test_it_stops_at_the_first_step_that_fails(project: Path, fails: str) -> None:
    done = call(project, [], FAILS=fails)
    assert done.returncode == 1
    calls = [line.split()[0] for line in (project / "calls").read_text().splitlines()]
    assert calls == STEPS[: STEPS.index(fails) + 1]
    assert "Done" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["configs/other.yaml"], 2)],
    ids=["help", "wrong call"],
)
def test_help_and_wrong_calls_run_nothing(project: Path, arguments: List[str], status: int) -> None:
    done = call(project, arguments)
    assert done.returncode == status
    assert "usage: scripts/quickstart.sh" in (done.stdout if status == 0 else done.stderr)
    assert not (project / "calls").exists()

"""The wheel: what it holds, and that it works in an environment of the user's own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Set

import pytest

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
COMMANDS = ("prepare", "train", "evaluate", "compare")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from a copy of its sources."""
    folder = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("deepnet_fairseq", "scripts", "experiments", "benchmarks", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=folder, check=True, capture_output=True
    )
    [path] = folder.glob("*.whl")
    return path


def files(folder: Path, *patterns: str) -> Set[str]:
    return {
        path.relative_to(ROOT).as_posix() for pattern in patterns for path in folder.glob(pattern)
    }


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    package = ROOT / "deepnet_fairseq"
    expected = files(package, "**/*.py", "py.typed")
    expected |= files(package / "evaluation", "report/templates/*", "score/published/*.tsv")
    setup = files(ROOT / "scripts", "*.py", "patches/*.patch")
    expected |= {name.replace("scripts/", "deepnet_setup/", 1) for name in setup}
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert set(names) == expected
    for part in ("deepnet_fairseq/py.typed", "templates/style.css", "zhang2020.tsv", "0001-"):
        assert any(part in name for name in names)


def test_fairseq_is_not_among_the_requirements_and_each_has_bounds(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    requirements = Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist")
    assert requirements
    for requirement in requirements:
        assert not requirement.startswith("fairseq")
        assert ">=" in requirement and ("<" in requirement or "setuptools" in requirement)


def test_every_command_is_a_console_command(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    lines = archive.read(name).decode().split("\n")
    assert "deepnet-setup = deepnet_setup.install:main" in lines
    for command in COMMANDS:
        assert f"deepnet-{command} = deepnet_setup.entry:{command}" in lines


@pytest.fixture
def environment(tmp_path: Path, wheel: Path) -> Path:
    """A virtual environment with all packages but fairseq, and with the wheel."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    [site] = venv.glob("lib/python*/site-packages")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.lower().startswith(("fairseq", "deepnet", "__editable__")):
            (site / path.name).symlink_to(path)
    command = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps", wheel]
    subprocess.run(command, check=True, env=without_pythonpath())
    return venv


def without_pythonpath() -> dict:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def call(venv: Path, cwd: Path, command: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [venv / "bin" / command, *arguments],
        cwd=cwd,
        env=without_pythonpath(),
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_in_an_existing_environment_deepnet_setup_installs_fairseq_and_the_commands_run(
    environment: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for command in COMMANDS:
        done = call(environment, empty, f"deepnet-{command}", "small.yaml")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1 and "run deepnet-setup" in done.stderr
        assert done.stderr.startswith(f"deepnet-{command}: ")
    done = call(environment, empty, "deepnet-setup", "--build-dir", str(ROOT / "build/fairseq"))
    assert done.returncode == 0, done.stderr
    done = call(environment, empty, "deepnet-setup")
    assert done.returncode == 0 and "is installed" in done.stderr
    for command in COMMANDS:
        done = call(environment, empty, f"deepnet-{command}", "--help")
        assert done.returncode == 0 and f"usage: deepnet-{command} " in done.stdout
    (empty / "small.yaml").write_text(
        "corpus: {kind: cldr, languages: [de], train_lines: 50, dev_lines: 5, test_lines: 5}\n"
        "vocabulary: {size: 100, hard_limit: false}\n"
        "training: {arch: deepnet_transformer_tiny, max-update: 10, optimizer: adam}\n"
    )
    done = call(environment, empty, "deepnet-train", "small.yaml", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fairseq-train runs/small/data-bin --user-dir ")
    done = call(environment, empty, "deepnet-prepare", "small.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pair\ttrain\tdev\ttest\n")
    help_text = call(environment, empty, "fairseq-train", "--help")
    assert help_text.returncode == 0

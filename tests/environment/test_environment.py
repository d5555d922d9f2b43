"""scripts/environment.py: what is in a virtual environment."""

import sysconfig
from pathlib import Path

import environment
import pytest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, and a stamp that is not the environment's own."""
    (tmp_path / "setup.py").write_text("requirements")
    monkeypatch.setattr(environment, "STAMP", tmp_path / "stamp")
    return tmp_path


def test_finished_installation_is_current_until_something_changes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not environment.is_current(project, tests=False)
    environment.record(project, tests=False)
    assert environment.is_current(project, tests=False)
    assert not environment.is_current(project, tests=True)
    environment.record(project, tests=True)
    assert environment.is_current(project, tests=True) and environment.is_current(
        project, tests=False
    )
    (project / "setup.py").write_text("other requirements")
    assert not environment.is_current(project, tests=False)
    environment.record(project, tests=False)
    monkeypatch.setattr(environment.fairseq_patches, "fingerprint", lambda: "0123456789abcdef")
    assert not environment.is_current(project, tests=False)


def test_package_that_went_missing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.unmet("deepnet_fairseq", "test") == []
    version_of = environment.version_of
    monkeypatch.setattr(
        environment,
        "version_of",
        lambda name: {"antlr4-python3-runtime": "", "sacrebleu": "1.0"}.get(name, version_of(name)),
    )
    missing = environment.unmet("deepnet_fairseq", "")
    assert any(text.startswith("antlr4") for text in missing) and any(
        text.startswith("sacrebleu") for text in missing
    )
    assert environment.unmet("no-such-package", "") == ["no-such-package"]


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("", False),
        ("1.13.1", False),
        ("2.5.1+cpu", False),
        ("2.6.0", True),
        ("2.13.0+cpu", True),
        ("3.0", True),
    ],
)
def test_torch_is_kept_from_2_6_on(
    version: str, enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "version_of", lambda name: version)
    assert environment.has_torch() is enough


def test_repair_removes_half_installed_packages_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda kind: str(tmp_path))
    for package, files in {
        "whole": ["INSTALLER", "RECORD"],
        "half": ["METADATA"],
        "nearly": ["RECORD"],
    }.items():
        (tmp_path / package).mkdir()
        (tmp_path / f"{package}-1.0.dist-info").mkdir()
        for name in files:
            (tmp_path / f"{package}-1.0.dist-info" / name).touch()
    (tmp_path / "~airseq").mkdir()
    assert environment.main(["repair"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "half",
        "nearly",
        "whole",
        "whole-1.0.dist-info",
    ]


@pytest.mark.parametrize(
    "arguments", [[], ["current"], ["no-such-thing"], ["repair", "too", "many"]]
)
def test_wrong_call_shows_the_usage(arguments: list, capsys: pytest.CaptureFixture) -> None:
    assert environment.main(arguments) == 2
    assert "environment.py current PROJECT" in capsys.readouterr().err

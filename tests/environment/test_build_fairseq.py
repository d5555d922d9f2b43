"""scripts/build_fairseq.py, up to the compiler; the slow test of setup.sh runs the build."""

import sys
from pathlib import Path
from typing import Any, List

import build_fairseq
import pytest


@pytest.fixture
def no_commands(monkeypatch: pytest.MonkeyPatch) -> List[List[str]]:
    """Run no command; return the list of those that would have been run."""
    commands: List[List[str]] = []
    monkeypatch.setattr(
        build_fairseq, "run", lambda command, **options: commands.append(command) or ""
    )
    return commands


def test_missing_compiler_is_an_error_before_anything_is_done(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    no_commands: List[List[str]],
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    assert build_fairseq.main(["--output", str(tmp_path / "out")]) == 1
    assert "'no-such-compiler' is not on the PATH" in capsys.readouterr().err
    assert no_commands == []
    assert not (tmp_path / "out").exists()


def test_missing_headers_are_an_error_that_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(build_fairseq.sysconfig, "get_path", lambda name: str(tmp_path / "include"))
    monkeypatch.delenv("CPLUS_INCLUDE_PATH", raising=False)
    assert build_fairseq.main(["--output", str(tmp_path / "out"), "--check"]) == 1
    error = capsys.readouterr().err
    assert str(tmp_path / "include") in error
    assert f"python{sys.version_info.major}.{sys.version_info.minor}-dev" in error


def test_wheel_that_was_built_before_is_used_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    no_commands: List[List[str]],
) -> None:
    wheel = build_fairseq.wheel_folder(tmp_path) / "fairseq-0.12.2+deepnet.2-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    monkeypatch.setenv("CXX", "no-such-compiler")  # none is needed
    assert build_fairseq.main(["--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{wheel}\n"
    monkeypatch.setattr(build_fairseq.fairseq_patches, "fingerprint", lambda: "0123456789abcdef")
    assert build_fairseq.find_wheel(tmp_path) is None
    assert no_commands == []


def test_source_with_another_hash_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture, no_commands: List[List[str]]
) -> None:
    sdist = tmp_path / "fairseq-0.12.2.tar.gz"
    sdist.write_text("something else")
    assert build_fairseq.main(["--output", str(tmp_path / "out"), "--sdist", str(sdist)]) == 1
    error = capsys.readouterr().err
    assert str(sdist) in error and build_fairseq.SDIST_SHA256 in error
    assert not (tmp_path / "out" / build_fairseq.SDIST).exists()


def test_source_is_asked_of_pip_so_that_its_settings_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: List[List[str]] = []

    def run(command: List[str], **options: Any) -> None:
        commands.append(command)
        (Path(command[command.index("--dest") + 1]) / build_fairseq.SDIST).write_text("source")

    monkeypatch.setattr(build_fairseq, "run", run)
    monkeypatch.setattr(
        build_fairseq, "SDIST_SHA256", build_fairseq.hashlib.sha256(b"source").hexdigest()
    )
    kept = build_fairseq.fetch_sdist(tmp_path, None, tmp_path / "tools")
    assert kept.read_text() == "source"
    assert commands[0][1:4] == ["-m", "pip", "download"]
    assert not [word for word in commands[0] if "index" in word]
    assert build_fairseq.fetch_sdist(tmp_path, None, tmp_path / "tools") == kept
    assert len(commands) == 1  # the second time it is there


def test_failed_command_is_shown_with_what_it_said() -> None:
    with pytest.raises(build_fairseq.BuildError, match=r"status 3:\nthe reason"):
        build_fairseq.run([sys.executable, "-c", "import sys; print('the reason'); sys.exit(3)"])

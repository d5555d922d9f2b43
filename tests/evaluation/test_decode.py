"""Which directions are translated, which are left as they are, and what an interruption leaves. fairseq itself is a stub here."""

from pathlib import Path
from typing import Callable, List

import pytest

from deepnet_fairseq.evaluation import EvaluationError, decode
from deepnet_fairseq.evaluation.direction import Direction, both_ways
from deepnet_fairseq.evaluation.generate import Generated

DIRECTIONS = both_ways([("de", "en")], [("de", "fr")])
Setup = Callable[..., List[decode.Hypotheses]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> List[List[str]]:
    """The commands that a stub of fairseq-generate was called with; it echoes the direction's name. `interrupt` makes it stop there."""
    made: List[List[str]] = []

    def generate(command: List[str], name: str, lines: int, results: Path) -> Generated:
        if "--interrupt" in command and name == "de-fr":
            raise KeyboardInterrupt
        made.append([*command, name])
        skipped = [1] if "--skip" in command else []
        return Generated(["" if i in skipped else f"{name} {i}" for i in range(lines)], skipped)

    monkeypatch.setattr(decode, "run_generate", generate)
    return made


@pytest.fixture
def run(tmp_path: Path) -> Setup:
    """run(*flags) decodes the toy corpus with these flags."""
    for direction in DIRECTIONS:
        path = direction.sources(tmp_path / "corpus")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"one {direction.source}\ntwo\nthree\n")
    (tmp_path / "model.pt").write_bytes(b"weights")

    def decode_toy(*flags: str) -> List[decode.Hypotheses]:
        def command(direction: Direction) -> List[str]:
            return ["fairseq-generate", direction.name, *flags]

        return decode.decode_all(DIRECTIONS, command, tmp_path / "model.pt", tmp_path / "corpus", tmp_path / "hypotheses")

    return decode_toy


def names(calls: List[List[str]]) -> List[str]:
    return [call[-1] for call in calls]


def test_every_direction_gets_a_file_in_the_target_language(run: Setup, calls: List[List[str]]) -> None:
    found = run()
    assert names(calls) == ["de-en", "en-de", "de-fr", "fr-de"]
    assert [h.path.name for h in found] == ["de-en.en", "en-de.de", "de-fr.fr", "fr-de.de"]
    assert [h.direction.zero_shot for h in found] == [False, False, True, True]
    assert found[1].path.read_text() == "en-de 0\nen-de 1\nen-de 2\n"
    assert not list(found[0].path.parent.glob("*.partial"))


def test_finished_directions_are_not_translated_again(run: Setup, calls: List[List[str]]) -> None:
    first = run("--beam", "2")
    calls.clear()
    assert run("--beam", "2", "--cpu") == first
    assert calls == []


def change_checkpoint(folder: Path) -> None:
    (folder / "model.pt").write_bytes(b"more weights")


def cut_hypotheses(folder: Path) -> None:
    (folder / "hypotheses/de-en.en").write_text("de-en 0\n")


def remove_stamp(folder: Path) -> None:
    (folder / "hypotheses/de-en.json").write_text("{")


def change_source(folder: Path) -> None:
    DIRECTIONS[0].sources(folder / "corpus").write_text("one\ntwo\n3\n")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_checkpoint, ["de-en", "en-de", "de-fr", "fr-de"]),
        (cut_hypotheses, ["de-en"]),
        (remove_stamp, ["de-en"]),
        (change_source, ["de-en"]),
    ],
)
def test_what_has_changed_is_translated_again(
    tmp_path: Path, run: Setup, calls: List[List[str]], change: Callable[[Path], None], expected: List[str]
) -> None:
    run()
    calls.clear()
    change(tmp_path)
    run()
    assert names(calls) == expected


def test_other_flags_translate_again(run: Setup, calls: List[List[str]]) -> None:
    run("--beam", "2")
    calls.clear()
    run("--beam", "3")
    assert len(calls) == 4


def test_an_interrupted_run_goes_on_where_it_stood(run: Setup, calls: List[List[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("--interrupt")
    monkeypatch.setattr(decode, "run_generate", lambda c, name, n, r: calls.append([name]) or Generated([name] * n, []))
    calls.clear()
    assert len(run("--interrupt")) == 4
    assert names(calls) == ["de-fr", "fr-de"]


def test_skipped_sentences_are_reported_in_every_run(run: Setup, calls: List[List[str]], caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert [h.skipped for h in run("--skip")] == [1, 1, 1, 1]
    assert "de-en: too long for the model, left empty: line 2" in caplog.text


def test_sides_of_different_length_are_refused_before_any_work(tmp_path: Path, run: Setup, calls: List[List[str]]) -> None:
    DIRECTIONS[-1].sources(tmp_path / "corpus").write_text("one\n")
    with pytest.raises(EvaluationError, match=r"opus\.de-fr-test\.de has 3 lines, .*opus\.de-fr-test\.fr 1"):
        run()
    assert calls == []


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (150, "2 min"), (7260, "2 h 1 min")])
def test_time_left_is_readable(seconds: float, text: str) -> None:
    assert decode._duration(seconds) == text

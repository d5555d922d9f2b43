"""Stages run once, write complete folders, and own them."""

from pathlib import Path

import pytest

from deepnet_fairseq.data.stages import JOURNAL_NAME, Stage
from deepnet_fairseq.errors import DataError


def make_stage(folder: Path, content: str, inputs: dict) -> Stage:
    def build(target: Path) -> dict:
        (target / "result.txt").write_text(content, encoding="utf-8")
        return {"lines": len(content)}

    return Stage(folder, inputs, build)


def test_a_run_stage_is_finished_for_the_same_inputs_only(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "out", "abc", {"seed": 1, "pairs": [["de", "en"]]})
    assert not stage.is_finished() and not stage.is_outdated()
    stage.run()
    assert stage.is_finished() and not stage.is_outdated()
    assert stage.result() == {"lines": 3}
    # tuples and lists are the same in JSON
    assert make_stage(tmp_path / "out", "", {"seed": 1, "pairs": [("de", "en")]}).is_finished()
    assert make_stage(tmp_path / "out", "", {"seed": 2, "pairs": [["de", "en"]]}).is_outdated()


@pytest.mark.parametrize(
    "error", [DataError("no text"), KeyboardInterrupt()], ids=["error", "interrupt"]
)
def test_a_failed_stage_leaves_what_was_there_before(tmp_path: Path, error: BaseException) -> None:
    make_stage(tmp_path / "out", "old", {"seed": 1}).run()

    def fail(target: Path) -> None:
        (target / "half").touch()
        raise error

    with pytest.raises(type(error)):
        Stage(tmp_path / "out", {"seed": 2}, fail).run()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out/result.txt").read_text(encoding="utf-8") == "old"


def test_a_failed_first_stage_leaves_no_empty_folders(tmp_path: Path) -> None:
    def fail(target: Path) -> None:
        raise DataError("no text")

    with pytest.raises(DataError):
        Stage(tmp_path / "runs/small/out", {}, fail).run()
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_the_old_folder_is_moved_away_needs_no_help(tmp_path: Path) -> None:
    make_stage(tmp_path / "out", "old", {"seed": 1}).run()
    (tmp_path / "out").rename(tmp_path / "out.replaced")  # killed here
    stage = make_stage(tmp_path / "out", "new", {"seed": 2})
    assert not stage.is_finished()
    stage.run()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_killed_runs_leftovers_do_not_reach_the_result(tmp_path: Path) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial/half").touch()
    make_stage(tmp_path / "out", "new", {}).run()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "prepared.json",
        "result.txt",
    ]


def test_someone_elses_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").touch()
    with pytest.raises(DataError, match="was not made by this step"):
        make_stage(tmp_path / "out", "", {}).is_finished()


def test_a_stage_that_was_killed_before_its_last_move_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            make_stage(tmp_path / "out", "content", {"a": 1}).run()
    before = sorted(path.name for path in (tmp_path / "out.partial").iterdir())
    Stage(tmp_path / "out", {"a": 1}, lambda target: pytest.fail("made again")).run()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_finished_parts_of_an_interrupted_stage_are_kept_for_the_same_inputs_only(
    tmp_path: Path,
) -> None:
    def interrupted(target: Path) -> None:
        (target / "de-en").write_text("done")
        (target / "en-fr.partial").write_text("half")
        (target / "sub/.scratch").mkdir(parents=True)
        (target / "sub/.scratch/half").touch()
        (target / JOURNAL_NAME).write_text('["de-en", 1]\n')
        raise KeyboardInterrupt

    results = []

    def go_on(target: Path) -> None:
        results.append(sorted(path.name for path in target.iterdir() if path.name != "begun.json"))

    for seed in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            Stage(tmp_path / f"out{seed}", {"seed": seed}, interrupted).run()
        Stage(tmp_path / f"out{seed}", {"seed": 1}, go_on).run()
    assert results == [["de-en", "en-fr.partial", JOURNAL_NAME, "sub"], []]
    # neither the journal nor unfinished files reach the result
    assert sorted(path.name for path in (tmp_path / "out1").rglob("*")) == [
        "de-en",
        "prepared.json",
        "sub",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out1", "out2"]

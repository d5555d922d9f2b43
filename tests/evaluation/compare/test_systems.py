"""Every form of RUN is found with its texts, from any folder; anything else is an error."""

import shutil
from pathlib import Path
from typing import Dict, List

import pytest
from support.comparison_runs import make_run

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.systems import job_of, load_systems
from deepnet_fairseq.evaluation.report.report import read_report, write_scores


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with the runs `one` and `two`."""
    make_run(tmp_path, "one", 0.6, lines=3)
    make_run(tmp_path, "two", 0.7, lines=3)
    return tmp_path


FORMS = {
    "its folder": "two",
    "its evaluation folder": "two/evaluation",
    "its scores.json": "two/evaluation/scores.json",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_run_is_found_by_any_of_its_names(runs: Path, form: str) -> None:
    two = load_systems([runs / "one", runs / form])[1]
    assert (two.name, len(two.results), two.pivot) == ("two", 10, "en")
    assert two.path == runs / "two/evaluation/scores.json"
    assert two.hypotheses == runs / "two/evaluation/hypotheses" and two.corpus == runs / "corpus"


def test_a_folder_of_hypotheses_is_a_system_that_is_not_scored_yet(runs: Path) -> None:
    shutil.copytree(runs / "two/evaluation/hypotheses", runs / "theirs")
    theirs = load_systems([runs / "one", runs / "theirs"])[1]
    assert (theirs.name, theirs.results, theirs.hypotheses) == ("theirs", {}, runs / "theirs")


def make_relative(run: Path, start: Path) -> None:
    """Name corpus and hypotheses as evaluate.sh does if it is called in `start`."""
    report = read_report(run / "evaluation/scores.json")
    report.corpus, report.hypotheses = (
        str(Path(path).relative_to(start)) for path in (report.corpus, report.hypotheses)
    )
    write_scores(report, run / "evaluation")


@pytest.mark.parametrize("called_in", ["here", "elsewhere"])
def test_relative_folders_are_found_from_the_caller_and_from_above_the_scores(
    runs: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    called_in: str,
) -> None:
    for run in ("one", "two"):
        make_relative(runs / run, runs)
    monkeypatch.chdir(runs if called_in == "here" else tmp_path_factory.mktemp("elsewhere"))
    one, two = load_systems([runs / "one", runs / "two"])
    job = job_of(two, one, next(iter(two.results.values())))
    assert job.hypotheses.resolve() == runs / "two/evaluation/hypotheses/ar-en.en"
    assert job.references.resolve() == runs / "corpus/supervised/ar-en/opus.ar-en-test.en"


def test_a_copied_evaluation_keeps_its_own_hypotheses(runs: Path) -> None:
    shutil.copytree(runs / "two/evaluation", runs / "kept")
    assert load_systems([runs / "one", runs / "kept"])[1].hypotheses == runs / "kept/hypotheses"


# folders of runs with one name → the systems' names
ALIKE: Dict[str, tuple] = {
    "runs in different folders": (["a", "b"], ["toy (a)", "toy (b)"]),
    "folders of one name too": (
        ["a/toy", "b/toy"],
        ["toy ({}/a/toy/evaluation/scores.json)", "toy ({}/b/toy/evaluation/scores.json)"],
    ),
}


@pytest.mark.parametrize(("folders", "names"), ALIKE.values(), ids=ALIKE)
def test_runs_of_one_name_are_distinguished_by_their_folders(
    tmp_path: Path, folders: List[str], names: List[str]
) -> None:
    for folder in folders:
        (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
        make_run(tmp_path, "toy", 0.6, lines=3).rename(tmp_path / folder)
    systems = load_systems([tmp_path / folder for folder in folders])
    assert [system.name for system in systems] == [name.format(tmp_path) for name in names]


WRONG = {
    "a path that is not there": (["one", "none"], r"none: no such run"),
    "a folder with nothing to compare": (
        ["one", "corpus"],
        r"corpus holds neither scores\.json nor .* nor hypotheses",
    ),
    "hypotheses first": (
        ["two/evaluation/hypotheses", "one"],
        r"hypotheses has no scores\.json: the first must be a run",
    ),
    "a run twice": (["one", "two", "one/evaluation"], r"one/evaluation is the same as .*one"),
    "a file that is no report": (
        ["one", "corpus/supervised/ar-en/opus.ar-en-test.en"],
        r"test\.en holds no scores of this version",
    ),
}


@pytest.mark.parametrize(("paths", "message"), WRONG.values(), ids=WRONG)
def test_anything_but_a_run_is_an_error(runs: Path, paths: List[str], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        load_systems([runs / path for path in paths])


MISSING = {
    "the corpus": (
        "corpus",
        r"the corpus of .*one/evaluation/scores\.json can't be found; .*--test none",
    ),
    "the hypotheses": (
        "two/evaluation/hypotheses",
        r"the hypotheses of .*two/evaluation/scores\.json can't be found; .*--test none",
    ),
    "one file of them": ("two/evaluation/hypotheses/ar-en.en", r"hypotheses/ar-en\.en is missing"),
}


@pytest.mark.parametrize(("path", "message"), MISSING.values(), ids=MISSING)
def test_texts_that_are_missing_are_named(runs: Path, path: str, message: str) -> None:
    shutil.rmtree(runs / path) if (runs / path).is_dir() else (runs / path).unlink()
    one, two = load_systems([runs / "one", runs / "two"])
    with pytest.raises(EvaluationError, match=message):
        job_of(two, one, two.results["ar-en"])

"""compare.sh from the command line to its files, on runs and another system's hypotheses."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import List

import pytest
from support.comparison_runs import make_run

from deepnet_fairseq.commands import compare

SCRIPT = Path(__file__).parents[2] / "scripts/compare.sh"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, quality in (("post_ln", 0.5), ("deepnet", 0.8)):
        make_run(folder, name, quality, lines=30)
    shutil.copytree(folder / "deepnet/evaluation/hypotheses", folder / "theirs")
    return folder


def call(arguments: List[str], folder: Path) -> subprocess.CompletedProcess:
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHON", "PYTHONPATH")
    }
    return subprocess.run(
        [SCRIPT, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_script_compares_runs_and_plain_hypotheses_end_to_end(runs: Path) -> None:
    result = call(["post_ln", "deepnet", "theirs", "--samples", "100", "--workers", "2"], runs)
    assert result.returncode == 0, result.stderr
    assert (
        "deepnet against post_ln, BLEU: 10 wins, 0 ties, 0 losses in 10 directions; "
        "win ratio 100.0 %." in result.stdout
    )
    folder = runs / "runs/comparisons/post_ln+deepnet+theirs"
    assert sorted(path.suffix for path in folder.iterdir()) == [".html", ".json", ".md"]
    values = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    for direction in values["directions"]:
        theirs, ours = (direction["tests"]["BLEU"][name] for name in ("theirs", "deepnet"))
        assert theirs == ours
    scores = json.loads((runs / "deepnet/evaluation/scores.json").read_text(encoding="utf-8"))
    assert [d["scores"]["BLEU"]["deepnet"] for d in values["directions"]] == [
        d["scores"]["BLEU"] for d in scores["directions"]
    ]
    assert values["test_signatures"]["BLEU"].popitem()[0].startswith("nrefs:1|bs:100|seed:12345|")


def test_output_is_written_to_the_given_folder(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = [
        str(runs / "post_ln"),
        str(runs / "deepnet"),
        "--test",
        "randomisation",
        "--samples",
        "50",
        "--examples",
        "1",
    ]
    assert compare.main([*arguments, "--output", str(tmp_path / "out")]) == 0
    values = json.loads((tmp_path / "out/comparison.json").read_text(encoding="utf-8"))
    assert (values["test"], values["samples"], len(values["examples"])) == ("randomisation", 50, 1)
    assert str(tmp_path / "out/comparison.html") in capsys.readouterr().out


FAILURES = {
    "a run that is not there": (["post_ln", "absent"], "absent: no such run"),
    "a metric that the runs lack": (
        ["post_ln", "deepnet", "--metrics", "chrF"],
        "they share BLEU, chrF++",
    ),
    "the same run twice": (["post_ln", "post_ln/evaluation"], "is the same as"),
}


@pytest.mark.parametrize(("arguments", "message"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_one_line(
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    arguments: List[str],
    message: str,
) -> None:
    monkeypatch.chdir(runs)
    assert compare.main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("compare.sh: ") and message in err and err.count("\n") == 1


WRONG_CALLS = {
    "one run": (["a"], "give two runs or more"),
    "no samples": (["a", "b", "--samples", "0"], "--samples is 0; it must be at least 1"),
    "no workers": (["a", "b", "--workers", "0"], "--workers is 0; it must be at least 1"),
    "samples without a test": (
        ["a", "b", "--test", "none", "--samples", "5"],
        "--samples has no effect with --test none",
    ),
    "an unknown test": (["a", "b", "--test", "t"], "invalid choice: 't'"),
    "an unknown metric": (["a", "b", "--metrics", "METEOR"], "invalid choice: 'METEOR'"),
    "a metric twice": (
        ["a", "b", "--metrics", "BLEU", "BLEU"],
        "--metrics BLEU BLEU: give each once",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_a_wrong_call_shows_the_usage(
    capsys: pytest.CaptureFixture, arguments: List[str], message: str
) -> None:
    with pytest.raises(SystemExit) as error:
        compare.main(arguments)
    assert error.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith("usage: scripts/compare.sh") and message in shown

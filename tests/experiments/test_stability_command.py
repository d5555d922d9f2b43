"""stability.sh and its studies: their tables, CSV files and figures against each training's log."""

import csv
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import Any, Dict, Iterator, List

import pytest
import torch
from PIL import Image
from support.cldr_toy import logged, measured, run_here, write_config

from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from experiments import outcome, runs, small_batches, stability
from experiments.outcome import unigram_nll
from experiments.runs import Run, RunResult, training_command
from experiments.study import Plan

ROOT = Path(__file__).parents[2]
SCHEMES = ["deepnorm", "post-ln", "pre-ln", "sub-ln", "ds-init", "rezero", "branchnorm", "admin"]
PATIENCE = 120  # seconds


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without a GPU; logging as it was, afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with logged():
        yield


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    """Run trainings in this process, which is faster; return the names of those that ran."""
    names: List[str] = []

    def run_training(
        recipe: Recipe, run: Run, folder: Path, workers: int, extra: Any, processes: Any
    ) -> RunResult:
        folder.mkdir(parents=True, exist_ok=True)
        command = training_command(recipe, run, folder, extra)
        names.append(run.name)
        run_here(command)
        return RunResult(command, 0, 1.5, 0.25, str(folder))

    monkeypatch.setattr(runs, "run_training", run_training)
    return names


def call(config: Path, study: str, *words: Any) -> int:
    return stability.main([study, "--config", str(config), "--workers", "1", *map(str, words)])


def rows(path: Path) -> List[Dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tables(text: str) -> List[List[List[str]]]:
    """The Markdown tables in a text, as rows of cells, header first."""
    blocks = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    return [
        [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in b.splitlines()
            if "| --- |" not in line
        ]
        for b in blocks
    ]


def check_figure(path: Path) -> None:
    """A PNG that is large enough to read, has something on it, and isn't a half-written file."""
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert 600 <= image.width <= 5000 and 400 <= image.height <= 5000
        assert len(image.convert("RGB").getcolors(1 << 24)) > 10


def validation(folder: Path) -> Dict[int, float]:
    """Return validation NLL by update from a run's log."""
    actual = re.findall(
        r"valid on 'valid' subset .* nll_loss (\S+) .* num_updates (\d+)",
        (folder / "train.log").read_text(),
    )
    return {int(update): float(nll) for nll, update in actual}


def check_output(capsys: pytest.CaptureFixture, folder: Path, name: str) -> str:
    """Check that the .md file was printed and no partial file is left; return its text."""
    printed = capsys.readouterr().out
    text = (folder / f"{name}.md").read_text(encoding="utf-8")
    assert text.strip() in printed and printed.endswith(f"written: {folder}\n")
    assert not list(folder.rglob("*.partial"))
    return text


def test_updates(toy_config: Path, here: List[str], capsys: pytest.CaptureFixture) -> None:
    words = [
        "--depths",
        2,
        1,
        "--seeds",
        1,
        2,
        "--schemes",
        "post-ln",
        "deepnorm",
        "--updates",
        2,
        "--",
        "--warmup-init-lr",
        "0.01",
    ]
    assert call(toy_config, "updates", *words) == 0
    folder = load_recipe(toy_config).work_dir / "updates"
    text = check_output(capsys, folder, "model_updates")
    cases = [
        (scheme, depth, seed)
        for scheme in ("post-ln", "deepnorm")
        for depth in (1, 2)
        for seed in (1, 2)
    ]
    rows_of = {case: measured(folder / "{}_{}l_seed{}".format(*case)) for case in cases}
    assert sorted(here) == sorted("{}_{}l_seed{}".format(*case) for case in cases)
    expected = {
        (*c, u, name): v
        for c in cases
        for (u, stack, _, name), v in rows_of[c].items()
        if stack == "model"
    }
    actual = {
        (
            r["scheme"],
            int(r["layers_per_side"]),
            int(r["seed"]),
            int(r["update"]),
            r["quantity"],
        ): float(r["value"])
        for r in rows(folder / "model_updates.csv")
    }
    assert actual == expected and len(actual) == 8 * (4 + 5 + 5)
    layers = [
        row
        for row in rows(folder / "layers.csv")
        if (row["scheme"], row["layers_per_side"], row["seed"]) == ("post-ln", "2", "1")
    ]
    kept = {
        (int(r["update"]), r["stack"], int(r["layer"]), r["quantity"]): float(r["value"])
        for r in layers
    }
    assert kept == {
        key: value for key, value in rows_of["post-ln", 2, 1].items() if key[1] != "model"
    } and len(kept) == 4 * (1 + 2 * 5)

    def mean(scheme: str, depth: int, update: int) -> str:
        key = (update, "model", 0, "model_update")
        return f"{fmean(rows_of[scheme, depth, seed][key] for seed in (1, 2)):.2g}"

    by_update, by_depth = tables(text)[:2]
    for update, row in zip((1, 2), by_update[1:], strict=True):
        assert row[1:] == [
            mean(scheme, depth, update) for scheme in ("post-ln", "deepnorm") for depth in (1, 2)
        ]
    for scheme, row in zip(("post-ln", "deepnorm"), by_depth[1:], strict=True):
        assert row[1:] == [mean(scheme, depth, 2) for depth in (1, 2)]
    for name in ("model_updates.png", "layers.png"):
        check_figure(folder / name)


def test_depths(
    toy_config: Path,
    here: List[str],
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outcome, "MARGIN", -9)  # all of them learn
    words = [
        "--depths",
        1,
        2,
        "--updates",
        3,
        "--seeds",
        1,
        2,
        "--schemes",
        "deepnorm",
        "branchnorm",
        "--output",
        "elsewhere",
    ]
    assert call(toy_config, "depths", *words) == 0
    folder = Path("elsewhere")
    text = check_output(capsys, folder, "sweep")
    curves: Dict[tuple, Dict[int, float]] = {}
    for row in rows(folder / "curves.csv"):
        key = (row["scheme"], int(row["layers_per_side"]), int(row["seed"]))
        curves.setdefault(key, {})[int(row["update"])] = float(row["validation_nll"])
    assert len(curves) == len(here) == 8
    for (scheme, depth, seed), curve in curves.items():
        assert curve == validation(folder / f"{scheme}_{depth}l_seed{seed}") and list(curve) == [
            1,
            2,
            3,
        ]
    for row in rows(folder / "sweep.csv"):
        key = (row["scheme"], int(row["layers_per_side"]), int(row["seed"]))
        gap = measured(folder / "{}_{}l_seed{}".format(*key))[
            3, "model", 0, "shuffled_source_nll_gap"
        ]
        assert float(row["validation_nll"]) == curves[key][3]
        assert float(row["shuffled_source_nll_gap"]) == pytest.approx(gap, rel=6e-4)
        assert (row["outcome"], row["peak_gib"]) == ("learns", "0.25")
    table, cost = tables(text)
    for scheme, row in zip(("deepnorm", "branchnorm"), table[1:], strict=True):
        means = [
            f"{fmean(curves[scheme, depth, seed][3] for seed in (1, 2)):.2f}" for depth in (1, 2)
        ]
        assert row[1:] == [mean + "*" for mean in means]  # no new model uses the source
    assert [row[0] for row in cost[1:]] == ["1L-1L", "2L-2L"] and {row[2] for row in cost[1:]} == {
        "0.25"
    }
    for row, depth in zip(cost[1:], (1, 2), strict=True):
        logs = [
            (folder / f"{scheme}_{depth}l_seed{seed}/train.log").read_text()
            for scheme in ("deepnorm", "branchnorm")
            for seed in (1, 2)
        ]
        seconds = [
            float(wall) / 3
            for log in logs
            for wall in re.findall(r"^epoch \d+ \| loss.*train_wall (\d+)", log, re.MULTILINE)
        ]
        assert len(seconds) == 4 and row[1] == f"{fmean(seconds):.2g}"
    assert f"{unigram_nll(load_recipe(toy_config)):.2f}" in text
    check_figure(folder / "sweep.png")


def test_depths_of_every_scheme_with_one_that_fails(
    toy_config: Path,
    here: List[str],
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_training = runs.run_training

    def fail_one(recipe: Recipe, run: Run, folder: Path, *rest: Any) -> RunResult:
        if run.name != "rezero_1l_seed1":
            return run_training(recipe, run, folder, *rest)
        folder.mkdir(parents=True)
        (folder / "output.log").write_text("OSError: no space\n")
        return RunResult([], 1, 1.0, 0.1, str(folder))

    monkeypatch.setattr(runs, "run_training", fail_one)
    assert call(toy_config, "depths", "--depths", 1, "--updates", 1) == 0
    folder = load_recipe(toy_config).work_dir / "depths"
    text = check_output(capsys, folder, "sweep")
    table, _ = tables(text)
    assert [row[1] for row in table[1:]] == [
        "F" if scheme == "rezero" else "D" for scheme in SCHEMES
    ]
    assert {row["scheme"]: row["outcome"] for row in rows(folder / "sweep.csv")} == {
        scheme: "failed" if scheme == "rezero" else "diverged" for scheme in SCHEMES
    }
    assert "rezero_1l_seed1: exit status 1: OSError: no space" in text
    check_figure(folder / "sweep.png")


@pytest.mark.parametrize("study", ["depths", "small-batches", "updates", "growing"])
def test_if_all_fail_nothing_is_written_and_the_first_is_named(
    toy_config: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, study: str
) -> None:
    def fail(recipe: Recipe, run: Run, folder: Path, *rest: Any) -> RunResult:
        folder.mkdir(parents=True)
        (folder / "output.log").write_text("OSError: no space\n")
        return RunResult([], 1, 1.0, 0.1, str(folder))

    monkeypatch.setattr(runs, "run_training", fail)
    assert (
        call(
            toy_config, study, "--depths", *((1, 2) if study == "growing" else (1,)), "--updates", 3
        )
        == 1
    )
    output = capsys.readouterr()
    assert output.out == ""
    message = output.err.splitlines()[-1]
    assert (
        message.startswith("stability.sh: ")
        and str(load_recipe(toy_config).work_dir / study) in message
    )
    assert not [
        path for path in (load_recipe(toy_config).work_dir / study).iterdir() if path.is_file()
    ]


def test_growing(toy_config: Path, here: List[str], capsys: pytest.CaptureFixture) -> None:
    assert call(toy_config, "growing", "--depths", 1, 2, "--updates", 6, "--seeds", 1, 2) == 0
    folder = load_recipe(toy_config).work_dir / "growing"
    text = check_output(capsys, folder, "growing")
    expected = {
        "shallow": ("deepnorm_1l_seed{}", 1, 0, 4),
        "grown": ("deepnorm_2l_seed{}_grown", 2, 4, 4),
        "scratch": ("deepnorm_2l_seed{}", 2, 0, 6),
    }
    assert sorted(here) == sorted(
        name.format(seed) for name, *_ in expected.values() for seed in (1, 2)
    )
    curves: Dict[tuple, Dict[int, float]] = {}
    for row in rows(folder / "growing.csv"):
        assert row["scheme"] == "deepnorm"
        curves.setdefault((int(row["seed"]), row["way"]), {})[int(row["layers_times_updates"])] = (
            float(row["validation_nll"])
        )
    for (seed, way), curve in curves.items():
        name, depth, spent, updates = expected[way]
        log = validation(folder / name.format(seed))
        assert max(log) == updates
        assert curve == {spent + depth * update: nll for update, nll in log.items()}
    assert {max(curves[seed, way]) for seed in (1, 2) for way in ("grown", "scratch")} == {
        12
    }  # equal compute
    [table] = tables(text)
    for way, row in zip(("shallow", "grown", "scratch"), table[1:], strict=True):
        assert row[2:] == [f"{list(curves[seed, way].values())[-1]:.2f}" for seed in (1, 2)]
    check_figure(folder / "growing.png")


@pytest.mark.parametrize("depths", [[2], [2, 3], [1, 2, 4]], ids=str)
def test_growing_takes_two_depths_of_which_one_divides_the_other(
    toy_config: Path, here: List[str], capsys: pytest.CaptureFixture, depths: List[int]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        call(toy_config, "growing", "--depths", *depths)
    error = capsys.readouterr().err
    assert (
        error.startswith("usage: stability.sh")
        and f"--depths {' '.join(map(str, depths))}" in error
    )
    assert here == []


def test_growing_takes_further_flags_and_branchnorm_to_the_end(
    toy_config: Path, here: List[str], capsys: pytest.CaptureFixture
) -> None:
    words = [
        "--depths",
        1,
        2,
        "--updates",
        3,
        "--seeds",
        1,
        "--schemes",
        "branchnorm",
        "--",
        "--encoder-ffn-embed-dim",
        "24",
    ]
    assert call(toy_config, "growing", *words) == 0
    assert "BranchNorm" not in capsys.readouterr().out  # one scheme needs no name


def tokens_of_updates(folder: Path) -> float:
    """Return the mean tokens per update of a run, as fairseq logs it."""
    return fmean(map(float, re.findall(r"wpb=([\d.]+)", (folder / "train.log").read_text())))


def test_small_batches(
    toy_config: Path,
    here: List[str],
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outcome, "MARGIN", -9)
    assert call(toy_config, "small-batches", "--depths", 1, "--seeds", 1, "--updates", 3) == 0
    folder = load_recipe(toy_config).work_dir / "small-batches"
    text = check_output(capsys, folder, "small_batches")
    options = dataclasses.replace(small_batches.DEFAULTS, seeds=(1,))
    plan = Plan(load_recipe(toy_config), options, folder)
    variants = list(small_batches.variants(plan))
    actual = {row["variant"]: row for row in rows(folder / "small_batches.csv")}
    [table] = tables(text)
    assert list(actual) == variants and len(table) == 1 + len(variants)
    rows_of = {variant: measured(folder / f"{variant}_deepnorm_1l_seed1") for variant in variants}
    for variant, cells in zip(variants, table[1:], strict=True):
        log, row = validation(folder / f"{variant}_deepnorm_1l_seed1"), actual[variant]
        gap, spread = (
            rows_of[variant][3, "model", 0, name]
            for name in ("shuffled_source_nll_gap", "token_variance_ratio")
        )
        assert (
            float(row["validation_nll"]),
            float(row["shuffled_source_nll_gap"]),
            float(row["token_variance_ratio"]),
        ) == pytest.approx((log[3], gap, spread), rel=6e-4)
        assert cells[1:] == [
            f"{log[3]:.2f}",
            f"{gap:.2f}".replace("-0.00", "0.00"),
            f"{spread:.1g}",
            f"{gap >= outcome.MIN_GAP:d} of 1",
        ]
    curves = [
        (row["variant"], int(row["update"]), row["quantity"], float(row["value"]))
        for row in rows(folder / "curves.csv")
    ]
    assert sorted(curves) == sorted(
        (v, update, name, value)
        for v in variants
        for (update, _, _, name), value in rows_of[v].items()
    )
    check_figure(folder / "small_batches.png")
    # Each trains with other flags than the rest.
    commands = {
        " ".join(training_command(plan.recipe, run, Path()))
        for run in small_batches.plan_runs(plan)
    }
    assert len(commands) == len(variants)
    tokens = {v: tokens_of_updates(folder / f"{v}_deepnorm_1l_seed1") for v in ("base", "tokens-4")}
    assert tokens["tokens-4"] > 3 * tokens["base"]


def test_small_batches_is_only_about_deepnorm(
    toy_config: Path, here: List[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit, match="2"):
        call(toy_config, "small-batches", "--schemes", "post-ln")
    assert "--schemes post-ln: this study is only about deepnorm" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        call(toy_config, "small-batches", "--", "--optimizer=sgd")
    assert "--optimizer: this study varies Adam's settings" in capsys.readouterr().err
    assert here == []


WRONG = [
    (["nonsense"], "invalid choice: 'nonsense'"),
    (["depths", "--schemes", "post-norm"], "invalid choice: 'post-norm'"),
    (["--depths", "6", "0"], "--depths is 0; it must be at least 1"),
    (["--updates", "-2"], "--updates is -2; it must be at least 1"),
    (["--workers", "0"], "--workers is 0; it must be at least 1"),
    (["--seeds", "1", "2", "1"], "--seeds 1 1 2: give each once"),
    (["--depths", "deep"], "invalid int value: 'deep'"),
    (["updates", "--depth", "3"], "unrecognized arguments: --depth 3"),
    (["updates", "--lr", "3"], "unrecognized arguments: --lr 3"),  # fairseq-train's come after --
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_call_is_told_with_the_usage(
    capsys: pytest.CaptureFixture, words: List[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        stability.main(words)
    output = capsys.readouterr()
    assert (stopped.value.code, output.out) == (2, "")
    assert output.err.startswith("usage: stability.sh") and message in output.err.splitlines()[-1]
    assert not list(Path().iterdir())


def test_a_missing_config_is_one_line(capsys: pytest.CaptureFixture) -> None:
    assert call(Path("absent.yaml"), "depths") == 1
    error = capsys.readouterr().err
    assert error.startswith("stability.sh: ") and error.count("\n") == 1 and "absent.yaml" in error


@pytest.mark.parametrize(
    "words", [["--learning-rat", "3"], ["--lr", "three"], ["--arch", "none"]], ids=" ".join
)
def test_flags_that_fairseq_refuses_are_a_wrong_call_before_any_work(
    tmp_path: Path, here: List[str], capsys: pytest.CaptureFixture, words: List[str]
) -> None:
    config = write_config(tmp_path, tmp_path / "data")
    assert call(config, "updates", "--", *words) == 2
    error = capsys.readouterr().err
    assert error.startswith("stability.sh: ") and error.count("\n") == 1
    assert here == [] and list(tmp_path.iterdir()) == [config]


def test_data_are_prepared_if_they_are_missing(
    tmp_path: Path, here: List[str], capsys: pytest.CaptureFixture
) -> None:
    config = write_config(tmp_path, tmp_path / "data")
    words = ["depths", "--depths", "1", "--schemes", "deepnorm", "--updates", "1"]
    assert call(config, *words) == 0
    assert all(path.is_file() for path in load_recipe(config).dictionaries)
    printed = capsys.readouterr().out
    assert printed.startswith(
        (tmp_path / "run/depths/sweep.md").read_text().strip()
    )  # nothing of the preparation
    binary = load_recipe(config).data_bin / "train.de-en.de.bin"
    written = binary.stat().st_mtime_ns
    assert call(config, *words) == 0
    assert binary.stat().st_mtime_ns == written


def test_data_that_cannot_be_prepared_end_it(
    tmp_path: Path, here: List[str], capsys: pytest.CaptureFixture
) -> None:
    config = write_config(tmp_path, tmp_path / "data")
    config.write_text(config.read_text().replace("size: 79", "size: 9000"))
    assert call(config, "depths", "--depths", 1) == 1
    error = capsys.readouterr().err
    assert "vocabulary.size is 9000" in error and error.splitlines()[-1].startswith(
        f"stability.sh: {config}"
    )
    assert here == []


def test_ctrl_c_is_told_in_one_line(
    toy_config: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stability, "run_all", interrupt)
    assert call(toy_config, "depths") == 130
    error = capsys.readouterr().err
    assert error.startswith("stability.sh: interrupted") and error.count("\n") == 1


def test_every_study_is_in_the_scripts_header() -> None:
    header = (ROOT / "scripts/stability.sh").read_text().partition("set -euo")[0]
    assert [
        name for name in stability.STUDIES if not re.search(rf"^#   {name} ", header, re.MULTILINE)
    ] == []


def script(config: Path, *words: Any) -> List[str]:
    return [
        str(ROOT / "scripts/stability.sh"),
        *map(str, words[:1]),
        "--config",
        str(config),
        *map(str, words[1:]),
    ]


ENVIRONMENT = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_the_script_interrupted_and_called_again_completes(
    toy_config: Path, tmp_path: Path
) -> None:
    folder = load_recipe(toy_config).work_dir / "updates"
    words = ["updates", "--depths", 1, "--schemes", "deepnorm", "--seeds", 1, "--updates"]
    first = subprocess.Popen(
        script(toy_config, *words, 100_000),
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + PATIENCE
        while not (folder / "deepnorm_1l_seed1/stability.csv").is_file():
            assert time.monotonic() < end and first.poll() is None
            time.sleep(0.1)
        os.killpg(first.pid, signal.SIGINT)  # as Ctrl-C in a terminal
        _, error = first.communicate(timeout=PATIENCE)
    finally:
        first.kill()
    assert first.returncode == 130
    assert (
        error.splitlines()[-1].startswith("stability.sh: interrupted") and "Traceback" not in error
    )
    assert not [
        words for words in command_lines() if any(word.startswith(f"{folder}/") for word in words)
    ]
    assert not list(folder.rglob("outcome.json"))
    second = subprocess.run(
        script(toy_config, *words, 2), env=ENVIRONMENT, capture_output=True, text=True
    )
    assert second.returncode == 0, second.stderr[-2000:]
    assert (folder / "model_updates.md").read_text().strip() in second.stdout
    assert {update for update, *_ in measured(folder / "deepnorm_1l_seed1")} == {0, 1, 2}


def command_lines() -> Iterator[List[str]]:
    """Those of all processes, dead ones left out."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue


STUDY_CALLS = {
    "updates": (
        ["--depths", 1, 2, "--seeds", 1, 2, "--updates", 2],
        ["model_updates.csv", "layers.csv", "model_updates.png", "layers.png"],
    ),
    "depths": (["--depths", 1, 2, "--updates", 4], ["sweep.csv", "curves.csv", "sweep.png"]),
    "growing": (["--depths", 1, 2, "--seeds", 1, "--updates", 6], ["growing.csv", "growing.png"]),
    "small-batches": (
        ["--depths", 1, "--seeds", 1, "--updates", 2],
        ["small_batches.csv", "curves.csv", "small_batches.png"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDY_CALLS)
def test_the_script_answers_every_study(toy: Recipe, tmp_path: Path, study: str) -> None:
    words, files = STUDY_CALLS[study]
    config = write_config(tmp_path, tmp_path / "data")  # not yet prepared
    done = subprocess.run(
        script(config, study, *words), env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    folder = load_recipe(config).work_dir / study
    assert {
        path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".md"
    } == set(files)
    for name in files:
        check_figure(folder / name) if name.endswith(".png") else rows(folder / name)[0]
    [table] = folder.glob("*.md")
    assert table.read_text().strip() in done.stdout
    assert all((path / "outcome.json").is_file() for path in folder.iterdir() if path.is_dir())
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/train.log")}
    again = subprocess.run(
        script(config, study, *words), env=ENVIRONMENT, capture_output=True, text=True
    )
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert {path: path.stat().st_mtime_ns for path in before} == before

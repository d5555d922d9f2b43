"""Many short trainings, each in a process of its own, on the toy corpus."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest
from fairseq.options import get_training_parser

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.training.diagnostics.measurements import FILE_NAME
from experiments import runs
from experiments.runs import Run, RunResult, run_all, training_command

SHORT = {"max-update": 2, "stability-interval": 1}
PATIENCE = 60  # seconds; far more than it takes


def process(folder: Path) -> Dict[str, Any]:
    return json.loads((folder / "outcome.json").read_text())


def flag(command: List[str], name: str) -> Any:
    return vars(parse_flags(get_training_parser(), command[1:]))[name]


def test_a_runs_flags_override_the_configs_and_further_flags_override_both(
    toy: Recipe, tmp_path: Path
) -> None:
    run = Run("a", {"encoder-layers": 7, "label-smoothing": None, "disable-validation": True})
    command = training_command(toy, run, tmp_path / "a", ["--lr", "0.25"])
    assert command[0] == "fairseq-train"
    expected = dict(
        encoder_layers=7,
        decoder_layers=3,
        label_smoothing=0.0,
        disable_validation=True,
        lr=[0.25],
        cpu=True,
    )
    expected |= dict(
        save_dir=str(tmp_path / "a"),
        log_file=str(tmp_path / "a/train.log"),
        no_save=True,
        tensorboard_logdir=None,
    )
    assert {name: flag(command, name) for name in expected} == expected


OPTIMIZERS = [
    ["--optimizer", "sgd"],
    ["--optimizer=sgd"],
    ["--optimizer", "adam"],
    ["--optimizer=adam"],
    [],
]


@pytest.mark.parametrize("extra", OPTIMIZERS, ids=" ".join)
def test_adams_settings_are_for_adam_alone(toy: Recipe, tmp_path: Path, extra: List[str]) -> None:
    command = training_command(toy, Run("a", {"adam-eps": 1e-4}), tmp_path, extra)
    assert flag(command, "optimizer") == ("sgd" if any("sgd" in word for word in extra) else "adam")
    assert ("--adam-eps" in command) == (flag(command, "optimizer") == "adam")


BATCHES = [({}, 300, [1]), ({"update-freq": 4}, 300, [4]), ({"max-tokens": 50}, 50, [6])]


@pytest.mark.parametrize(
    ("flags", "max_tokens", "update_freq"),
    BATCHES,
    ids=["the config's", "four batches", "less at a time"],
)
def test_batches_that_a_run_sets_are_not_split_again(
    toy: Recipe, tmp_path: Path, flags: Dict[str, int], max_tokens: int, update_freq: List[int]
) -> None:
    command = training_command(toy, Run("a", flags), tmp_path)
    assert toy.tokens_per_update == 300
    assert (flag(command, "max_tokens"), flag(command, "update_freq")) == (max_tokens, update_freq)


def test_two_runs_of_one_name_are_rejected_before_any_work(toy: Recipe, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two runs have the same name"):
        run_all(toy, [Run("a", SHORT), Run("a", {})], tmp_path / "none", 1)
    assert not (tmp_path / "none").exists()


def test_results_are_kept_and_a_failed_run_is_reported_while_others_continue(
    toy: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = [
        Run("bad", {**SHORT, "encoder-embed-dim": 15}, work=9),
        Run("good", SHORT, work=1),
    ]
    results = run_all(toy, planned, tmp_path, workers=2)
    assert list(results) == ["bad", "good"]
    assert results["bad"].status == 1 and "encoder_embed_dim" in results["bad"].output
    assert (results["good"].status, results["good"].command) == (
        0,
        training_command(toy, planned[1], tmp_path / "good"),
    )
    rows = results["good"].measurements()
    assert [m.update for m in rows if m.quantity == "model_step"] == [1, 2]
    assert results["bad"].measurements() == []
    for result in results.values():  # the interpreter with torch alone is more than 0.1 GiB
        assert 0.1 < result.peak_memory < 4 and 0.5 < result.seconds < PATIENCE
    assert "num_updates 2" in results["good"].log.read_text()
    names = {path.name for path in (tmp_path / "good").iterdir()}
    assert names == {"outcome.json", "output.log", "train.log", FILE_NAME}

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("run again")

    monkeypatch.setattr(runs.subprocess, "Popen", fail)
    assert run_all(toy, planned[1:], tmp_path, workers=1) == {"good": results["good"]}
    with pytest.raises(AssertionError, match="run again"):
        run_all(toy, planned[:1], tmp_path, 1)
    with pytest.raises(AssertionError, match="run again"):
        run_all(toy, planned[1:], tmp_path, 1, ["--lr", "0.5"])


MESSAGES = {
    3: "FloatingPointError: gradients are Nan/Inf",
    4: "fairseq-train: stopped at update 30: the encoder collapsed",
}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    """Replace fairseq-train by a shell that exits with the run's --seed; return the runs called."""
    calls: List[str] = []
    popen = subprocess.Popen

    def start(words: List[str], **options: Any) -> subprocess.Popen:
        folder, status = words[words.index("--save-dir") + 1], words[words.index("--seed") + 1]
        calls.append(Path(folder).name)
        if int(status) < 0:
            return popen(["sh", "-c", f"kill {status} $$"], **options)
        message = MESSAGES.get(int(status), "ran")
        return popen(["sh", "-c", f"echo {message}; exit {status}"], **options)

    monkeypatch.setattr(runs.subprocess, "Popen", start)
    return calls


def test_a_run_is_repeated_for_another_command_or_if_it_failed(
    toy: Recipe, tmp_path: Path, program: List[str]
) -> None:
    def run(seed: int, *extra: str) -> RunResult:
        return run_all(toy, [Run("a", {"seed": seed})], tmp_path, 1, extra)["a"]

    for number, kept in enumerate((0, 3, 4), start=1):  # ended as it should, and diverged
        assert (run(kept).status, run(kept).status) == (kept, kept)
        assert len(program) == number
    assert (run(7).status, run(7).output, run(7).status) == (7, "ran\n", 7)
    assert len(program) == 6
    (tmp_path / "a" / FILE_NAME).write_text("of an earlier run")
    (tmp_path / "a" / "checkpoint_last.pt").write_text("of an earlier run")
    run(0, "--lr", "1")
    assert len(program) == 7
    assert (
        not (tmp_path / "a" / FILE_NAME).exists()
        and not (tmp_path / "a" / "checkpoint_last.pt").exists()
    )
    assert [run(-9).status, run(-9).status] == [-9, -9]
    assert len(program) == 9
    assert not list(tmp_path.rglob("*.partial"))


def test_the_longest_run_starts_first_and_results_are_in_the_callers_order(
    toy: Recipe, tmp_path: Path, program: List[str]
) -> None:
    planned = [Run(name, {"seed": 0}, work) for name, work in (("a", 1), ("b", 5), ("c", 3))]
    assert list(run_all(toy, planned, tmp_path, 1)) == ["a", "b", "c"]
    assert program == ["b", "c", "a"]


def test_a_damaged_file_of_measurements_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("update,stack,layer,quantity,value\n1,mod")
    with pytest.raises(DataError, match=f"{FILE_NAME}, line 2"):
        RunResult([], 0, 1.0, 1.0, str(tmp_path)).measurements()


CALLER = """
import signal
import sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
from pathlib import Path
from deepnet_fairseq.config.load import load_recipe
from experiments.runs import Run, run_all
sys.executable = sys.argv[3]
runs = [Run(name, {}) for name in ("a", "b", "queued")]
run_all(load_recipe(Path(sys.argv[1])), runs, Path(sys.argv[2]), 2)
"""


def children_in(folder: Path) -> List[int]:
    """Return the processes whose command line names a folder of runs."""
    numbers = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            except OSError:
                continue
            if alive and any(word.startswith(f"{folder}/") for word in words):
                numbers.append(int(entry.name))
    return numbers


def wait_until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


SIGNALS = [
    pytest.param(signal.SIGINT, id="Ctrl-C"),
    pytest.param(signal.SIGTERM, id="SIGTERM"),
    pytest.param(signal.SIGHUP, marks=pytest.mark.slow, id="SIGHUP"),
]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_leaves_no_process_and_no_result(toy: Recipe, tmp_path: Path, number: int) -> None:
    folder, stub = tmp_path / "runs", tmp_path / "stub"
    # In place of fairseq-train, with a process of its own as loaders of data are.
    stub.write_text('#!/usr/bin/env bash\n"$BASH" -c "sleep 1000; true" "$@" &\necho begun\nwait\n')
    stub.chmod(0o755)
    words = [sys.executable, "-c", CALLER, str(toy.path), str(folder), str(stub)]
    caller = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        wait_until(
            lambda: all(read(folder / name / "output.log") == "begun\n" for name in ("a", "b"))
        )
        assert len(children_in(folder)) >= 4
        os.killpg(caller.pid, number)  # as a terminal sends it, to all of the group
        _, error = caller.communicate(timeout=PATIENCE)
    finally:
        caller.kill()
    assert (
        caller.returncode == {signal.SIGINT: -2, signal.SIGTERM: 143, signal.SIGHUP: 129}[number]
    ), error
    wait_until(lambda: not children_in(folder))
    assert not list(folder.rglob("outcome.json*"))
    assert not (folder / "queued").exists()


def read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""

"""Many short trainings, each in a process of its own: real ones on the toy corpus."""

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
from experiments import trials
from experiments.trials import Outcome, Trial, command_of, run_trials

SHORT = {"max-update": 2, "stability-interval": 1}
PATIENCE = 60  # seconds; far more than it takes


def process(folder: Path) -> Dict[str, Any]:
    return json.loads((folder / "outcome.json").read_text())


def flag(command: List[str], name: str) -> Any:
    return vars(parse_flags(get_training_parser(), command[1:]))[name]


def test_the_command_is_the_configs_with_the_trials_flags_and_then_the_callers(
    toy: Recipe, tmp_path: Path
) -> None:
    trial = Trial("a", {"encoder-layers": 7, "label-smoothing": None, "disable-validation": True})
    command = command_of(toy, trial, tmp_path / "a", ["--lr", "0.25"])
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
    command = command_of(toy, Trial("a", {"adam-eps": 1e-4}), tmp_path, extra)
    assert flag(command, "optimizer") == ("sgd" if any("sgd" in word for word in extra) else "adam")
    assert ("--adam-eps" in command) == (flag(command, "optimizer") == "adam")


BATCHES = [({}, 300, [1]), ({"update-freq": 4}, 300, [4]), ({"max-tokens": 50}, 50, [6])]


@pytest.mark.parametrize(
    ("flags", "max_tokens", "update_freq"),
    BATCHES,
    ids=["the config's", "four batches", "less at a time"],
)
def test_a_trials_own_batches_are_not_shared_out_anew(
    toy: Recipe, tmp_path: Path, flags: Dict[str, int], max_tokens: int, update_freq: List[int]
) -> None:
    command = command_of(toy, Trial("a", flags), tmp_path)
    assert toy.tokens_per_update == 300
    assert (flag(command, "max_tokens"), flag(command, "update_freq")) == (max_tokens, update_freq)


def test_two_trials_of_one_name_are_refused_before_any_work(toy: Recipe, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two trials have the same name"):
        run_trials(toy, [Trial("a", SHORT), Trial("a", {})], tmp_path / "none", 1)
    assert not (tmp_path / "none").exists()


def test_outcomes_are_kept_and_a_failing_trial_is_told_while_others_go_on(
    toy: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [
        Trial("bad", {**SHORT, "encoder-embed-dim": 15}, work=9),
        Trial("good", SHORT, work=1),
    ]
    found = run_trials(toy, wanted, tmp_path, workers=2)
    assert list(found) == ["bad", "good"]
    assert found["bad"].status == 1 and "encoder_embed_dim" in found["bad"].output
    assert (found["good"].status, found["good"].command) == (
        0,
        command_of(toy, wanted[1], tmp_path / "good"),
    )
    assert [m.update for m in found["good"].measurements() if m.quantity == "model_step"] == [1, 2]
    assert found["bad"].measurements() == []
    for outcome in found.values():  # the interpreter with torch alone is more than 0.1 GiB
        assert 0.1 < outcome.peak_memory < 4 and 0.5 < outcome.seconds < PATIENCE
    assert "num_updates 2" in found["good"].log.read_text()
    names = {path.name for path in (tmp_path / "good").iterdir()}
    assert names == {"outcome.json", "output.log", "train.log", FILE_NAME}

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("run again")

    monkeypatch.setattr(trials.subprocess, "Popen", fail)
    assert run_trials(toy, wanted[1:], tmp_path, workers=1) == {"good": found["good"]}
    with pytest.raises(AssertionError, match="run again"):
        run_trials(toy, wanted[:1], tmp_path, 1)
    with pytest.raises(AssertionError, match="run again"):
        run_trials(toy, wanted[1:], tmp_path, 1, ["--lr", "0.5"])


SAID = {
    3: "FloatingPointError: gradients are Nan/Inf",
    4: "fairseq-train: stopped at update 30: the encoder collapsed",
}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    """In place of fairseq-train, a shell that appends to a file in the trial's folder and exits as the trial's --seed says."""
    calls: List[str] = []
    popen = subprocess.Popen

    def start(words: List[str], **options: Any) -> subprocess.Popen:
        folder, status = words[words.index("--save-dir") + 1], words[words.index("--seed") + 1]
        calls.append(Path(folder).name)
        if int(status) < 0:
            return popen(["sh", "-c", f"kill {status} $$"], **options)
        return popen(["sh", "-c", f"echo {SAID.get(int(status), 'ran')}; exit {status}"], **options)

    monkeypatch.setattr(trials.subprocess, "Popen", start)
    return calls


def test_a_trial_runs_again_for_another_command_or_if_its_run_failed(
    toy: Recipe, tmp_path: Path, program: List[str]
) -> None:
    def run(seed: int, *extra: str) -> Outcome:
        return run_trials(toy, [Trial("a", {"seed": seed})], tmp_path, 1, extra)["a"]

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


def test_the_longest_go_first_and_results_are_in_the_callers_order(
    toy: Recipe, tmp_path: Path, program: List[str]
) -> None:
    wanted = [Trial(name, {"seed": 0}, work) for name, work in (("a", 1), ("b", 5), ("c", 3))]
    assert list(run_trials(toy, wanted, tmp_path, 1)) == ["a", "b", "c"]
    assert program == ["b", "c", "a"]


def test_a_damaged_file_of_measurements_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("update,stack,layer,quantity,value\n1,mod")
    with pytest.raises(DataError, match=f"{FILE_NAME}, line 2"):
        Outcome([], 0, 1.0, 1.0, str(tmp_path)).measurements()


CALLER = """
import signal
import sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
from pathlib import Path
from deepnet_fairseq.config.load import load_recipe
from experiments.trials import Trial, run_trials
sys.executable = sys.argv[3]
run_trials(load_recipe(Path(sys.argv[1])), [Trial(name, {}) for name in ("a", "b", "queued")], Path(sys.argv[2]), 2)
"""


def children_in(folder: Path) -> List[int]:
    """The processes whose command line names the folder's trials."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            except OSError:
                continue
            if alive and any(word.startswith(f"{folder}/") for word in words):
                found.append(int(entry.name))
    return found


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
def test_a_signal_leaves_no_process_behind_and_no_outcome(
    toy: Recipe, tmp_path: Path, number: int
) -> None:
    folder, stub = tmp_path / "trials", tmp_path / "stub"
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

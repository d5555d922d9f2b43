"""COMET: one run of the user's comet-score for all test sets, no download, no crash of the rest."""

import hashlib
from pathlib import Path
from statistics import fmean

import pytest
from support.comet_stub import calls_of, install_stub, overlap, write_program
from support.odd_text import HYPOTHESES, REFERENCES, write_job

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score.comet import CometFailure, CometProgram, find_comet
from deepnet_fairseq.evaluation.score.metrics import Comet


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "wmt22-comet-da" / "checkpoints" / "model.ckpt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    stub = install_stub(tmp_path / "bin")
    monkeypatch.setenv("COMET_SCORE", str(stub))
    return stub


def test_all_test_sets_are_scored_with_one_load_of_the_model(
    tmp_path: Path, stub: Path, checkpoint: Path
) -> None:
    jobs = {
        "en-de": write_job(tmp_path / "one", "de"),
        "de-en": write_job(tmp_path / "two", "en", HYPOTHESES[:5], REFERENCES[:5]),
        "en-zh": write_job(tmp_path / "three", "zh", REFERENCES[3:4], REFERENCES[3:4]),
    }
    comet = Comet("COMET", str(checkpoint))
    results = comet.score_all((name, job.read()) for name, job in jobs.items())
    assert comet.missing("de") == "" and list(results) == list(jobs)
    lines = [overlap(*pair) for pair in zip(HYPOTHESES, REFERENCES, strict=True)]
    assert [results[name].value for name in jobs] == pytest.approx(
        [100 * fmean(lines), 100 * fmean(lines[:5]), 100], abs=1e-9
    )
    (call,) = calls_of(stub)
    assert call[call.index("--model") + 1] == str(checkpoint)
    assert call[call.index("--gpus") + 1] == "1"
    digest = hashlib.sha256(b"weights").hexdigest()[:12]
    assert {score.signature for score in results.values()} == {
        f"model:wmt22-comet-da|sha256:{digest}|scale:100|version:2.2.7"
    }


def test_a_carriage_return_within_a_sentence_moves_no_line(
    tmp_path: Path, stub: Path, checkpoint: Path
) -> None:
    jobs = {
        "a": write_job(tmp_path / "a", "de", ["one\rtwo", "three"], ["one\rtwo", "three"]),
        "b": write_job(tmp_path / "b", "de"),
    }
    program, _ = find_comet(str(checkpoint))
    assert program.score((name, job.read()) for name, job in jobs.items())["a"] == 100


def test_a_model_of_the_hubs_cache_is_named_as_the_hub_names_it(tmp_path: Path, stub: Path) -> None:
    checkpoint = (
        tmp_path
        / "models--Unbabel--XCOMET-XL"
        / "snapshots"
        / "6a123c5e8e6d"
        / "checkpoints"
        / "model.ckpt"
    )
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"")
    assert (
        CometProgram(str(stub), checkpoint)
        .signature()
        .startswith("model:XCOMET-XL|sha256:e3b0c44298fc|")
    )


def test_an_unknown_version_is_said_to_be_unknown(tmp_path: Path, checkpoint: Path) -> None:
    assert (
        CometProgram(str(tmp_path / "nowhere" / "comet-score"), checkpoint)
        .signature()
        .endswith("|version:unknown")
    )


def test_without_the_program_comet_is_left_out(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMET_SCORE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    comet, line = find_comet(str(checkpoint))
    assert comet is None
    assert line.startswith(
        "needs the program comet-score; install unbabel-comet in an environment of its own "
        "and set COMET_SCORE"
    )


def test_without_a_checkpoint_comet_is_left_out_and_nothing_is_run(stub: Path) -> None:
    comet, line = find_comet("")
    assert comet is None
    assert (
        line.startswith("needs a local checkpoint; run once by hand, with network: comet-score -s")
        and "\n" not in line
    )
    assert calls_of(stub) == []


def test_the_program_is_found_on_the_path(
    stub: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMET_SCORE")
    monkeypatch.setenv("PATH", str(stub.parent))
    assert find_comet(str(checkpoint)) == (CometProgram(str(stub), checkpoint), "")


@pytest.mark.parametrize("name", ["Unbabel/wmt22-comet-da", "missing.ckpt", "weights.bin"])
def test_a_named_checkpoint_that_would_be_looked_for_on_the_hub_is_an_error(
    name: str, stub: Path, tmp_path: Path
) -> None:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    with pytest.raises(
        EvaluationError, match=rf"comet_model is .*{name}, which is not a \.ckpt file"
    ):
        find_comet(str(tmp_path / name))
    assert calls_of(stub) == []


def test_a_named_program_that_is_none_is_an_error(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMET_SCORE", "/nowhere/comet-score")
    with pytest.raises(
        EvaluationError, match="COMET_SCORE is /nowhere/comet-score, which is not a program"
    ):
        find_comet(str(checkpoint))


TRACEBACK = (
    'echo "Traceback:\n  File x\ntorch.OutOfMemoryError: CUDA out of memory\n  see the manual" '
    ">&2; exit 1"
)
WRITES = 'while [ "$1" != --to_json ]; do shift; done; printf "%s" \'{}\' > "$2"'
NAN = '{"h": [' + ", ".join(['{"COMET": NaN}'] * len(HYPOTHESES)) + "]}"
FAILURES = {
    "an exception": (TRACEBACK, "failed with status 1: torch.OutOfMemoryError: CUDA out of memory"),
    "any last line": (
        'echo "usage: …\nbad argument" >&2; exit 2',
        "failed with status 2: bad argument",
    ),
    "silence": ("exit 3", "failed with status 3: it says nothing"),
    "no output": ("exit 0", "wrote no scores that this version understands"),
    "another format": (
        WRITES.format('{"h": [{"score": 1}]}'),
        "wrote no scores that this version understands",
    ),
    "a list": (WRITES.format("[1]"), "wrote no scores that this version understands"),
    "too few": (
        WRITES.format('{"h": [{"COMET": 0.5}]}'),
        f"gave 1 scores for {len(HYPOTHESES)} lines",
    ),
    "no number": (WRITES.format(NAN), f"gave 0 scores for {len(HYPOTHESES)} lines"),
}


@pytest.mark.parametrize(("script", "message"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_named_in_one_line(
    script: str, message: str, tmp_path: Path, checkpoint: Path
) -> None:
    comet = CometProgram(
        str(write_program(tmp_path / "comet-score", f"#!/bin/sh\n{script}\n")), checkpoint
    )
    with pytest.raises(CometFailure) as failure:
        comet.score([("en-de", write_job(tmp_path / "job", "de").read())])
    assert message in str(failure.value) and "\n" not in str(failure.value)


def test_a_program_that_cannot_be_run_is_a_failure(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(CometFailure, match="cannot be run: No such file or directory"):
        CometProgram(str(tmp_path / "gone"), checkpoint).score(
            [("en-de", write_job(tmp_path / "job", "de").read())]
        )

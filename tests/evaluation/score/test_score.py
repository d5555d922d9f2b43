"""Many test sets are scored at once, in any number of processes, by everything measurable."""

import hashlib
import logging
from pathlib import Path
from typing import Any, Dict, List

import pytest
from support.comet_stub import calls_of, install_stub, write_program
from support.odd_text import HYPOTHESES, REFERENCES, write_job

from deepnet_fairseq.errors import DataError, EvaluationError
from deepnet_fairseq.evaluation.score import score
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.evaluation.score.metrics import choose_metrics
from deepnet_fairseq.evaluation.score.off_target import load_identifier, off_target_rate
from deepnet_fairseq.evaluation.score.score import ScoringJob, plan_scoring, score_all
from deepnet_fairseq.evaluation.score.shuffled_source import measure_source_use
from deepnet_fairseq.parallel import Jobs


@pytest.fixture
def config(flores200_model: str) -> EvaluationConfig:
    return EvaluationConfig(
        metrics=["BLEU", "BLEU-lang", "chrF++", "spBLEU"], flores200_model=flores200_model
    )


@pytest.fixture
def jobs(tmp_path: Path) -> Dict[str, ScoringJob]:
    """Test sets of different lengths, not in alphabetical order."""
    return {
        "en-zh": write_job(tmp_path / "1", "zh"),
        "en-de": write_job(tmp_path / "2", "de", HYPOTHESES[:9], REFERENCES[:9]),
        "de-en": write_job(tmp_path / "3", "en", REFERENCES[2:6], REFERENCES[2:6]),
        "en-li": write_job(tmp_path / "4", "li", HYPOTHESES[:1], REFERENCES[:1]),
    }


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """How many processes each run asked for, so far."""
    asked: List[int] = []

    class Counted(Jobs):
        def run(self, *arguments: Any, **options: Any) -> Dict[str, Any]:
            asked.append(self.workers)
            return super().run(*arguments, **options)

    monkeypatch.setattr(score, "Jobs", Counted)
    return asked


def test_each_test_set_gets_what_is_measured_of_it_alone(
    config: EvaluationConfig, jobs: Dict[str, ScoringJob]
) -> None:
    scored, left_out = score_all(jobs, config)
    assert list(scored) == list(jobs)
    chosen, _ = choose_metrics(
        config.requested_metrics(), ["zh", "de", "en", "li"], drop_duplicates=True
    )
    for name, job in jobs.items():
        sources, hypotheses, references = job.read()
        measured = scored[name]
        assert measured.lines == len(references)
        assert measured.scores == {
            metric.name: metric.score(hypotheses, references, job.target) for metric in chosen
        }
        assert list(measured.scores) == config.metrics
        assert measured.source_use == measure_source_use(sources, hypotheses, references)
        assert measured.source_use.bleu == measured.scores["BLEU"].value
        assert measured.off_target == off_target_rate(hypotheses, job.target, load_identifier())
        assert measured.off_target_references == off_target_rate(
            references, job.target, load_identifier()
        )
        assert measured.references_sha256 == hashlib.sha256(job.references.read_bytes()).hexdigest()
    # the hypotheses are in many languages, so that most of them are off the target
    assert scored["en-zh"].off_target > 50 and scored["en-li"].off_target is None
    assert left_out == {"off-target (li)": "py3langid does not know this language"}


def test_results_do_not_depend_on_the_number_of_processes(
    config: EvaluationConfig,
    jobs: Dict[str, ScoringJob],
    processes: List[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = score_all(jobs, config)
    monkeypatch.setattr(score, "LINES_PER_WORKER", 1)
    together = score_all(jobs, config, workers=2)
    assert processes == [1, 2]
    assert together == alone
    assert list(together[0]) == list(jobs)


def test_a_few_lines_are_not_worth_a_process(
    config: EvaluationConfig, jobs: Dict[str, ScoringJob], processes: List[int]
) -> None:
    score_all(jobs, config, workers=16)
    assert processes == [1]


@pytest.mark.usefixtures("no_mecab")
def test_a_direction_lacks_the_metric_that_cannot_score_its_target(tmp_path: Path) -> None:
    jobs = {f"en-{target}": write_job(tmp_path / target, target) for target in ("ja", "zh")}
    scored, left_out = score_all(jobs, EvaluationConfig(metrics=["BLEU-lang", "BLEU"]))
    assert [list(measured.scores) for measured in scored.values()] == [
        ["BLEU"],
        ["BLEU-lang", "BLEU"],
    ]
    assert list(left_out) == ["BLEU-lang (ja)"]


def test_comet_stands_among_the_others_in_the_configs_order(
    jobs: Dict[str, ScoringJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = install_stub(tmp_path / "bin")
    monkeypatch.setenv("COMET_SCORE", str(stub))
    (tmp_path / "model.ckpt").write_bytes(b"weights")
    config = EvaluationConfig(
        metrics=["chrF", "COMET", "BLEU"], comet_model=str(tmp_path / "model.ckpt")
    )
    scored, left_out = score_all(jobs, config)
    assert [list(measured.scores) for measured in scored.values()] == [config.metrics] * len(jobs)
    assert scored["de-en"].scores["COMET"].value == 100
    assert "COMET" not in left_out and len(calls_of(stub)) == 1


def test_a_failing_comet_takes_no_other_score_with_it(
    jobs: Dict[str, ScoringJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = write_program(
        tmp_path / "comet-score", "#!/bin/sh\necho 'OSError: no tokeniser' >&2\nexit 1\n"
    )
    monkeypatch.setenv("COMET_SCORE", str(stub))
    (tmp_path / "model.ckpt").write_bytes(b"weights")
    scored, left_out = score_all(
        jobs, EvaluationConfig(metrics=["COMET", "BLEU"], comet_model=str(tmp_path / "model.ckpt"))
    )
    assert [list(measured.scores) for measured in scored.values()] == [["BLEU"]] * len(jobs)
    assert left_out["COMET"] == f"{stub} failed with status 1: OSError: no tokeniser"


def test_without_the_identifier_rates_are_left_out_once(
    jobs: Dict[str, ScoringJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepnet_fairseq.data.language_identification.find_spec", lambda name: None)
    scored, left_out = score_all(jobs, EvaluationConfig(metrics=["BLEU"]))
    assert {
        (measured.off_target, measured.off_target_references) for measured in scored.values()
    } == {(None, None)}
    assert left_out == {
        "off-target": 'needs the package py3langid: pip install "py3langid>=0.4,<0.5"'
    }


def test_lines_end_at_newlines_only(tmp_path: Path) -> None:
    torn = "one\u2028two\u0085three\x0bfour\x1cfive"
    scored, _ = score_all(
        {"a": write_job(tmp_path, "en", [torn, "six"], [torn, "six"])},
        EvaluationConfig(metrics=["BLEU"]),
    )
    assert scored["a"].lines == 2


@pytest.mark.parametrize("short", ["sources", "hypotheses"])
def test_files_of_different_length_are_named_before_any_work(
    short: str, jobs: Dict[str, ScoringJob], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = getattr(jobs["en-zh"], short)
    path.write_text("one\ntwo", encoding="utf-8")
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(
            EvaluationError, match=rf"{short} has 2 lines, but .*/1/references has 14; line n of"
        ),
    ):
        score_all(jobs, EvaluationConfig())
    assert caplog.text == ""


def test_a_test_set_without_lines_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(
        EvaluationError,
        match=r"references holds no lines; it must hold a reference for every source",
    ):
        score_all({"a": write_job(tmp_path, "de", [], [])}, EvaluationConfig())


def test_text_in_another_encoding_is_named(jobs: Dict[str, ScoringJob]) -> None:
    jobs["en-li"].hypotheses.write_bytes("Müll\n".encode("latin-1"))
    with pytest.raises(DataError, match="hypotheses, line 1: not UTF-8"):
        score_all(jobs, EvaluationConfig(metrics=["BLEU"]))


def test_nothing_to_score_is_nothing() -> None:
    assert score_all({}, EvaluationConfig(metrics=["BLEU"])) == ({}, {})


def test_a_plan_tells_before_any_decoding_what_will_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(tmp_path))
    monkeypatch.delenv("COMET_SCORE", raising=False)
    plan = plan_scoring(
        EvaluationConfig(metrics=["BLEU", "BLEU-lang", "chrF++", "spBLEU", "COMET"]), ["de", "en"]
    )
    assert [metric.name for metric in plan.metrics] == ["BLEU", "chrF++"]
    assert sorted(plan.left_out) == ["BLEU-lang", "COMET", "spBLEU"]
    assert plan.identify

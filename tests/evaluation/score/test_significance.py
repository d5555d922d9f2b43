"""Paired tests give the very numbers of sacrebleu's command line."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score.significance import (
    BETTER,
    UNDECIDED,
    WORSE,
    PairedScore,
    PairedScores,
    paired_test,
)

WORDS = "der Baum steht am Haus und 12,5 Prozent (etwa) sehen “ihn” nicht &amp; 你好 भारत".split()
LINES = 120
QUALITIES = {"baseline": 0.6, "worse": 0.5, "better": 0.75}


@pytest.fixture(scope="module")
def texts() -> Dict[str, List[str]]:
    """References, and three systems that get different shares of the words right."""
    draw = random.Random(3)
    references = [" ".join(draw.choices(WORDS, k=draw.randint(4, 14))) for _ in range(LINES)]
    systems = {
        name: [
            " ".join(word if draw.random() < quality else "falsch" for word in line.split())
            for line in references
        ]
        for name, quality in QUALITIES.items()
    }
    return {"references": references, **systems}


# test, samples, metric, sacrebleu's flags, its name of the metric
COMMANDS = {
    "bootstrap, BLEU": ("bootstrap", 0, BLEU(), "--paired-bs -m bleu", "BLEU"),
    "bootstrap, chrF++": (
        "bootstrap",
        300,
        CHRF(word_order=2),
        "--paired-bs --paired-bs-n 300 -m chrf --chrf-word-order 2",
        "chrF2++",
    ),
    "randomisation, BLEU": (
        "randomisation",
        500,
        BLEU(),
        "--paired-ar --paired-ar-n 500 -m bleu",
        "BLEU",
    ),
}

# sacrebleu's own main. Its JSON cannot hold numpy's numbers, of which chrF's are (2.6.0).
SACREBLEU = (
    "import json, sacrebleu.sacrebleu; "
    "json.JSONEncoder.default = lambda self, number: float(number); "
    "sacrebleu.sacrebleu.main()"
)


def call_sacrebleu(folder: Path, flags: str, form: str) -> str:
    command = [
        sys.executable,
        "-c",
        SACREBLEU,
        "references",
        "-i",
        *QUALITIES,
        *flags.split(),
        "--format",
        form,
        "-w",
        "15",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("test", "samples", "metric", "flags", "name"), COMMANDS.values(), ids=COMMANDS
)
def test_numbers_and_signature_equal_the_sacrebleu_commands(
    texts: Dict[str, List[str]],
    tmp_path: Path,
    test: str,
    samples: int,
    metric: Metric,
    flags: str,
    name: str,
) -> None:
    for key, lines in texts.items():
        (tmp_path / key).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    ours = paired_test(
        [texts[key] for key in QUALITIES], texts["references"], metric, test, samples
    )
    theirs = [row[name] for row in json.loads(call_sacrebleu(tmp_path, flags, "json"))]
    assert [(s.score, s.p_value, s.mean, s.interval) for s in ours.systems] == [
        (r["score"], r["p_value"], r["mean"], r["ci"]) for r in theirs
    ]
    assert f" {ours.signature}\n" in call_sacrebleu(tmp_path, flags, "text")
    assert all((system.mean is not None) == (test == "bootstrap") for system in ours.systems)
    assert [ours.outcome(index) for index in (1, 2)] == [WORSE, BETTER]


VERDICTS = {
    "higher, p below 0.05": (31.0, 0.0499, BETTER),
    "lower, p below 0.05": (29.0, 0.0499, WORSE),
    "higher, p of 0.05": (31.0, 0.05, UNDECIDED),
    "equal, although p is small": (30.0, 0.001, UNDECIDED),
}


@pytest.mark.parametrize(("score", "p_value", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_an_outcome_needs_a_difference_and_a_small_p(
    score: float, p_value: float, expected: str
) -> None:
    assert PairedScores([PairedScore(30.0), PairedScore(score, p_value)], "").outcome(1) == expected


def test_a_system_does_not_differ_from_itself(texts: Dict[str, List[str]]) -> None:
    result = paired_test(
        [texts["baseline"], texts["baseline"]], texts["references"], BLEU(), "bootstrap", 100
    )
    assert result.systems[1].p_value == pytest.approx(
        1 / 101
    )  # sacrebleu's: a zero difference is not put down to chance
    assert result.outcome(1) == UNDECIDED


def test_chance_alone_is_called_significant_about_as_often_as_promised() -> None:
    """Two systems of the same quality on 200 test sets.

    The share is 0.05, within four standard deviations of 0.015.
    """
    result = 0
    for seed in range(200):
        draw = random.Random(seed)
        references = [" ".join(draw.choices(WORDS, k=8)) for _ in range(60)]
        systems = [
            [
                " ".join(w if draw.random() < 0.7 else "x" for w in line.split())
                for line in references
            ]
            for _ in range(2)
        ]
        result += (
            paired_test(systems, references, BLEU(), "randomisation", 200).outcome(1) != UNDECIDED
        )
    assert result / 200 == pytest.approx(0.05, abs=0.06)


def test_files_of_different_length_are_rejected(texts: Dict[str, List[str]]) -> None:
    with pytest.raises(EvaluationError, match=r"119 hypotheses for 120 references"):
        paired_test(
            [texts["baseline"], texts["worse"][1:]], texts["references"], BLEU(), "bootstrap"
        )

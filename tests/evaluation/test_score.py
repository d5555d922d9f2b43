"""Scores are sacrebleu's own; means are unweighted means over directions."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest

from deepnet_fairseq.evaluation import EvaluationError
from deepnet_fairseq.evaluation.direction import Direction, both_ways
from deepnet_fairseq.evaluation.score import Score, mean_scores, score_files, score_lines

REFERENCES = [
    "The cat sat on the mat, at 3:15 p.m.",
    "¿Dónde está la biblioteca? “Aquí”, dijo él.",
    "Am 3. Mai 2021 kostete es 12,50 € (etwa 14 Dollar).",
    "भारत में दस लाख लोग रहते हैं।",
    "我们明天早上八点去北京。",
    "  two  spaces &amp; an entity  ",
]
HYPOTHESES = [
    "The cat sat on a mat at 3:15 p.m.",
    "¿Dónde está la librería? “Aquí”, dijo.",
    "Am 3. Mai 2021 kostet es 12,50 € (rund 14 Dollar).",
    "भारत में दस लोग रहते हैं।",
    "我们明天八点去北京。",
    "",
]


def write(path: Path, lines: List[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_scores_and_signatures_equal_the_sacrebleu_command(tmp_path: Path) -> None:
    hypotheses, references = write(tmp_path / "hyp", HYPOTHESES), write(tmp_path / "ref", REFERENCES)
    command = [sys.executable, "-m", "sacrebleu", str(references), "-i", str(hypotheses), "-m", "bleu", "chrf", "-w", "8", "-tok", "13a"]
    bleu, chrf = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ours = score_files(hypotheses, references)
    assert 20 < ours.bleu < 90  # a real comparison
    assert (ours.bleu, ours.chrf) == pytest.approx((bleu["score"], chrf["score"]), abs=1e-6)
    assert (ours.bleu_signature, ours.chrf_signature) == (bleu["signature"], chrf["signature"])
    assert "tok:13a" in ours.bleu_signature and "case:mixed" in ours.bleu_signature
    assert ours.lines == 6


def test_perfect_hypotheses_score_100() -> None:
    score = score_lines(REFERENCES, REFERENCES)
    assert (score.bleu, score.chrf) == pytest.approx((100, 100))


def test_files_of_different_length_are_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"hyp has 5 lines, but .*ref has 6"):
        score_files(write(tmp_path / "hyp", HYPOTHESES[:5]), write(tmp_path / "ref", REFERENCES))


@pytest.mark.parametrize(("hypotheses", "references"), [([], []), (["a"], ["a", "b"])], ids=["none", "fewer"])
def test_lines_without_counterpart_are_refused(hypotheses: List[str], references: List[str]) -> None:
    with pytest.raises(EvaluationError, match="there must be one each"):
        score_lines(hypotheses, references)


def score(bleu: float, chrf: float, lines: int = 10) -> Score:
    return Score(bleu, chrf, lines, "b", "c")


def test_means_are_over_directions_into_and_out_of_the_pivot_and_zero_shot() -> None:
    scores: Dict[Direction, Score] = {
        Direction("de", "en"): score(30, 50, lines=2000),
        Direction("en", "de"): score(20, 40, lines=2000),
        Direction("en", "fr"): score(10, 60),  # a smaller test set counts as much
        Direction("fr", "en"): score(40, 70),
        Direction("de", "cs"): score(1, 3),  # supervised, but not with the pivot
        Direction("de", "fr", zero_shot=True): score(5, 9),
        Direction("fr", "de", zero_shot=True): score(8, 12),
    }
    means = mean_scores(scores, "en")
    assert {name: (m.bleu, m.chrf, m.directions) for name, m in means.items()} == {
        "X→en": (35.0, 60.0, 2),
        "en→X": (15.0, 50.0, 2),
        "all supervised": pytest.approx((101 / 5, 223 / 5, 5)),
        "zero-shot": (6.5, 10.5, 2),
    }


def test_a_group_without_directions_is_left_out() -> None:
    assert list(mean_scores({Direction("de", "en"): score(1, 2)}, "en")) == ["X→en", "all supervised"]


def test_both_ways_of_every_pair_supervised_first() -> None:
    found = both_ways([("de", "en"), ("en", "zu")], [("de", "zu")])
    assert [d.name for d in found] == ["de-en", "en-de", "en-zu", "zu-en", "de-zu", "zu-de"]
    assert found[3].sources(Path("c")) == Path("c/supervised/en-zu/opus.en-zu-test.zu")
    assert found[5].references(Path("c")) == Path("c/zero-shot/de-zu/opus.de-zu-test.de")


def test_a_trained_pair_without_a_test_set_of_its_own_is_not_zero_shot_in_another() -> None:
    found = both_ways([("an", "en"), ("de", "en")], [], {"ted": [("an", "en"), ("an", "de")]}, untested=[("an", "en")])
    names = [(direction.name, direction.zero_shot) for direction in found]
    assert names == [
        ("de-en", False),
        ("en-de", False),
        ("ted.an-de", True),
        ("ted.de-an", True),
        ("ted.an-en", False),
        ("ted.en-an", False),
    ]


def test_further_test_sets_come_last_with_files_names_and_means_of_their_own() -> None:
    found = both_ways([("de", "en")], [("de", "fr")], {"ted": [("de", "en"), ("de", "fr")], "flores200": [("de", "en")]})
    assert [d.name for d in found[4:]] == ["flores200.de-en", "flores200.en-de", "ted.de-en", "ted.en-de", "ted.de-fr", "ted.fr-de"]
    assert [(d.subset, d.zero_shot) for d in (found[0], found[2], found[4], found[8])] == [
        ("test", False),
        ("test", True),
        ("flores200", False),
        ("ted", True),
    ]
    assert found[5].sources(Path("c")) == Path("c/test-sets/flores200/de-en/opus.de-en-test.en")
    means = mean_scores({direction: score(place, place) for place, direction in enumerate(found)}, "en")
    assert {name: (mean.bleu, mean.directions) for name, mean in means.items()} == {
        "X→en": (0, 1),
        "en→X": (1, 1),
        "all supervised": (0.5, 2),
        "zero-shot": (2.5, 2),
        "flores200": (4.5, 2),
        "ted": (7.5, 4),
    }

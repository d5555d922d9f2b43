"""fairseq-generate's output read: order, missing and surplus sentences, byte pieces, and flags that are refused."""

from pathlib import Path
from typing import Dict, List

import pytest

from deepnet_fairseq.evaluation import EvaluationError
from deepnet_fairseq.evaluation.generate import in_order, parse_command, parse_hypotheses

OUTPUT = """\
2026-01-01 00:00:00 | INFO | fairseq.tasks | [de] dictionary: 300 types
S-2\tdrei
T-2\tthree
H-2\t-0.5\tthre e
D-2\t-0.5\tthree
P-2\t-0.1 -0.2
D-2\t-0.9\tthirteen
D-0\t-0.25\tone\u2028still D-1 one
D-10\t-0.25\televen
D-1\t-1.5e-05\t
D-3\tnan\ta\ttab
Generate test with beam=5: BLEU4 = 12.3
"""


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "generate-test.txt"
    path.write_text(OUTPUT, encoding="utf-8")
    return path


def test_the_best_detokenised_hypothesis_of_each_sentence_is_read(output: Path) -> None:
    assert parse_hypotheses(output) == {2: "three", 0: "one\u2028still D-1 one", 10: "eleven", 1: "", 3: "a\ttab"}


def test_byte_pieces_become_characters_when_the_vocabulary_has_them(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("D-0\t-1\tK<0xC3><0xA4>se <0xE4><0xB8>\n", encoding="utf-8")
    assert parse_hypotheses(path, byte_pieces=True) == {0: "Käse \ufffd"}
    assert parse_hypotheses(path, byte_pieces=False) == {0: "K<0xC3><0xA4>se <0xE4><0xB8>"}


def test_hypotheses_come_in_the_order_of_the_sentences() -> None:
    assert in_order({2: "c", 0: "a", 1: ""}, "de-en", 3, may_skip=False).lines == ["a", "", "c"]


@pytest.mark.parametrize(
    ("found", "may_skip", "message"),
    [
        ({0: "a", 3: "d"}, False, r"de-en: fairseq-generate gave no hypothesis for 2 of 4 lines: 2, 3"),
        ({}, True, r"de-en: .* no hypothesis for 4 of 4 lines: 1, 2, 3, 4"),
        ({0: "", 1: "", 2: "", 3: "", 4: ""}, False, r"de-en: 1 more hypotheses than the 4 references"),
    ],
    ids=["some missing", "all missing", "surplus"],
)
def test_hypotheses_that_do_not_fit_the_references_are_refused(found: Dict[int, str], may_skip: bool, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        in_order(found, "de-en", 4, may_skip)


def test_skipped_sentences_are_empty_and_counted() -> None:
    generated = in_order({0: "a", 2: "c"}, "de-en", 3, may_skip=True)
    assert (generated.lines, generated.skipped) == (["a", "", "c"], [1])


COMMAND = ["fairseq-generate", "data-bin", "--path", "model.pt"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--beams", "3"], "unrecognized arguments: --beams 3"),
        (["--beam", "three"], "argument --beam: invalid int value: 'three'"),
        (["--quiet"], "--quiet leaves the translations out"),
    ],
    ids=["unknown", "wrong type", "quiet"],
)
def test_flags_that_fairseq_or_we_cannot_use_are_refused(flags: List[str], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        parse_command([*COMMAND, *flags])


def test_the_last_of_two_flags_wins() -> None:
    assert parse_command([*COMMAND, "--beam", "5", "--beam", "2"]).beam == 2

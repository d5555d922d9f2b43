"""fairseq-generate's flags: judged by fairseq's parser, and refused where they would have no effect."""

from typing import List

import pytest

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.generation_args import parse_command

COMMAND = ["fairseq-generate", "data-bin", "--path", "model.pt"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--beams", "3"], "unrecognized arguments: --beams 3"),
        (["--beam", "three"], "argument --beam: invalid int value: 'three'"),
        (["--quiet"], "--quiet works with fairseq-generate alone"),
        (["--prefix-size", "2"], "--prefix-size works with fairseq-generate alone"),
        (["--lm-path", "lm.pt"], "--lm-path works with fairseq-generate alone"),
        (["--print-alignment"], "--print-alignment works with fairseq-generate alone"),
        (["--replace-unk"], "--replace-unk works with fairseq-generate alone"),
        (["--bpe", "sentencepiece"], "--bpe works with fairseq-generate alone"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_flags_that_fairseq_or_we_cannot_use_are_refused(flags: List[str], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        parse_command([*COMMAND, *flags])


def test_the_last_of_two_flags_wins() -> None:
    assert parse_command([*COMMAND, "--beam", "5", "--beam", "2"]).beam == 2

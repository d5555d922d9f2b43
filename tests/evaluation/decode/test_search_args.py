"""fairseq-generate's flags: parsed by fairseq's parser, rejected if they would have no effect."""

from argparse import Namespace
from typing import List

import pytest
from fairseq import options

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.errors import UserError
from deepnet_fairseq.evaluation.decode.search import check_supported


def parse(flags: List[str]) -> Namespace:
    words = ["data-bin", "--path", "model.pt", *flags]
    args = parse_flags(options.get_generation_parser(), words)
    check_supported(args)
    return args


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
def test_flags_that_fairseq_or_we_cannot_use_are_rejected(flags: List[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(flags)


def test_the_last_of_two_flags_wins() -> None:
    assert parse(["--beam", "5", "--beam", "2"]).beam == 2

"""Pieces to text, against fairseq's own and by hand."""

import pytest
import torch
from fairseq.data import Dictionary

from deepnet_fairseq.evaluation.decode.translator import detokenize, join_bytes


@pytest.fixture
def dictionary() -> Dictionary:
    made = Dictionary()
    for piece in ("▁K", "se", "▁gut", "<0x00>", "<0xC3>", "<0xA4>", "<0xE4>", "__de__"):
        made.add_symbol(piece)
    return made


def test_byte_pieces_become_characters_when_the_vocabulary_has_them(dictionary: Dictionary) -> None:
    tokens = torch.tensor(
        [
            dictionary.index(p)
            for p in ("__de__", "▁K", "<0xC3>", "<0xA4>", "se", "▁gut", "<0xE4>", "</s>")
        ]
    )
    text = detokenize(tokens, dictionary, "sentencepiece", ignore=dictionary.index("__de__"))
    assert text == "Käse gut\ufffd"


def test_without_byte_pieces_it_is_what_fairseq_prints() -> None:
    plain = Dictionary()
    tokens = torch.tensor([plain.add_symbol("▁<0xC3>"), plain.unk(), plain.eos()])
    assert (
        detokenize(tokens, plain, "sentencepiece")
        == plain.string(tokens, "sentencepiece")
        == "<0xC3><unk>"
    )


def test_runs_of_bytes_are_decoded_together() -> None:
    assert join_bytes("a<0xC3><0xA4> <0xE4><0xB8>b") == "aä \ufffdb"


def test_a_spelled_line_break_ends_no_line() -> None:
    assert join_bytes("a<0x0A>b<0x0D>") == "a b "

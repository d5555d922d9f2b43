"""Tiny models, dictionaries and batches. Sizes are distinct, so that swapped dimensions fail."""

from argparse import Namespace
from types import SimpleNamespace
from typing import Any, Sequence

import torch
from fairseq.data import Dictionary
from torch import Tensor

from deepnet_fairseq.network.model import DeepNetTransformer

VOCABULARY = 26  # plus fairseq's four special symbols
SIZES = dict(
    encoder_embed_dim=16,
    encoder_ffn_embed_dim=28,
    encoder_layers=3,
    encoder_attention_heads=4,
    decoder_embed_dim=12,
    decoder_ffn_embed_dim=20,
    decoder_layers=2,
    decoder_attention_heads=2,
    dropout=0.0,
    max_source_positions=40,
    max_target_positions=30,
)


def make_dictionary(size: int = VOCABULARY, languages: Sequence[str] = ()) -> Dictionary:
    """Return w0, w1, … and a token such as __de__ per language."""
    dictionary = Dictionary()
    for word in [*(f"w{i}" for i in range(size)), *(f"__{name}__" for name in languages)]:
        dictionary.add_symbol(word)
    return dictionary


def make_task(size: int = VOCABULARY, languages: Sequence[str] = ()) -> SimpleNamespace:
    """Return what a model asks of a task."""
    return SimpleNamespace(
        source_dictionary=make_dictionary(size, languages),
        target_dictionary=make_dictionary(size, languages),
    )


def make_model(languages: Sequence[str] = (), **options: Any) -> DeepNetTransformer:
    """Return a 3-2 model with different widths on each side; options as on the command line."""
    torch.manual_seed(7)
    task = make_task(languages=languages)
    return DeepNetTransformer.build_model(Namespace(**{**SIZES, **options}), task)


def pad(rows: Any, pad_index: int, left: bool) -> Tensor:
    """Return rows of tokens as one tensor, padded on the left or on the right."""
    width = max(map(len, rows))
    filled = [
        [pad_index] * (width - len(r)) + r if left else r + [pad_index] * (width - len(r))
        for r in map(list, rows)
    ]
    return torch.tensor(filled)

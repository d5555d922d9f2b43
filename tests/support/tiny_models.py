"""Tiny models, dictionaries and batches. Sizes are distinct, so that swapped dimensions fail."""

from argparse import Namespace
from types import SimpleNamespace
from typing import Any

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


def make_dictionary(size: int = VOCABULARY) -> Dictionary:
    dictionary = Dictionary()
    for i in range(size):
        dictionary.add_symbol(f"w{i}")
    return dictionary


def make_task(size: int = VOCABULARY) -> SimpleNamespace:
    """What a model asks of a task."""
    return SimpleNamespace(
        source_dictionary=make_dictionary(size), target_dictionary=make_dictionary(size)
    )


def make_model(**options: Any) -> DeepNetTransformer:
    torch.manual_seed(7)
    return DeepNetTransformer.build_model(Namespace(**{**SIZES, **options}), make_task())


def pad(rows: Any, pad_index: int, left: bool) -> Tensor:
    width = max(map(len, rows))
    filled = [
        [pad_index] * (width - len(r)) + r if left else r + [pad_index] * (width - len(r))
        for r in map(list, rows)
    ]
    return torch.tensor(filled)

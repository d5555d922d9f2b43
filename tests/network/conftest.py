"""Fixtures of the network's tests."""

from typing import Callable, Dict

import pytest
import torch
from support.tiny_models import make_dictionary, make_model, pad
from torch import Tensor

from deepnet_fairseq.network.model import DeepNetTransformer


@pytest.fixture
def build() -> Callable[..., DeepNetTransformer]:
    """Return a function that builds a 3-2 model with different widths on each side.

    Its arguments are options of DeepNetConfig.
    """
    return make_model


@pytest.fixture
def batch() -> Callable[..., Dict[str, Tensor]]:
    """Return a function that makes net_input of three sentence pairs.

    Their lengths differ; left_source and left_target say whether padding is on the left.
    """
    d = make_dictionary()
    generator = torch.Generator().manual_seed(3)
    lengths = ((9, 5), (4, 7), (6, 2))

    def draw(n: int) -> list:
        return torch.randint(d.nspecial, len(d), (n,), generator=generator).tolist()

    pairs = [(draw(s) + [d.eos()], [d.eos()] + draw(t)) for s, t in lengths]

    def make(left_source: bool = True, left_target: bool = False) -> Dict[str, Tensor]:
        sources, targets = zip(*pairs, strict=True)
        return dict(
            src_tokens=pad(sources, d.pad(), left_source),
            src_lengths=torch.tensor([len(s) for s in sources]),
            prev_output_tokens=pad(targets, d.pad(), left_target),
        )

    return make

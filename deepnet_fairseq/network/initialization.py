"""Initial weights as in DeepNet's Figure 2: which projections have gain beta, which gain 1.

Modules are picked by type, packed projections slice by slice: Xavier takes fan-in and fan-out from
the shape that it is given, so it would draw a packed weight too small.
"""

from typing import Sequence

import torch
from torch import Tensor, nn

from deepnet_fairseq.network.attention import CrossAttention, SelfAttention
from deepnet_fairseq.network.layers import FeedForward


def initialize_layers_(layers: nn.Module, beta: float, query_key: float = 1.0) -> None:
    """Draw the weights of all attention and feed-forward modules; set their biases to zero.

    Args:
        layers: A layer, or any module that contains some.
        beta: Xavier-normal gain of fc1, fc2, value and output projections (self- and
            cross-attention alike).
        query_key: Gain of query and key projections.
    """
    for module in layers.modules():
        if isinstance(module, SelfAttention):
            # query, key, value
            xavier_slices_(module.in_proj_weight, gains=(query_key, query_key, beta))
            xavier_linear_(module.out_proj, beta)
            nn.init.zeros_(module.in_proj_bias)
        elif isinstance(module, CrossAttention):
            xavier_linear_(module.q_proj, query_key)
            # key, value
            xavier_slices_(module.kv_proj_weight, gains=(query_key, beta))
            xavier_linear_(module.out_proj, beta)
            nn.init.zeros_(module.kv_proj_bias)
        elif isinstance(module, FeedForward):
            xavier_linear_(module.fc1, beta)
            xavier_linear_(module.fc2, beta)


@torch.no_grad()
def xavier_slices_(weight: Tensor, gains: Sequence[float]) -> None:
    """Draw each of len(gains) equal blocks of weight's rows as a matrix of its own."""
    rows = weight.size(0) // len(gains)
    for i, gain in enumerate(gains):
        nn.init.xavier_normal_(weight[i * rows : (i + 1) * rows], gain)


def xavier_linear_(linear: nn.Linear, gain: float) -> None:
    """Draw linear's weight; set its bias to zero."""
    nn.init.xavier_normal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)


def build_embedding(num_embeddings: int, embed_dim: int, padding_idx: int) -> nn.Embedding:
    """Return an embedding as fairseq draws it.

    The standard deviation is embed_dim^-0.5, the padding row zero.
    """
    embedding = nn.Embedding(num_embeddings, embed_dim, padding_idx=padding_idx)
    nn.init.normal_(embedding.weight, mean=0.0, std=embed_dim**-0.5)
    with torch.no_grad():
        embedding.weight[padding_idx].zero_()
    return embedding

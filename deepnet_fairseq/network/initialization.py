"""Initial weights as in DeepNet's Figure 2: which projections get gain beta, which gain 1.

Modules are picked by type, packed projections slice by slice: Xavier takes fan-in and fan-out from the shape it is given, so a packed
weight as a whole would come out too small.
"""

from typing import Sequence

import torch
from torch import Tensor, nn

from deepnet_fairseq.network.attention import CrossAttention, SelfAttention
from deepnet_fairseq.network.layers import FeedForward


def initialize_layers_(layers: nn.Module, beta: float, query_key: float = 1.0) -> None:
    """Draw the weights of every attention and feed-forward module under layers; set their biases to zero.

    Xavier-normal with gain beta: value and output projections (self- and cross-attention), fc1, fc2. With gain query_key: query, key.
    """
    for module in layers.modules():
        if isinstance(module, SelfAttention):
            xavier_slices_(
                module.in_proj_weight, gains=(query_key, query_key, beta)
            )  # query, key, value
            xavier_linear_(module.out_proj, beta)
            nn.init.zeros_(module.in_proj_bias)
        elif isinstance(module, CrossAttention):
            xavier_linear_(module.q_proj, query_key)
            xavier_slices_(module.kv_proj_weight, gains=(query_key, beta))  # key, value
            xavier_linear_(module.out_proj, beta)
            nn.init.zeros_(module.kv_proj_bias)
        elif isinstance(module, FeedForward):
            xavier_linear_(module.fc1, beta)
            xavier_linear_(module.fc2, beta)


@torch.no_grad()
def xavier_slices_(weight: Tensor, gains: Sequence[float]) -> None:
    """Draw each of len(gains) equal blocks of rows of weight as a matrix of its own."""
    rows = weight.size(0) // len(gains)
    for i, gain in enumerate(gains):
        nn.init.xavier_normal_(weight[i * rows : (i + 1) * rows], gain)


def xavier_linear_(linear: nn.Linear, gain: float) -> None:
    """Draw linear's weight; set its bias to zero."""
    nn.init.xavier_normal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)


def build_embedding(num_embeddings: int, embed_dim: int, padding_idx: int) -> nn.Embedding:
    """Return an embedding drawn from N(0, embed_dim^-0.5 as standard deviation), the padding row zero, as in fairseq."""
    embedding = nn.Embedding(num_embeddings, embed_dim, padding_idx=padding_idx)
    nn.init.normal_(embedding.weight, mean=0.0, std=embed_dim**-0.5)
    with torch.no_grad():
        embedding.weight[padding_idx].zero_()
    return embedding

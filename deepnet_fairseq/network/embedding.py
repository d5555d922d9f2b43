"""Embedding of tokens and their positions."""

import math
from typing import Optional

from fairseq.modules import FairseqDropout, PositionalEmbedding
from torch import Tensor, nn

from deepnet_fairseq.network.config import DeepNetConfig, StackConfig


class TokenEmbedding(nn.Module):
    """scale * E[token] + P[position], then LayerNorm and dropout.

    Args:
        tokens: The table E.
        config: The model's options; they say which parts there are.
        sizes: Those of this side.
    """

    def __init__(self, tokens: nn.Embedding, config: DeepNetConfig, sizes: StackConfig) -> None:
        super().__init__()
        embed_dim = tokens.embedding_dim
        self.tokens = tokens
        self.scale = 1.0 if config.no_scale_embedding else math.sqrt(embed_dim)
        self.positions: Optional[nn.Module] = None
        if not config.no_token_positional_embeddings:
            self.positions = PositionalEmbedding(
                sizes.max_positions, embed_dim, tokens.padding_idx, learned=sizes.learned_pos
            )
        self.layer_norm = nn.LayerNorm(embed_dim) if config.layernorm_embedding else None
        self.dropout = FairseqDropout(config.dropout, module_name=type(self).__name__)

    def forward(self, tokens: Tensor, newest_only: bool = False) -> Tensor:
        """Return [B x T x C] for tokens [B x T], with newest_only the last position [B x 1 x C].

        Positions count from the first token that is not padding, in step-by-step decoding too, so
        that both ways of decoding agree on every batch. (fairseq's own embeddings count padding on
        the left there.)
        """
        newest = tokens[:, -1:] if newest_only else tokens
        x = self.scale * self.tokens(newest)
        if self.positions is not None:
            positions = self.positions(tokens)
            x = x + (positions[:, -1:] if newest_only else positions)
        if self.layer_norm is not None:
            x = self.layer_norm(x)
        return self.dropout(x)

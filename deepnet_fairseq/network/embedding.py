"""Tokens and their positions, on either side of the model."""

import math
from typing import Optional

from fairseq.modules import FairseqDropout, PositionalEmbedding
from torch import Tensor, nn


class TokenEmbedding(nn.Module):
    """scale * E[token] + P[position], then LayerNorm (optional) and dropout.

    Args: tokens: the table E; max_positions: longest sequence; learned_positions: P is learned, else sinusoidal; positions: False
    leaves P out; scale: False leaves the factor sqrt(C) out; layernorm: LayerNorm after the sum; dropout: probability.
    """

    def __init__(
        self,
        tokens: nn.Embedding,
        max_positions: int,
        learned_positions: bool,
        positions: bool,
        scale: bool,
        layernorm: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        embed_dim = tokens.embedding_dim
        self.tokens = tokens
        self.scale = math.sqrt(embed_dim) if scale else 1.0
        self.positions: Optional[nn.Module] = None
        if positions:
            self.positions = PositionalEmbedding(
                max_positions, embed_dim, tokens.padding_idx, learned=learned_positions
            )
        self.layer_norm = nn.LayerNorm(embed_dim) if layernorm else None
        self.dropout = FairseqDropout(dropout, module_name=type(self).__name__)

    def forward(self, tokens: Tensor, last_only: bool = False) -> Tensor:
        """Return [B x T x C] for tokens [B x T]; with last_only the newest position alone [B x 1 x C].

        Positions count from the first token that is not padding, in step-by-step decoding too (fairseq's own embeddings count
        padding on the left there), so that both ways of decoding agree on every batch.
        """
        newest = tokens[:, -1:] if last_only else tokens
        x = self.scale * self.tokens(newest)
        if self.positions is not None:
            positions = self.positions(tokens)
            x = x + (positions[:, -1:] if last_only else positions)
        if self.layer_norm is not None:
            x = self.layer_norm(x)
        return self.dropout(x)

"""Multi-head attention over packed projections, with the caches of step-by-step decoding.

Shapes: B sentences (times beam), T queries, S keys, C channels, H heads, D = C / H. Masks are
boolean, True where a query may attend, and broadcast to [B x H x T x S]: the convention of torch's
scaled_dot_product_attention, which does the work.
"""

from typing import Dict, Optional, Tuple

import torch
import torch.nn.functional as F
from fairseq.incremental_decoding_utils import with_incremental_state
from fairseq.modules import FairseqDropout
from torch import Tensor, nn

from deepnet_fairseq.network import kv_cache

IncrementalState = Dict[str, Dict[str, Optional[Tensor]]]


class Attention(nn.Module):
    """What self- and cross-attention share: heads, output projection, cached keys and values.

    Args:
        embed_dim: C.
        num_heads: H.
        dropout: Probability, applied to the attention weights.
        inner_norm: A LayerNorm before the output projection, or None.

    Raises:
        ValueError: embed_dim is not a multiple of num_heads.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float,
        inner_norm: Optional[nn.Module] = None,
    ) -> None:
        super().__init__()
        if num_heads < 1 or embed_dim % num_heads != 0:
            raise ValueError(
                f"{num_heads} attention heads do not divide the embedding dimension {embed_dim}"
            )
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.dropout = FairseqDropout(dropout, module_name=type(self).__name__)
        self.inner_norm = inner_norm
        self.out_proj = nn.Linear(embed_dim, embed_dim)

    @property
    def last_projection(self) -> nn.Linear:
        """The projection that ends the sub-layer."""
        return self.out_proj

    def extra_repr(self) -> str:
        """Return the sizes, for `print(model)`."""
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, dropout={self.dropout.p}"

    def split_heads(self, x: Tensor) -> Tensor:
        """Return x [B x T x C] as [B x H x T x D]."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor], is_causal: bool = False
    ) -> Tensor:
        """Return the projected mixture of values [B x T x C].

        Args:
            q: Queries [B x H x T x D].
            k: Keys [B x H x S x D].
            v: Values [B x H x S x D].
            mask: See the module's docstring; None masks nothing.
            is_causal: Mask later positions.
        """
        # self.dropout is not called: scaled_dot_product_attention drops weights on its own
        dropout = self.dropout.p if self.training or self.dropout.apply_during_inference else 0.0
        x = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=is_causal
        )
        x = x.transpose(1, 2).flatten(2)  # (B, H, T, D) -> (B, T, C)
        return self.out_proj(x if self.inner_norm is None else self.inner_norm(x))

    def cached(
        self, incremental_state: Optional[IncrementalState]
    ) -> Optional[Dict[str, Optional[Tensor]]]:
        """Return the keys and values of earlier steps in incremental_state, or None."""
        return self.get_incremental_state(incremental_state, "attn_state")

    def keep(self, incremental_state: IncrementalState, state: Dict[str, Optional[Tensor]]) -> None:
        """Keep state for the next step: "prev_key", "prev_value" [B x H x S x D] and the rest."""
        self.set_incremental_state(incremental_state, "attn_state", state)


@with_incremental_state
class SelfAttention(Attention):
    """Self-attention; one weight [3C x C] holds the query, key and value projections."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float,
        inner_norm: Optional[nn.Module] = None,
    ) -> None:
        super().__init__(embed_dim, num_heads, dropout, inner_norm)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * embed_dim))

    def forward(
        self,
        x: Tensor,
        mask: Optional[Tensor] = None,
        is_causal: bool = False,
        incremental_state: Optional[IncrementalState] = None,
    ) -> Tensor:
        """Return [B x T x C] for x [B x T x C], the newest position only with incremental_state."""
        packed = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (B, T, 3C)
        q, k, v = map(self.split_heads, packed.chunk(3, dim=-1))  # (B, H, T, D) each
        if incremental_state is not None:
            state = kv_cache.append(self.cached(incremental_state), k, v)
            self.keep(incremental_state, state)
            k, v = state["prev_key"], state["prev_value"]  # (B, H, S, D)
        return self.attend(q, k, v, mask, is_causal)

    def reorder_incremental_state(
        self, incremental_state: IncrementalState, new_order: Tensor
    ) -> IncrementalState:
        """Reorder the cache as the beam moves: row i becomes row new_order[i]."""
        past = self.cached(incremental_state)
        if past is not None:
            self.keep(incremental_state, kv_cache.reorder(past, new_order))
        return incremental_state


@with_incremental_state
class CrossAttention(Attention):
    """Attention from the decoder to the encoder's output.

    One weight [2C x C_encoder] holds the key and value projections.
    """

    def __init__(
        self,
        embed_dim: int,
        encoder_embed_dim: int,
        num_heads: int,
        dropout: float,
        inner_norm: Optional[nn.Module] = None,
    ) -> None:
        super().__init__(embed_dim, num_heads, dropout, inner_norm)
        self.q_proj = nn.Linear(embed_dim, embed_dim)
        self.kv_proj_weight = nn.Parameter(torch.empty(2 * embed_dim, encoder_embed_dim))
        self.kv_proj_bias = nn.Parameter(torch.empty(2 * embed_dim))

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Optional[Tensor] = None,
        incremental_state: Optional[IncrementalState] = None,
    ) -> Tensor:
        """Return [B x T x C] for x [B x T x C] and the encoder's output memory [B x S x C_enc]."""
        k, v = self.keys_and_values(memory, incremental_state)
        return self.attend(self.split_heads(self.q_proj(x)), k, v, mask)

    def keys_and_values(
        self, memory: Tensor, incremental_state: Optional[IncrementalState]
    ) -> Tuple[Tensor, Tensor]:
        """Return the heads of memory [B x H x S x D], projected once: later steps use the cache."""
        past = self.cached(incremental_state)
        if past is not None:
            return past["prev_key"], past["prev_value"]
        packed = F.linear(memory, self.kv_proj_weight, self.kv_proj_bias)  # (B, S, 2C)
        k, v = map(self.split_heads, packed.chunk(2, dim=-1))
        if incremental_state is not None:
            self.keep(incremental_state, {"prev_key": k, "prev_value": v})
        return k, v

    def weights(
        self, x: Tensor, memory: Tensor, mask: Optional[Tensor], state: Optional[IncrementalState]
    ) -> Tensor:
        """Return the attention weights for alignments, mean over heads [B x T x S]."""
        k, _ = self.keys_and_values(memory, state)
        scores = self.split_heads(self.q_proj(x)) @ k.transpose(2, 3) * k.size(-1) ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        return scores.float().softmax(dim=-1).mean(dim=1)

    def reorder_incremental_state(
        self, incremental_state: IncrementalState, new_order: Tensor
    ) -> IncrementalState:
        """Reorder the cache when finished sentences leave the batch.

        Hypotheses of one sentence share their keys and values, and fairseq's search moves them only
        within the sentence, so an order of unchanged length needs no copy. (fairseq's
        MultiheadAttention has the same shortcut.)
        """
        past = self.cached(incremental_state)
        if past is not None and past["prev_key"].size(0) != new_order.size(0):
            self.keep(
                incremental_state,
                {name: tensor.index_select(0, new_order) for name, tensor in past.items()},
            )
        return incremental_state

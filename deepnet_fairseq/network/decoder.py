"""DeepNet's decoder under fairseq's FairseqIncrementalDecoder interface."""

from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq.models import FairseqIncrementalDecoder
from torch import Tensor, nn

from deepnet_fairseq.network.attention import IncrementalState
from deepnet_fairseq.network.embedding import TokenEmbedding
from deepnet_fairseq.network.encoder import EncoderOut
from deepnet_fairseq.network.layers import LayerStack

DecoderOut = Tuple[Tensor, Dict[str, List[Optional[Tensor]]]]


class DeepNetDecoder(FairseqIncrementalDecoder):
    """Embedding, a stack of decoder layers, and the projection to the vocabulary.

    Args: dictionary: the target side's; embedding, stack: built by the model; output_projection: C -> vocabulary; max_positions:
    longest target, in tokens.
    """

    def __init__(
        self,
        dictionary: object,
        embedding: TokenEmbedding,
        stack: LayerStack,
        output_projection: nn.Linear,
        max_positions: int,
    ) -> None:
        super().__init__(dictionary)
        self.padding_idx = embedding.tokens.padding_idx
        self.max_target_positions = max_positions
        self.embedding = embedding
        self.stack = stack
        self.output_projection = output_projection
        self.need_attn = False

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: Optional[EncoderOut] = None,
        incremental_state: Optional[IncrementalState] = None,
        features_only: bool = False,
        return_all_hiddens: bool = False,
        src_lengths: Optional[Any] = None,
    ) -> DecoderOut:
        """Return the logits [B x T x V] (or with features_only the features [B x T x C]) for prev_output_tokens [B x T].

        With incremental_state only the newest position is computed (T = 1); prev_output_tokens still holds the whole prefix. The
        second result holds "attn", the last layer's cross-attention [B x T x S] when generation asked for it (--print-alignment),
        and "inner_states", [T x B x C] after each layer with return_all_hiddens.
        """
        x, extra = self.extract_features(
            prev_output_tokens, encoder_out, incremental_state, return_all_hiddens
        )
        return (x if features_only else self.output_layer(x)), extra

    def extract_features(
        self,
        prev_output_tokens: Tensor,
        encoder_out: Optional[EncoderOut] = None,
        incremental_state: Optional[IncrementalState] = None,
        return_all_hiddens: bool = False,
    ) -> DecoderOut:
        """Return the features [B x T x C] and the same second result as `forward`. Raises ValueError without encoder_out."""
        if encoder_out is None:
            raise ValueError("DeepNetDecoder needs encoder_out: every layer attends to the encoder")
        memory = encoder_out["encoder_out"][0].transpose(0, 1)  # (B, S, C)
        padding = encoder_out["encoder_padding_mask"]
        memory_mask = ~padding[0][:, None, None, :] if padding else None  # (B, 1, 1, S)
        incremental = incremental_state is not None
        alignment: Optional[List[Tensor]] = [] if self.need_attn else None
        states: List[Tensor] = []
        x = self.stack(
            self.embedding(prev_output_tokens, last_only=incremental),
            memory,
            self.self_attention_mask(prev_output_tokens, incremental),
            memory_mask,
            incremental_state,
            hiddens=states if return_all_hiddens else None,
            alignment=alignment,
        )
        return x, {"attn": alignment or [None], "inner_states": states}

    def self_attention_mask(self, tokens: Tensor, incremental: bool) -> Optional[Tensor]:
        """Return where each position of tokens [B x T] may look [B x 1 x T x T] ([B x 1 x 1 x T] for the newest alone).

        None, the common case, means all earlier positions: padding on the right never comes before a token. Padding on the left
        does; a position may always look at itself, so that no row is empty and no NaN reaches the cache.
        """
        padding = tokens.eq(self.padding_idx)
        if not padding[:, :1].any():
            return None
        length = tokens.size(1)
        itself = torch.eye(length, dtype=torch.bool, device=tokens.device)
        mask = (itself.new_ones(length, length).tril() & ~padding[:, None, None, :]) | itself
        return mask[:, :, -1:] if incremental else mask

    def output_layer(self, features: Tensor, **kwargs: Any) -> Tensor:
        """Return the logits [B x T x V] of features [B x T x C]."""
        return self.output_projection(features)

    def make_generation_fast_(self, need_attn: Any = False, **kwargs: Any) -> None:
        """Take note of --print-alignment: attention weights are computed for nobody else."""
        self.need_attn = bool(need_attn)

    def max_positions(self) -> int:
        """Return the longest target, in tokens."""
        return self.max_target_positions

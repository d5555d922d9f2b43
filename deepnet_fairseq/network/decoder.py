"""DeepNet's decoder under fairseq's FairseqIncrementalDecoder interface."""

from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq.data import Dictionary
from fairseq.models import FairseqIncrementalDecoder
from torch import Tensor, nn

from deepnet_fairseq.network.attention import IncrementalState
from deepnet_fairseq.network.embedding import TokenEmbedding
from deepnet_fairseq.network.encoder import EncoderOut
from deepnet_fairseq.network.layers import LayerStack

DecoderOut = Tuple[Tensor, Dict[str, List[Optional[Tensor]]]]


class DeepNetDecoder(FairseqIncrementalDecoder):
    """Embedding, a stack of decoder layers, and the projection to the vocabulary.

    Args:
        dictionary: The target side's.
        embedding: Built by the model.
        stack: Built by the model.
        output_projection: From C to the vocabulary's size V.
        max_positions: Maximum target length in tokens.
    """

    def __init__(
        self,
        dictionary: Dictionary,
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
        """Return the logits for prev_output_tokens [B x T], teacher-forced or step by step.

        With incremental_state only the newest position is computed (T = 1); prev_output_tokens is
        still the whole prefix.

        Returns:
            The logits [B x T x V], or with features_only the features [B x T x C]. Then a
            dictionary: "attn" is a list with the last layer's cross-attention [B x T x S] if
            generation asked for it (--print-alignment), otherwise with None; "inner_states" are
            [T x B x C] after each layer with return_all_hiddens.

        Raises:
            ValueError: There is no encoder_out.
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
        """Return the features [B x T x C] and the dictionary of `forward`."""
        if encoder_out is None:
            raise ValueError("DeepNetDecoder needs encoder_out: every layer attends to the encoder")
        # 1. Mask the source's padding and the target's future.
        memory = encoder_out["encoder_out"][0].transpose(0, 1)  # (S, B, C_enc) -> (B, S, C_enc)
        padding = encoder_out["encoder_padding_mask"]
        memory_mask = ~padding[0][:, None, None, :] if padding else None  # (B, 1, 1, S)
        newest_only = incremental_state is not None
        self_mask = self.self_attention_mask(prev_output_tokens, newest_only)
        context = (memory, self_mask, memory_mask, incremental_state)

        # 2. Embed tokens and positions.
        x = self.embedding(prev_output_tokens, newest_only)  # (B, T, C)

        # 3. Run the layers that LayerDrop keeps; the last one also gives the alignment.
        stream = self.stack.scheme.begin(x)
        alignment: Optional[List[Tensor]] = [] if self.need_attn else None
        states: List[Tensor] = []
        layers = list(self.stack.layers)
        for layer in layers:
            is_last = layer is layers[-1]
            stream = self.stack.run(layer, stream, *context, alignment if is_last else None)
            if return_all_hiddens:
                states.append(stream.x.transpose(0, 1))

        # 4. Normalize the stream, if the residual scheme asks for it.
        x = self.stack.scheme.end(stream, self.stack.final_norm)
        return x, {"attn": alignment or [None], "inner_states": states}

    def self_attention_mask(self, tokens: Tensor, newest_only: bool) -> Optional[Tensor]:
        """Return the positions that each position of tokens [B x T] may attend to.

        Padding on the right never precedes a token, so causal attention is enough there: None.
        Padding on the left does. A position may always attend to itself, so that no row is empty
        and no NaN reaches the cache.

        Returns:
            A mask [B x 1 x T x T], [B x 1 x 1 x T] with newest_only, or None.
        """
        padding = tokens.eq(self.padding_idx)
        if not padding[:, :1].any():
            return None
        length = tokens.size(1)
        itself = torch.eye(length, dtype=torch.bool, device=tokens.device)
        mask = (itself.new_ones(length, length).tril() & ~padding[:, None, None, :]) | itself
        return mask[:, :, -1:] if newest_only else mask

    def output_layer(self, features: Tensor, **kwargs: Any) -> Tensor:
        """Return the logits [B x T x V] of features [B x T x C]."""
        return self.output_projection(features)

    def make_generation_fast_(self, need_attn: Any = False, **kwargs: Any) -> None:
        """Keep the request of --print-alignment, the only use of attention weights."""
        self.need_attn = bool(need_attn)

    def max_positions(self) -> int:
        """Return the maximum target length in tokens."""
        return self.max_target_positions

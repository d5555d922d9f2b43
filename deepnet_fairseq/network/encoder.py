"""DeepNet's encoder under fairseq's FairseqEncoder interface."""

from typing import Dict, List, Optional

from fairseq.models import FairseqEncoder
from torch import Tensor

from deepnet_fairseq.network.embedding import TokenEmbedding
from deepnet_fairseq.network.layers import LayerStack

EncoderOut = Dict[str, List[Tensor]]


class DeepNetEncoder(FairseqEncoder):
    """Embedding and a stack of encoder layers.

    Args: dictionary: the source side's; embedding, stack: built by the model; max_positions: longest source, in tokens.
    """

    def __init__(
        self, dictionary: object, embedding: TokenEmbedding, stack: LayerStack, max_positions: int
    ) -> None:
        super().__init__(dictionary)
        self.padding_idx = embedding.tokens.padding_idx
        self.max_source_positions = max_positions
        self.embedding = embedding
        self.stack = stack

    def forward(
        self,
        src_tokens: Tensor,
        src_lengths: Optional[Tensor] = None,
        return_all_hiddens: bool = False,
    ) -> EncoderOut:
        """Encode src_tokens [B x S], padded on either side.

        Returns fairseq's dictionary of lists: encoder_out [S x B x C]; encoder_padding_mask [B x S], True at padding, the list empty
        when nothing is padded; encoder_states, [S x B x C] after each layer with return_all_hiddens.
        """
        padding = src_tokens.eq(self.padding_idx)
        padded = bool(padding.any())
        states: List[Tensor] = []
        x = self.stack(
            self.embedding(src_tokens),
            ~padding[:, None, None, :] if padded else None,  # (B, 1, 1, S)
            hiddens=states if return_all_hiddens else None,
        )
        return {
            "encoder_out": [x.transpose(0, 1)],
            "encoder_padding_mask": [padding] if padded else [],
            "encoder_embedding": [],
            "encoder_states": states,
            "src_tokens": [],
            "src_lengths": [],
        }

    def reorder_encoder_out(self, encoder_out: EncoderOut, new_order: Tensor) -> EncoderOut:
        """Return encoder_out with sentence new_order[i] at place i: for beams, and for sentences that finish early."""
        batch_dim = {"encoder_padding_mask": 0}
        return {
            name: [t.index_select(batch_dim.get(name, 1), new_order) for t in tensors]
            for name, tensors in encoder_out.items()
        }

    def max_positions(self) -> int:
        """Return the longest source, in tokens."""
        return self.max_source_positions

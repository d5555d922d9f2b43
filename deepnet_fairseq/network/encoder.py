"""DeepNet's encoder under fairseq's FairseqEncoder interface."""

from typing import Dict, List, Optional

from fairseq.data import Dictionary
from fairseq.models import FairseqEncoder
from torch import Tensor

from deepnet_fairseq.network.embedding import TokenEmbedding
from deepnet_fairseq.network.layers import LayerStack

EncoderOut = Dict[str, List[Tensor]]


class DeepNetEncoder(FairseqEncoder):
    """Embedding and a stack of encoder layers.

    Args:
        dictionary: The source side's.
        embedding: Built by the model.
        stack: Built by the model.
        max_positions: Maximum source length in tokens.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        embedding: TokenEmbedding,
        stack: LayerStack,
        max_positions: int,
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

        Returns:
            fairseq's dictionary of lists: encoder_out [S x B x C]; encoder_padding_mask [B x S],
            True at padding, an empty list if nothing is padded; encoder_states [S x B x C] after
            each layer with return_all_hiddens.
        """
        # 1. Mask the padding.
        padding = src_tokens.eq(self.padding_idx)
        padded = bool(padding.any())
        mask = ~padding[:, None, None, :] if padded else None  # (B, 1, 1, S)

        # 2. Embed tokens and positions.
        x = self.embedding(src_tokens)  # (B, S, C)

        # 3. Run the layers that LayerDrop keeps.
        stream = self.stack.scheme.begin(x)
        states: List[Tensor] = []
        for layer in self.stack.layers:
            stream = self.stack.run(layer, stream, mask)
            if return_all_hiddens:
                states.append(stream.x.transpose(0, 1))

        # 4. Normalize the stream, if the residual scheme asks for it.
        x = self.stack.scheme.end(stream, self.stack.final_norm)
        return {
            "encoder_out": [x.transpose(0, 1)],  # (S, B, C)
            "encoder_padding_mask": [padding] if padded else [],
            "encoder_embedding": [],
            "encoder_states": states,
            "src_tokens": [],
            "src_lengths": [],
        }

    def reorder_encoder_out(self, encoder_out: EncoderOut, new_order: Tensor) -> EncoderOut:
        """Return encoder_out with sentence new_order[i] in row i.

        fairseq's search calls it to repeat sentences for the beam and to drop finished ones.
        """
        batch_dim = {"encoder_padding_mask": 0}
        return {
            name: [t.index_select(batch_dim.get(name, 1), new_order) for t in tensors]
            for name, tensors in encoder_out.items()
        }

    def max_positions(self) -> int:
        """Return the maximum source length in tokens."""
        return self.max_source_positions

"""A stack of layers inside the real encoder or decoder, on vectors in place of tokens."""

import torch
from fairseq.data import Dictionary
from torch import Tensor, nn

from deepnet_fairseq.network.decoder import DeepNetDecoder
from deepnet_fairseq.network.encoder import DeepNetEncoder
from deepnet_fairseq.network.layers import LayerStack

TOKEN = 9  # any but padding


class Vectors(nn.Module):
    """An embedding that returns x [B x T x C] for any tokens."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.tokens = nn.Embedding(10, 1, padding_idx=1)
        self.x = x

    def forward(self, tokens: Tensor, newest_only: bool = False) -> Tensor:
        return self.x


def encode(stack: LayerStack, x: Tensor) -> Tensor:
    """Return what an encoder with these layers makes of x [B x S x C]."""
    encoder = DeepNetEncoder(Dictionary(), Vectors(x), stack, max_positions=x.size(1))
    return encoder(tokens_of(x))["encoder_out"][0].transpose(0, 1)


def decode(stack: LayerStack, x: Tensor, memory: Tensor) -> Tensor:
    """Return what a decoder makes of x [B x T x C] after an encoder's memory [B x S x C]."""
    decoder = DeepNetDecoder(Dictionary(), Vectors(x), stack, nn.Identity(), x.size(1))
    encoder_out = {"encoder_out": [memory.transpose(0, 1)], "encoder_padding_mask": []}
    return decoder(tokens_of(x), encoder_out)[0]


def tokens_of(x: Tensor) -> Tensor:
    """Return tokens [B x T], none of them padding."""
    return torch.full(x.shape[:2], TOKEN)

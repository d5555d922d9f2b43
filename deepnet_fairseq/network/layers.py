"""One encoder layer, one decoder layer, and a stack of either."""

from typing import Any, Callable, List, Optional

from fairseq import utils
from fairseq.modules import FairseqDropout, LayerDropModuleList
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from deepnet_fairseq.network.attention import CrossAttention, IncrementalState, SelfAttention

# Makes the residual connection of one sub-layer; the model binds scheme, width, dropout and scaling.
ResidualFactory = Callable[[], nn.Module]


class FeedForward(nn.Module):
    """fc2(activation(fc1(x))) on [B x T x C], with inner_norm a LayerNorm before fc2 (Sub-LN)."""

    def __init__(
        self,
        embed_dim: int,
        ffn_embed_dim: int,
        activation_fn: str,
        dropout: float,
        inner_norm: bool = False,
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, ffn_embed_dim)
        self.inner_norm = nn.LayerNorm(ffn_embed_dim) if inner_norm else None
        self.fc2 = nn.Linear(ffn_embed_dim, embed_dim)
        self.activation_name = activation_fn
        self.activation = utils.get_activation_fn(activation_fn)
        self.dropout = FairseqDropout(dropout, module_name=type(self).__name__)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.activation(self.fc1(x)))
        return self.fc2(x if self.inner_norm is None else self.inner_norm(x))

    def extra_repr(self) -> str:
        return f"activation={self.activation_name}"


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward, each behind its residual connection."""

    def __init__(
        self, self_attn: SelfAttention, ffn: FeedForward, residual: ResidualFactory
    ) -> None:
        super().__init__()
        self.self_attn = self_attn
        self.self_attn_residual = residual()
        self.ffn = ffn
        self.ffn_residual = residual()

    def forward(self, x: Tensor, mask: Optional[Tensor]) -> Tensor:
        """Return the stream [B x S x C]; mask as in `attention`."""
        x = self.self_attn_residual(x, lambda x: self.self_attn(x, mask))
        return self.ffn_residual(x, self.ffn)


class DecoderLayer(nn.Module):
    """Masked self-attention, cross-attention, then feed-forward, each behind its residual connection."""

    def __init__(
        self,
        self_attn: SelfAttention,
        encoder_attn: CrossAttention,
        ffn: FeedForward,
        residual: ResidualFactory,
    ) -> None:
        super().__init__()
        self.self_attn = self_attn
        self.self_attn_residual = residual()
        self.encoder_attn = encoder_attn
        self.encoder_attn_residual = residual()
        self.ffn = ffn
        self.ffn_residual = residual()

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        self_mask: Optional[Tensor],
        memory_mask: Optional[Tensor],
        incremental_state: Optional[IncrementalState] = None,
        alignment: Optional[List[Tensor]] = None,
    ) -> Tensor:
        """Return the stream [B x T x C].

        self_mask None means plain causal attention over x (or, with incremental_state, over everything cached so far). A list given
        as alignment receives the cross-attention weights [B x T x S].
        """
        is_causal = self_mask is None and incremental_state is None
        x = self.self_attn_residual(
            x, lambda x: self.self_attn(x, self_mask, is_causal, incremental_state)
        )

        def attend_to_encoder(x: Tensor) -> Tensor:
            if alignment is not None:
                alignment.append(
                    self.encoder_attn.weights(x, memory, memory_mask, incremental_state)
                )
            return self.encoder_attn(x, memory, memory_mask, incremental_state)

        x = self.encoder_attn_residual(x, attend_to_encoder)
        return self.ffn_residual(x, self.ffn)


class LayerStack(nn.Module):
    """Layers one after the other, with LayerDrop (Fan et al. 2020) and activation checkpointing in training.

    Args: layers: the modules; layerdrop: probability of leaving a layer out in training; checkpoint_activations: keep only each
    layer's input in training and compute the rest again in the backward pass; final_norm: a LayerNorm for the end, or None.
    """

    def __init__(
        self,
        layers: List[nn.Module],
        layerdrop: float,
        checkpoint_activations: bool,
        final_norm: Optional[nn.Module],
    ) -> None:
        super().__init__()
        self.layers = (
            LayerDropModuleList(layerdrop, layers) if layerdrop > 0 else nn.ModuleList(layers)
        )
        self.checkpoint_activations = checkpoint_activations
        self.final_norm = final_norm

    def forward(
        self, x: Tensor, *context: Any, hiddens: Optional[List[Tensor]] = None, **last_layer: Any
    ) -> Tensor:
        """Return the stream [B x T x C] after every layer called as layer(x, *context); the last one also gets **last_layer.

        A list given as hiddens receives the stream [T x B x C] after each layer.
        """
        layers = list(self.layers)  # LayerDrop draws anew on every iteration
        for i, layer in enumerate(layers):
            extra = last_layer if i == len(layers) - 1 else {}
            if self.checkpoint_activations and self.training:
                x = checkpoint(layer, x, *context, use_reentrant=False, **extra)
            else:
                x = layer(x, *context, **extra)
            if hiddens is not None:
                hiddens.append(x.transpose(0, 1))
        return x if self.final_norm is None else self.final_norm(x)

"""One encoder layer, one decoder layer, and a stack of either."""

from typing import Any, Callable, Iterator, List, Optional, Tuple, Type

from fairseq import utils
from fairseq.modules import FairseqDropout, LayerDropModuleList
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from deepnet_fairseq.network.attention import CrossAttention, IncrementalState, SelfAttention
from deepnet_fairseq.network.residual import Residual, Stream

# Makes the residual of one sub-layer: residual(ends_layer). The model binds the other arguments.
ResidualFactory = Callable[[bool], Residual]


class FeedForward(nn.Module):
    """fc2(activation(fc1(x))).

    Args:
        embed_dim: C.
        ffn_embed_dim: Width between fc1 and fc2.
        activation_fn: fairseq's name of the activation.
        dropout: Probability, applied after the activation.
        inner_norm: A LayerNorm before fc2, or None.
    """

    def __init__(
        self,
        embed_dim: int,
        ffn_embed_dim: int,
        activation_fn: str,
        dropout: float,
        inner_norm: Optional[nn.Module] = None,
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, ffn_embed_dim)
        self.inner_norm = inner_norm
        self.fc2 = nn.Linear(ffn_embed_dim, embed_dim)
        self.activation_name = activation_fn
        self.activation = utils.get_activation_fn(activation_fn)
        self.dropout = FairseqDropout(dropout, module_name=type(self).__name__)

    @property
    def last_projection(self) -> nn.Linear:
        """The projection that ends the sub-layer."""
        return self.fc2

    def forward(self, x: Tensor) -> Tensor:
        """Return [B x T x C] for x [B x T x C]."""
        x = self.dropout(self.activation(self.fc1(x)))  # (B, T, ffn_embed_dim)
        return self.fc2(x if self.inner_norm is None else self.inner_norm(x))

    def extra_repr(self) -> str:
        """Return the activation, for `print(model)`."""
        return f"activation={self.activation_name}"


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward, each with its residual connection."""

    def __init__(
        self, self_attn: SelfAttention, ffn: FeedForward, residual: ResidualFactory
    ) -> None:
        super().__init__()
        self.self_attn = self_attn
        self.self_attn_residual = residual(False)
        self.ffn = ffn
        self.ffn_residual = residual(True)

    def sub_layers(self) -> Iterator[Tuple[nn.Module, Residual]]:
        """Yield each sub-layer and its residual, in the order in which they run."""
        yield self.self_attn, self.self_attn_residual
        yield self.ffn, self.ffn_residual

    def forward(self, stream: Stream, mask: Optional[Tensor]) -> Stream:
        """Return the stream after this layer; mask as in `attention`."""
        stream = stream._replace(layer_input=stream.x)
        stream = self.self_attn_residual(stream, lambda x: self.self_attn(x, mask))
        return self.ffn_residual(stream, self.ffn)


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention, then feed-forward, each with its residual."""

    def __init__(
        self,
        self_attn: SelfAttention,
        encoder_attn: CrossAttention,
        ffn: FeedForward,
        residual: ResidualFactory,
    ) -> None:
        super().__init__()
        self.self_attn = self_attn
        self.self_attn_residual = residual(False)
        self.encoder_attn = encoder_attn
        self.encoder_attn_residual = residual(False)
        self.ffn = ffn
        self.ffn_residual = residual(True)

    def sub_layers(self) -> Iterator[Tuple[nn.Module, Residual]]:
        """Yield each sub-layer and its residual, in the order in which they run."""
        yield self.self_attn, self.self_attn_residual
        yield self.encoder_attn, self.encoder_attn_residual
        yield self.ffn, self.ffn_residual

    def forward(
        self,
        stream: Stream,
        memory: Tensor,
        self_mask: Optional[Tensor],
        memory_mask: Optional[Tensor],
        incremental_state: Optional[IncrementalState] = None,
        alignment: Optional[List[Tensor]] = None,
    ) -> Stream:
        """Return the stream after this layer.

        Args:
            stream: The stream before it.
            memory: The encoder's output [B x S x C_encoder].
            self_mask: As in `attention`. None means causal attention over x or, with
                incremental_state, attention over all positions cached so far.
            memory_mask: As in `attention`.
            incremental_state: fairseq's cache for step-by-step decoding.
            alignment: A list to which the cross-attention weights [B x T x S] are appended.
        """
        is_causal = self_mask is None and incremental_state is None

        def attend_to_prefix(x: Tensor) -> Tensor:
            return self.self_attn(x, self_mask, is_causal, incremental_state)

        def attend_to_encoder(x: Tensor) -> Tensor:
            if alignment is not None:
                weights = self.encoder_attn.weights(x, memory, memory_mask, incremental_state)
                alignment.append(weights)
            return self.encoder_attn(x, memory, memory_mask, incremental_state)

        stream = stream._replace(layer_input=stream.x)
        stream = self.self_attn_residual(stream, attend_to_prefix)
        stream = self.encoder_attn_residual(stream, attend_to_encoder)
        return self.ffn_residual(stream, self.ffn)


class LayerStack(nn.Module):
    """The layers of one side and what belongs to all of them; encoder and decoder run them.

    Args:
        layers: Encoder or decoder layers.
        layerdrop: Probability of skipping a layer in training (LayerDrop, Fan et al. 2020).
        checkpoint_activations: Keep only each layer's input in training; the backward pass
            recomputes the rest.
        scheme: The residual scheme, which begins and ends the stream.
        final_norm: The scheme's LayerNorm for the end, or None.
    """

    def __init__(
        self,
        layers: List[nn.Module],
        layerdrop: float,
        checkpoint_activations: bool,
        scheme: Type[Residual],
        final_norm: Optional[nn.Module],
    ) -> None:
        super().__init__()
        if layerdrop > 0:
            # draws on each iteration
            self.layers: nn.ModuleList = LayerDropModuleList(layerdrop, layers)
        else:
            self.layers = nn.ModuleList(layers)
        self.checkpoint_activations = checkpoint_activations
        self.scheme = scheme
        self.final_norm = final_norm

    def run(self, layer: nn.Module, stream: Stream, *context: Any) -> Stream:
        """Return layer(stream, *context), checkpointed in training if the option is on."""
        if self.checkpoint_activations and self.training:
            return checkpoint(layer, stream, *context, use_reentrant=False)
        return layer(stream, *context)

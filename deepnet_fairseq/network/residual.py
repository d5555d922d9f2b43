"""How a sub-layer's output joins the residual stream: Post-LN, DeepNorm and Pre-LN.

A residual scheme is a class. Each sub-layer (self-attention, cross-attention, feed-forward) has an
instance of it, which owns the sub-layer's dropout and LayerNorm; `print(model)` shows them. Most
schemes are one formula, `connect`. What else a scheme asks of the model, its methods say: constants
and initial gains (`scaling`, `gains`), further LayerNorms, and what growing the model has to do.

The rivals that DeepNorm is compared with are in rivals.py and admin.py, the registry in schemes.py.
"""

from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Tuple

import torch
from fairseq.modules import FairseqDropout
from torch import Tensor, nn

from deepnet_fairseq.network.scaling import UNSCALED, Scaling, encoder_decoder

if TYPE_CHECKING:  # the config lists the schemes, so it imports this module
    from deepnet_fairseq.network.config import DeepNetConfig

SubLayer = Callable[[Tensor], Tensor]


class Gains(NamedTuple):
    """Xavier gains of one layer's weights."""

    others: float  # feed-forward, value and output projections
    query_key: float = 1.0


class Stream(NamedTuple):
    """The residual stream between two sub-layers.

    Args:
        x: What the next sub-layer reads [B x T x C].
        layer_input: x at the input of the current layer [B x T x C].
        second: The second stream of a scheme that has two [B x T x C].
    """

    x: Tensor
    layer_input: Optional[Tensor] = None
    second: Optional[Tensor] = None


class Residual(nn.Module):
    """Base class of the residual schemes.

    Args:
        config: The model's options.
        embed_dim: Width C of the stream.
        scaling: Constants (alpha, beta) of the stack.
        ends_layer: Whether the sub-layer is the last one of its layer.
    """

    def __init__(
        self, config: "DeepNetConfig", embed_dim: int, scaling: Scaling, ends_layer: bool
    ) -> None:
        super().__init__()
        self.ends_layer = ends_layer
        # obeys --retain-dropout
        self.dropout = FairseqDropout(config.dropout, module_name=type(self).__name__)

    def forward(self, stream: Stream, sub_layer: SubLayer) -> Stream:
        """Return the stream after the sub-layer; override it to read more of the stream than x."""
        return stream._replace(x=self.connect(stream.x, sub_layer))

    def connect(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        """Return x [B x T x C] after the sub-layer f, a function of x."""
        raise NotImplementedError(f"{type(self).__name__} defines no residual connection")

    @classmethod
    def scaling(cls, config: "DeepNetConfig") -> Tuple[Scaling, Scaling]:
        """Return the constants of the encoder and of the decoder."""
        return UNSCALED, UNSCALED

    @classmethod
    def gains(cls, layer: int, scaling: Scaling) -> Gains:
        """Return the initial gains of a layer, counted from 1 at the input of its stack."""
        return Gains(scaling.beta)

    @classmethod
    def begin(cls, x: Tensor) -> Stream:
        """Return the stream at the input of a stack, for embeddings x [B x T x C]."""
        return Stream(x)

    @classmethod
    def end(cls, stream: Stream, final_norm: Optional[nn.Module]) -> Tensor:
        """Return the output of a stack [B x T x C]."""
        return stream.x if final_norm is None else final_norm(stream.x)

    @classmethod
    def build_final_norm(cls, embed_dim: int) -> Optional[nn.Module]:
        """Return the LayerNorm at the end of a stack, or None if the scheme has none."""
        return None

    @classmethod
    def build_inner_norm(cls, dim: int) -> Optional[nn.Module]:
        """Return the LayerNorm before a sub-layer's last projection, or None if there is none."""
        return None

    # A pass over the first training batch, which sets what the scheme measures; see admin.py.
    # Called with the model, src_tokens [B x S], src_lengths [B] and prev_output_tokens [B x T].
    profile_batch_: Optional[Callable[..., None]] = None

    @classmethod
    def check_growth(cls, config: "DeepNetConfig") -> None:
        """Raise UserError for options with which a trained model cannot grow; see growth.py."""

    def grow_(self, trained: "Residual", projection: nn.Linear) -> None:
        """Keep trained's function in a deeper model.

        Args:
            trained: The shallower model's residual; self already has its state.
            projection: The last projection of self's sub-layer; it has the trained weights.
        """

    def insert_(self, previous: "Residual", projection: nn.Linear) -> None:
        """Become an identity that learns from the first update.

        Args:
            previous: The residual before this new one in the stack.
            projection: The last projection of self's sub-layer.
        """
        nn.init.zeros_(projection.weight)
        nn.init.zeros_(projection.bias)


class PostNorm(Residual):
    """LN(x + f(x)): Post-LN, the original Transformer (Vaswani et al. 2017)."""

    def __init__(
        self, config: "DeepNetConfig", embed_dim: int, scaling: Scaling, ends_layer: bool
    ) -> None:
        super().__init__(config, embed_dim, scaling, ends_layer)
        self.layer_norm = nn.LayerNorm(embed_dim)

    def connect(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        """Return LN(x + f(x))."""
        return self.layer_norm(x + self.dropout(sub_layer(x)))

    def insert_(self, previous: "PostNorm", projection: nn.Linear) -> None:
        """Take over previous's LayerNorm: a normalized stream needs no second weight and bias."""
        super().insert_(previous, projection)
        self.layer_norm.load_state_dict(previous.layer_norm.state_dict())
        previous.layer_norm.reset_parameters()


class DeepNorm(PostNorm):
    """LN(alpha * x + f(x)): DeepNet (Wang et al. 2022, arXiv 2203.00555), Figure 2."""

    def __init__(
        self, config: "DeepNetConfig", embed_dim: int, scaling: Scaling, ends_layer: bool
    ) -> None:
        super().__init__(config, embed_dim, scaling, ends_layer)
        self.alpha = scaling.alpha

    def connect(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        """Return LN(alpha * x + f(x))."""
        # one kernel for the product and the sum
        return self.layer_norm(torch.add(self.dropout(sub_layer(x)), x, alpha=self.alpha))

    @classmethod
    def scaling(cls, config: "DeepNetConfig") -> Tuple[Scaling, Scaling]:
        """Return alpha and beta of Section 3's table, for N encoder and M decoder layers."""
        N, M = config.encoder.layers, config.decoder.layers
        return encoder_decoder(N, M, config.deepnorm_encoder_gain)

    def grow_(self, trained: "DeepNorm", projection: nn.Linear) -> None:
        """Scale f as alpha has grown: LN ignores a factor common to alpha * x and f(x)."""
        ratio = self.alpha / trained.alpha
        projection.weight.mul_(ratio)
        projection.bias.mul_(ratio)

    def extra_repr(self) -> str:
        """Return alpha, for `print(model)`."""
        return f"alpha={self.alpha:.4f}"


class PreNorm(Residual):
    """x + f(LN(x)): Pre-LN (Wang et al. 2019; Xiong et al. 2020), with a LayerNorm at the end."""

    def __init__(
        self, config: "DeepNetConfig", embed_dim: int, scaling: Scaling, ends_layer: bool
    ) -> None:
        super().__init__(config, embed_dim, scaling, ends_layer)
        self.layer_norm = nn.LayerNorm(embed_dim)

    def connect(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        """Return x + f(LN(x))."""
        return x + self.dropout(sub_layer(self.layer_norm(x)))

    @classmethod
    def build_final_norm(cls, embed_dim: int) -> nn.Module:
        """Return a LayerNorm: the stream itself is not normalized."""
        return nn.LayerNorm(embed_dim)

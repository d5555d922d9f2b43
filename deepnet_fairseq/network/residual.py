"""How a sub-layer's output joins the residual stream: DeepNorm and its rivals, one class each.

Each is a module that owns the LayerNorm and the dropout of one sub-layer and is called as ``residual(x, f)`` with x [B x T x C]
and f the sub-layer, a function of x. `print(model)` shows which one stands where, with its alpha. What a scheme asks of the rest of the
model, its class says: constants of the stack, initial gains of each layer, further LayerNorms, options of its own, a profiling pass.
"""

from typing import Callable, Dict, NamedTuple, Optional, Tuple, Type

import torch
from fairseq.modules import FairseqDropout
from torch import Tensor, nn

from deepnet_fairseq.network import scaling as constants
from deepnet_fairseq.network.scaling import UNSCALED, Scaling

SubLayer = Callable[[Tensor], Tensor]


class Gains(NamedTuple):
    """Xavier gains of one layer's weights."""

    others: float  # feed-forward, value and output projections
    query_key: float = 1.0


class Residual(nn.Module):
    """What all residual connections share.

    Args: embed_dim: C; dropout: probability, applied to f(x) before the sum; scaling: (alpha, beta) of the stack; own: the values of
    `options`.
    """

    # Whether the scheme leaves the stream un-normalised, so that the stack ends with a LayerNorm of its own.
    needs_final_norm = False
    # Whether the LayerNorm stands behind the sum, and so changes even a stream to which nothing is added.
    normalizes_sum = False
    # Whether a new sub-layer adds nothing to the stream, whatever its weights.
    starts_silent = False
    # Whether the sub-layer itself is normalised before its last projection.
    normalizes_inside = False
    # Whether (alpha, beta) are DeepNorm's, of which there are two versions; see scaling.ENCODER_GAINS.
    uses_depth_scaling = False
    # Whether the first training batch must be profiled; see profiling.py.
    needs_profile = False
    # Options of DeepNetConfig that `build` takes.
    options: Tuple[str, ...] = ()

    def __init__(self, embed_dim: int, dropout: float, scaling: Scaling, **own: int) -> None:
        super().__init__()
        self.dropout = FairseqDropout(
            dropout, module_name=type(self).__name__
        )  # obeys --retain-dropout
        self.build(embed_dim, scaling, **own)

    def build(self, embed_dim: int, scaling: Scaling) -> None:
        """Make what the scheme needs beside the dropout."""
        self.layer_norm = nn.LayerNorm(embed_dim)

    @classmethod
    def scaling(cls, N: int, M: int, encoder_gain: str) -> Tuple[Scaling, Scaling]:
        """The constants of the encoder and of the decoder in a model of N encoder and M decoder layers."""
        return UNSCALED, UNSCALED

    @classmethod
    def gains(cls, layer: int, scaling: Scaling) -> Gains:
        """The initial gains of a stack's layer, counted from 1 at the input."""
        return Gains(scaling.beta)

    def forward(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        """Return the stream [B x T x C] after the sub-layer."""
        raise TypeError(
            f"{type(self).__name__} defines no residual connection: use one of {', '.join(RESIDUALS)}"
        )


class PostNorm(Residual):
    """LN(x + f(x)): the original Transformer (Vaswani et al. 2017)."""

    normalizes_sum = True

    def forward(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        return self.layer_norm(x + self.dropout(sub_layer(x)))


class DeepNorm(Residual):
    """LN(alpha * x + f(x)): DeepNet (Wang et al. 2022), Figure 2."""

    normalizes_sum = True
    uses_depth_scaling = True

    def build(self, embed_dim: int, scaling: Scaling) -> None:
        super().build(embed_dim, scaling)
        self.alpha = scaling.alpha

    @classmethod
    def scaling(cls, N: int, M: int, encoder_gain: str) -> Tuple[Scaling, Scaling]:
        return constants.encoder_decoder(N, M, encoder_gain)

    def forward(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        # one kernel for the product and the sum
        return self.layer_norm(torch.add(self.dropout(sub_layer(x)), x, alpha=self.alpha))

    def extra_repr(self) -> str:
        return f"alpha={self.alpha:.4f}"


class PreNorm(Residual):
    """x + f(LN(x)): Pre-LN (Wang et al. 2019; Xiong et al. 2020); the stack ends with a LayerNorm."""

    needs_final_norm = True

    def forward(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        return x + self.dropout(sub_layer(self.layer_norm(x)))


class SubNorm(PreNorm):
    """x + f(LN(x)) with another LayerNorm inside f, before its last projection: Sub-LN of Magneto (Wang et al. 2022, arXiv 2210.06423).

    The initial gain of feed-forward, value and output projections grows with the logarithm of the depth.
    """

    normalizes_inside = True

    @classmethod
    def scaling(cls, N: int, M: int, encoder_gain: str) -> Tuple[Scaling, Scaling]:
        return constants.sub_ln(N, M)


class DepthScaledInit(PostNorm):
    """LN(x + f(x)) with all weights of layer l smaller by 1/√l: DS-Init (Zhang et al. 2019, arXiv 1908.11365, section 4).

    The original draws from a uniform distribution and has a factor α, 1 in its experiments; this one is Xavier-normal with the same
    variance. Its layers count from 1 in encoder and decoder alike.
    """

    @classmethod
    def gains(cls, layer: int, scaling: Scaling) -> Gains:
        return Gains(layer**-0.5, layer**-0.5)


class ReZero(Residual):
    """x + g · f(x), where g is learnt and zero at the start: ReZero (Bachlechner et al. 2020, arXiv 2003.04887). There is no LayerNorm."""

    starts_silent = True

    def build(self, embed_dim: int, scaling: Scaling) -> None:
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        return x + self.gain * self.dropout(sub_layer(x))


class BranchNorm(Residual):
    """LN(x + a · f(x)), where a grows from 0 to 1 over the first T updates: BranchNorm (Liu et al. 2023, arXiv 2305.02790).

    The formula, a = min(1, t/T), and T = 4000 are NOT verified against the paper. Secondary sources say only that the branch is rescaled
    in the course of the training, that Post-LN stands at its end, and that T is called the maximum norm step. Here t is 1 in the first
    update, so that f learns from the start. Weights are drawn with gain 1; the paper's initialisation is not known here.
    """

    normalizes_sum = True
    options = ("branchnorm_updates",)
    branch_weight: Tensor

    def build(self, embed_dim: int, scaling: Scaling, branchnorm_updates: int) -> None:
        super().build(embed_dim, scaling)
        self.updates = branchnorm_updates
        # In the checkpoint, so that a model saved on the way evaluates as it was trained. A float, rounded as the weights are in half
        # precision: fairseq's --store-ema fails on integers.
        self.register_buffer("branch_weight", torch.zeros(()))
        self.set_num_updates(0)

    def set_num_updates(self, num_updates: int) -> None:
        """Take note of the number of finished updates; fairseq calls it before every forward in training."""
        self.branch_weight.fill_(min(1.0, (num_updates + 1) / self.updates))

    def forward(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        return self.layer_norm(x + self.branch_weight * self.dropout(sub_layer(x)))

    def extra_repr(self) -> str:
        return f"updates={self.updates}"


class Profile:
    """What the sub-layers of one stack hand on to each other in the profiling pass.

    Args: real: [B x T], False at padding, which is not counted.
    """

    def __init__(self, real: Tensor) -> None:
        self.real = real
        self.deviation = torch.ones((), device=real.device)  # of the stream, before LayerNorm

    def add(self, *summands: Tensor) -> None:
        """Note the deviation of a sum of independent summands [B x T x C]."""
        self.deviation = sum(x[self.real].float().var(correction=0) for x in summands).sqrt()


class Admin(Residual):
    """LN(ω ⊙ x + f(x)), where ω [C] is measured on the first training batch, then learnt: Admin (Liu et al. 2020, arXiv 2004.08249).

    In the paper ω_i = √(Σ_{j<i} Var[f_j]). This follows the released code (Transformer-Clinic): in each stack ω_1 = 1 and
    ω_{i+1} = √(Var[ω_i x_i] + Var[f_i]), which adds the variance of the embedding; x_i is made with the earlier ω in force. Unlike
    there, dropout is off and padding is not counted, and weights are Xavier-normal. The measured value is a buffer and what is learnt
    is a factor to it, 1 at the start: fairseq's half-precision optimizers copy the parameters before the first batch. Adam's steps
    on ω are thus proportional to the measured value.
    """

    normalizes_sum = True
    needs_profile = True
    profile: Optional[Profile] = None  # present in the profiling pass alone
    profiled_shortcut: Tensor

    def build(self, embed_dim: int, scaling: Scaling) -> None:
        super().build(embed_dim, scaling)
        self.register_buffer("profiled_shortcut", torch.ones(()))
        self.shortcut = nn.Parameter(torch.ones(embed_dim))

    def forward(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        if self.profile is not None:
            self.profiled_shortcut.copy_(self.profile.deviation)
        shortcut, branch = self.profiled_shortcut * self.shortcut * x, self.dropout(sub_layer(x))
        if self.profile is not None:
            self.profile.add(shortcut, branch)
        return self.layer_norm(shortcut + branch)


RESIDUALS: Dict[str, Type[Residual]] = {
    "deepnorm": DeepNorm,
    "post-ln": PostNorm,
    "pre-ln": PreNorm,
    "sub-ln": SubNorm,
    "ds-init": DepthScaledInit,
    "rezero": ReZero,
    "branchnorm": BranchNorm,
    "admin": Admin,
}

"""DeepNorm's rivals that need no profile: Sub-LN, DS-Init, ReZero and BranchNorm."""

from typing import TYPE_CHECKING, Tuple

import torch
from torch import Tensor, nn

from deepnet_fairseq.errors import UserError
from deepnet_fairseq.network.residual import Gains, PostNorm, PreNorm, Residual, SubLayer
from deepnet_fairseq.network.scaling import Scaling, sub_ln

if TYPE_CHECKING:
    from deepnet_fairseq.network.config import DeepNetConfig


class SubNorm(PreNorm):
    """x + f(LN(x)), f with a LayerNorm of its own: Sub-LN of Magneto (arXiv 2210.06423).

    The inner LayerNorm is before the sub-layer's last projection. The initial gain of feed-forward,
    value and output projections grows with the logarithm of the depth (Wang et al. 2022).
    """

    @classmethod
    def scaling(cls, config: "DeepNetConfig") -> Tuple[Scaling, Scaling]:
        """Return Magneto's gains."""
        return sub_ln(config.encoder.layers, config.decoder.layers)

    @classmethod
    def build_inner_norm(cls, dim: int) -> nn.Module:
        """Return a LayerNorm."""
        return nn.LayerNorm(dim)


class DepthScaledInit(PostNorm):
    """LN(x + f(x)) with all weights of layer l scaled by 1/√l: DS-Init (arXiv 1908.11365).

    Section 4 of Zhang et al. (2019) draws from a uniform distribution and has a factor α, which is
    1 in its experiments; this one is Xavier-normal with the same variance. Its layers count from 1
    in encoder and decoder alike.
    """

    @classmethod
    def gains(cls, layer: int, scaling: Scaling) -> Gains:
        """Return 1/√layer for every weight."""
        return Gains(layer**-0.5, layer**-0.5)


class ReZero(Residual):
    """x + g · f(x), g learned and 0 at the start: ReZero (Bachlechner et al., arXiv 2003.04887).

    There is no LayerNorm.
    """

    def __init__(
        self, config: "DeepNetConfig", embed_dim: int, scaling: Scaling, ends_layer: bool
    ) -> None:
        super().__init__(config, embed_dim, scaling, ends_layer)
        self.gain = nn.Parameter(torch.zeros(1))

    def connect(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        """Return x + g · f(x)."""
        return x + self.gain * self.dropout(sub_layer(x))

    def insert_(self, previous: Residual, projection: nn.Linear) -> None:
        """Leave all as it is: a new gain is 0."""


class BranchNorm(PostNorm):
    """LN(x + a · f(x)): formula not verified against its paper, measured at T = 400 of 500 updates.

    BranchNorm (Liu et al. 2023, arXiv 2305.02790): a grows from 0 to 1 over the first T updates.
    Neither a = min(1, t/T) nor T = 4000 was checked with the paper. Secondary sources say only that
    the branch is rescaled in the course of training, that the model ends as Post-LN, and that T is
    called the maximum norm step. Here t is 1 in the first update, so that f learns from the start.
    Weights are drawn with gain 1; the paper's initialization is not known here.
    """

    branch_weight: Tensor

    def __init__(
        self, config: "DeepNetConfig", embed_dim: int, scaling: Scaling, ends_layer: bool
    ) -> None:
        super().__init__(config, embed_dim, scaling, ends_layer)
        self.updates = config.branchnorm_updates
        # A buffer, so that a model saved before update T evaluates as it was trained. A float,
        # rounded as the weights are in half precision: fairseq's --store-ema fails on integers.
        self.register_buffer("branch_weight", torch.zeros(()))
        self.set_num_updates(0)

    def set_num_updates(self, num_updates: int) -> None:
        """Set a for num_updates finished updates; fairseq calls it before each training forward."""
        self.branch_weight.fill_(min(1.0, (num_updates + 1) / self.updates))

    def connect(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        """Return LN(x + a · f(x))."""
        return self.layer_norm(x + self.branch_weight * self.dropout(sub_layer(x)))

    @classmethod
    def check_growth(cls, config: "DeepNetConfig") -> None:
        """Raise UserError if the schedule would restart."""
        if config.branchnorm_updates != 1:
            raise UserError(
                f"--branchnorm-updates is {config.branchnorm_updates}, and must be 1 in a model "
                "that has grown: the schedule of its branches would restart"
            )

    def grow_(self, trained: "BranchNorm", projection: nn.Linear) -> None:
        """Move the weight that trained's branch has reached into f, and end the schedule."""
        reached = float(trained.branch_weight)
        projection.weight.mul_(reached)
        projection.bias.mul_(reached)
        self.set_num_updates(0)

    def extra_repr(self) -> str:
        """Return T, for `print(model)`."""
        return f"updates={self.updates}"

"""How a sub-layer's output joins the residual stream: DeepNorm and the two classic rivals, one class each.

Each is a module that owns the LayerNorm and the dropout of one sub-layer and is called as ``residual(x, f)`` with x [B x T x C]
and f the sub-layer, a function of x. `print(model)` shows which one stands where, with its alpha.
"""

from typing import Callable, Dict, Type

import torch
from fairseq.modules import FairseqDropout
from torch import Tensor, nn

from deepnet_fairseq.network.scaling import Scaling

SubLayer = Callable[[Tensor], Tensor]


class Residual(nn.Module):
    """What all residual connections share.

    Args: embed_dim: C; dropout: probability, applied to f(x) before the sum; scaling: (alpha, beta) of the stack.
    """

    # Whether the scheme leaves the stream un-normalised, so that the stack ends with a LayerNorm of its own.
    needs_final_norm = False
    # Whether (alpha, beta) follow from the depth; the other schemes run with alpha = beta = 1.
    uses_depth_scaling = False

    def __init__(self, embed_dim: int, dropout: float, scaling: Scaling) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(embed_dim)
        self.dropout = FairseqDropout(dropout, module_name=type(self).__name__)  # obeys --retain-dropout

    def forward(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        """Return the stream [B x T x C] after the sub-layer."""
        raise TypeError(f"{type(self).__name__} defines no residual connection: use one of {', '.join(RESIDUALS)}")


class PostNorm(Residual):
    """LN(x + f(x)): the original Transformer (Vaswani et al. 2017)."""

    def forward(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        return self.layer_norm(x + self.dropout(sub_layer(x)))


class DeepNorm(Residual):
    """LN(alpha * x + f(x)): DeepNet (Wang et al. 2022), Figure 2."""

    uses_depth_scaling = True

    def __init__(self, embed_dim: int, dropout: float, scaling: Scaling) -> None:
        super().__init__(embed_dim, dropout, scaling)
        self.alpha = scaling.alpha

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


RESIDUALS: Dict[str, Type[Residual]] = {"deepnorm": DeepNorm, "post-ln": PostNorm, "pre-ln": PreNorm}

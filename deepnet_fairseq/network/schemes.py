"""The residual schemes by their names on the command line (`--residual-scheme`)."""

from typing import Dict, Type

from deepnet_fairseq.network.admin import Admin
from deepnet_fairseq.network.residual import DeepNorm, PostNorm, PreNorm, Residual
from deepnet_fairseq.network.rivals import BranchNorm, DepthScaledInit, ReZero, SubNorm

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

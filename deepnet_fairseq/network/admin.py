"""Admin, DeepNorm's rival that is initialized from the first training batch."""

from typing import TYPE_CHECKING, Iterator, List, Optional

import torch
from fairseq.models import FairseqEncoderDecoderModel
from torch import Tensor, distributed, nn

from deepnet_fairseq.network.residual import PostNorm, SubLayer
from deepnet_fairseq.network.scaling import Scaling

if TYPE_CHECKING:
    from deepnet_fairseq.network.config import DeepNetConfig


class Profile:
    """What the sub-layers of one stack pass to each other while a batch is profiled.

    Args:
        real: False at padding, which is not counted [B x T].
    """

    def __init__(self, real: Tensor) -> None:
        self.real = real
        self.deviation = torch.ones((), device=real.device)  # of the stream, before LayerNorm

    def add(self, *summands: Tensor) -> None:
        """Set the deviation to that of the sum of independent summands [B x T x C]."""
        self.deviation = sum(x[self.real].float().var(correction=0) for x in summands).sqrt()


class Admin(PostNorm):
    """LN(ω ⊙ x + f(x)), ω [C] measured, then learned: Admin (Liu et al., arXiv 2004.08249).

    In the paper ω_i = √(Σ_{j<i} Var[f_j]). This follows the released code (Transformer-Clinic): in
    each stack ω_1 = 1 and ω_{i+1} = √(Var[ω_i x_i] + Var[f_i]), which adds the variance of the
    embedding; x_i is computed with the earlier ω in force. Unlike there, dropout is off, padding is
    not counted, and weights are Xavier-normal.

    The measured value is a buffer and what is learned is a factor to it, 1 at the start: fairseq's
    half-precision optimizers copy the parameters before the first batch. Adam's steps on ω are thus
    proportional to the measured value.
    """

    profile: Optional[Profile] = None  # set while a batch is profiled
    profiled_shortcut: Tensor

    def __init__(
        self, config: "DeepNetConfig", embed_dim: int, scaling: Scaling, ends_layer: bool
    ) -> None:
        super().__init__(config, embed_dim, scaling, ends_layer)
        self.register_buffer("profiled_shortcut", torch.ones(()))
        self.shortcut = nn.Parameter(torch.ones(embed_dim))

    def connect(self, x: Tensor, sub_layer: SubLayer) -> Tensor:
        """Return LN(ω ⊙ x + f(x)); while a batch is profiled, measure ω first."""
        if self.profile is not None:
            self.profiled_shortcut.copy_(self.profile.deviation)
        shortcut, branch = self.profiled_shortcut * self.shortcut * x, self.dropout(sub_layer(x))
        if self.profile is not None:
            self.profile.add(shortcut, branch)
        return self.layer_norm(shortcut + branch)

    def insert_(self, previous: "Admin", projection: nn.Linear) -> None:
        """Copy previous's ω: any would do, but it sets how fast the new branch can grow."""
        super().insert_(previous, projection)
        self.profiled_shortcut.copy_(previous.profiled_shortcut)

    @staticmethod
    @torch.no_grad()
    def profile_batch_(
        model: FairseqEncoderDecoderModel,
        src_tokens: Tensor,
        src_lengths: Tensor,
        prev_output_tokens: Tensor,
    ) -> None:
        """Measure ω of every sub-layer on a batch without dropout; rank 0's values everywhere."""
        admins: List[Admin] = []
        for side, tokens in ((model.encoder, src_tokens), (model.decoder, prev_output_tokens)):
            profile = Profile(real=tokens.ne(side.padding_idx))
            for admin in _admins(side):  # in any order: the forward pass has its own
                admin.profile = profile
                admins.append(admin)
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            # LayerDrop draws, on the CPU, in evaluation as well
            with torch.random.fork_rng(devices=[]):
                model.extract_features(src_tokens, src_lengths, prev_output_tokens)
        finally:
            for module, training in modes:
                module.training = training
            for admin in admins:
                admin.profile = None
        # Under --amp, older torch would train on the casts of the weights that are made here and
        # carry no gradient (pytorch issue 112583).
        torch.clear_autocast_cache()
        if distributed.is_available() and distributed.is_initialized():
            for admin in admins:
                distributed.broadcast(admin.profiled_shortcut, src=0)


def _admins(side: nn.Module) -> Iterator[Admin]:
    return (module for module in side.modules() if isinstance(module, Admin))

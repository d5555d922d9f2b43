"""The pass over one batch in which Admin measures the weight of every shortcut; see residual.Admin."""

import torch
from fairseq.models import FairseqEncoderDecoderModel
from torch import Tensor, distributed

from deepnet_fairseq.network.residual import Admin, Profile


@torch.no_grad()
def profile_shortcuts_(
    model: FairseqEncoderDecoderModel,
    src_tokens: Tensor,
    src_lengths: Tensor,
    prev_output_tokens: Tensor,
) -> None:
    """Set every profiled shortcut under model from one batch [B x S], [B], [B x T], without dropout; everywhere to rank 0's values."""
    admins = []
    for half, tokens in ((model.encoder, src_tokens), (model.decoder, prev_output_tokens)):
        profile = Profile(real=tokens.ne(half.padding_idx))
        for module in half.modules():  # the order does not matter: the forward pass has its own
            if isinstance(module, Admin):
                module.profile = profile
                admins.append(module)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.random.fork_rng(
            devices=[]
        ):  # LayerDrop draws, on the CPU, in evaluation as well
            model.extract_features(src_tokens, src_lengths, prev_output_tokens)
    finally:
        for module, training in modes:
            module.training = training
        for admin in admins:
            admin.profile = None
    # under --amp, older torch would train on the casts of the weights made here, which carry no gradient (pytorch issue 112583)
    torch.clear_autocast_cache()
    if distributed.is_available() and distributed.is_initialized():
        for admin in admins:
            distributed.broadcast(admin.profiled_shortcut, src=0)

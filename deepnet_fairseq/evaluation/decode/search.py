"""fairseq's beam search, with a length limit for each sentence."""

import math
from typing import Optional, Sequence, Tuple

import torch
from fairseq.data import Dictionary
from fairseq.search import BeamSearch
from torch import Tensor

from deepnet_fairseq.evaluation.decode.topk import largest


class BeamSearchWithLimits(BeamSearch):
    """Ends every sentence at a limit of its own.

    fairseq computes `--max-len-a` × source length + `--max-len-b` from the longest source of a batch, so that a translation that does
    not end by itself gets longer next to longer sentences. With limits, translations do not depend on what else is in the batch.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        super().__init__(dictionary)
        self.limits: Optional[Tensor] = None

    def set_limits(self, limits: Sequence[int], device: torch.device) -> None:
        """The most tokens before </s> of each sentence, by its place in the batch, which is its id."""
        self.limits = torch.tensor(limits, device=device)

    def step(
        self,
        step: int,
        lprobs: Tensor,
        scores: Optional[Tensor],
        prev_output_tokens: Optional[Tensor] = None,
        original_batch_idxs: Optional[Tensor] = None,
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """The 2 × beam best continuations of each sentence, as fairseq's: scores, tokens and beams, each [B x 2·beam].

        lprobs [B x beam x V] are changed in place: </s> is all that is left to a sentence at its limit. The best of all beams are among
        the best of each, so that only those need the beam's score so far, and the vocabulary is passed over once.
        """
        at_limit = self.limits[original_batch_idxs] <= step
        if at_limit.any():
            end = lprobs[at_limit, :, self.eos]
            lprobs[at_limit] = -math.inf
            lprobs[at_limit, :, self.eos] = end
        beams = lprobs.size(1)
        if step == 0:
            lprobs = lprobs[:, :1]  # all beams are the same
        best, tokens = largest(lprobs, min(2 * beams, self.vocab_size))
        if step > 0:
            best = best + scores[:, :, step - 1, None]
        width = best.size(2)
        best, places = best.flatten(1).topk(
            min(2 * beams, best.size(1) * self.vocab_size - 1), dim=1
        )
        return best, tokens.flatten(1).gather(1, places), places.div(width, rounding_mode="trunc")

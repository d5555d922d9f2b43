"""The arguments of fairseq-generate, beam search with a length limit per sentence, fast topk."""

import math
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import torch
from fairseq.data import Dictionary
from fairseq.search import BeamSearch
from torch import Tensor

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.test_data import Direction

# What fairseq-generate does beyond search, with the value that turns it off. With these flags its
# output is not plain text, or its input is more than plain source sentences.
UNSUPPORTED: Dict[str, Any] = {
    "quiet": False,
    "prefix_size": 0,
    "constraints": None,
    "replace_unk": None,
    "print_alignment": None,
    "retain_iter_history": False,
    "print_step": False,
    "lm_path": None,
    "bpe": None,
    "tokenizer": None,
    "score_reference": False,
    "num_shards": 1,
    "shard_id": 0,
    "enable_lang_ids": False,
}


@dataclass(frozen=True)
class Generation:
    """How hypotheses are generated.

    Args:
        args: The arguments of fairseq-generate as its parser returns them, for any direction.
        command: Returns the whole fairseq-generate command of a direction; run by hand, it gives
            the same hypotheses.
        checkpoint: The model.
        devices: One per process.
    """

    args: Namespace
    command: Callable[[Direction], List[str]]
    checkpoint: Path
    devices: Sequence[str] = ("cpu",)


def check_supported(args: Namespace) -> None:
    """Raise EvaluationError for a parsed flag that would have no effect here."""
    for name, off in UNSUPPORTED.items():
        if getattr(args, name, off) != off:
            flag = name.replace("_", "-")
            raise EvaluationError(f"--{flag} works with fairseq-generate alone; leave it out")


BLOCK = 64
# torch's own topk is faster below, and on a GPU.
MINIMUM_ROW = 4096


class BeamSearchWithLimits(BeamSearch):
    """Beam search in which each sentence has its own maximum length.

    fairseq computes `--max-len-a` × source length + `--max-len-b` from the longest source of a
    batch, so a translation that does not end by itself is longer if its batch has longer sentences.
    With limits, translations do not depend on what else is in the batch.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        super().__init__(dictionary)
        self.limits: Optional[Tensor] = None

    def set_limits(self, limits: Sequence[int], device: torch.device) -> None:
        """Set the maximum number of tokens before </s>, by the sentence's id in the batch."""
        self.limits = torch.tensor(limits, device=device)

    def step(
        self,
        step: int,
        lprobs: Tensor,
        scores: Optional[Tensor],
        prev_output_tokens: Optional[Tensor] = None,
        original_batch_idxs: Optional[Tensor] = None,
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """Return scores, tokens and beams of the 2 × beam best continuations, each [B x 2·beam].

        `lprobs` [B x beam x V] are changed in place: only </s> remains possible for a sentence at
        its limit. The best over all beams are among the best of each beam, so only those need the
        beam's score so far, and the vocabulary is read once.
        """
        at_limit = self.limits[original_batch_idxs] <= step
        if at_limit.any():
            end = lprobs[at_limit, :, self.eos]
            lprobs[at_limit] = -math.inf
            lprobs[at_limit, :, self.eos] = end
        beams = lprobs.size(1)
        if step == 0:
            lprobs = lprobs[:, :1]  # all beams are the same
        best, tokens = topk(lprobs, min(2 * beams, self.vocab_size))
        if step > 0:
            best = best + scores[:, :, step - 1, None]
        width = best.size(2)
        candidates = min(2 * beams, best.size(1) * self.vocab_size - 1)
        best, places = best.flatten(1).topk(candidates, dim=1)
        return best, tokens.flatten(1).gather(1, places), places.div(width, rounding_mode="trunc")


def topk(values: Tensor, k: int) -> Tuple[Tensor, Tensor]:
    """Return `values.topk(k)` over the last dimension, but for the order of equal values.

    On a CPU it takes less than half of the time for long rows: the k largest values are in those k
    blocks whose maxima are the largest, or behind the last whole block.
    """
    length = values.size(-1)
    blocks = length // BLOCK
    if values.is_cuda or length < MINIMUM_ROW or blocks <= k:
        return values.topk(k)
    whole = values[..., : blocks * BLOCK].unflatten(-1, (blocks, BLOCK))
    chosen = whole.amax(-1).topk(k).indices  # (..., k)
    candidates = whole.gather(-2, chosen[..., None].expand(*chosen.shape, BLOCK))
    candidates = candidates.flatten(-2)  # (..., k * BLOCK)
    best, places = torch.cat([candidates, values[..., blocks * BLOCK :]], -1).topk(k)
    block = chosen.gather(-1, (places // BLOCK).clamp_max(k - 1))
    in_block = block * BLOCK + places % BLOCK
    return best, torch.where(places < k * BLOCK, in_block, places + (blocks - k) * BLOCK)

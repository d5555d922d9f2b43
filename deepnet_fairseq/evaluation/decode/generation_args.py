"""fairseq-generate's arguments, for the translation of many directions at once."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

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

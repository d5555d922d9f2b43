"""A `fairseq-generate` command line, and whether the translation of many directions at once can do what it asks for."""

from argparse import Namespace
from typing import Any, Dict, Sequence

from fairseq import options

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.errors import EvaluationError, FlagError

# What fairseq-generate's main program does beyond search, by the value that leaves it out. Its hypotheses then are not plain text, or
# its input is not plain sources.
NOT_HERE: Dict[str, Any] = {
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


def parse_command(command: Sequence[str]) -> Namespace:
    """What fairseq's own parser makes of a whole `fairseq-generate` command.

    Raises EvaluationError with its complaint, and for flags that would have no effect here.
    """
    try:
        parsed = parse_flags(options.get_generation_parser(), command[1:])
    except FlagError as error:
        raise EvaluationError(f"fairseq-generate: {error}") from error
    for name, absent in NOT_HERE.items():
        if getattr(parsed, name, absent) != absent:
            raise EvaluationError(
                f"--{name.replace('_', '-')} works with fairseq-generate alone; leave it out"
            )
    return parsed

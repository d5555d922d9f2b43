"""fairseq's own command lines, judged by fairseq's own parsers."""

import contextlib
import io
from argparse import ArgumentParser, Namespace
from typing import Sequence

from fairseq import options

from deepnet_fairseq.errors import FlagError


def parse_flags(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """Return what parser makes of a command's words (without its name). Raises FlagError with its complaint, in one line."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(complaint):
            return options.parse_args_and_arch(parser, input_args=list(words))
    except SyntaxError as error:  # values that fairseq reads as Python, such as --lr
        raise FlagError(
            f"a value is not written as fairseq reads it: {error.text or error}"
        ) from error
    except SystemExit:
        last_line = (complaint.getvalue().strip().splitlines() or ["refused by fairseq"])[-1]
    reason = last_line.rpartition("error: ")[2]
    if len(reason) > 300:  # fairseq lists every architecture it knows
        reason = reason.partition(" (choose from")[0]
    raise FlagError(reason)


def is_given(flag: str, words: Sequence[str]) -> bool:
    """Tell whether a flag is among the words of a command line. fairseq takes no abbreviations."""
    return any(word.partition("=")[0] == f"--{flag}" for word in words)

"""fairseq's command lines: written from a config, read by fairseq's own parsers."""

import contextlib
import io
from argparse import ArgumentParser, Namespace
from typing import Any, Dict, List, Sequence

from fairseq import options

from deepnet_fairseq.errors import FlagError


def flags(values: Dict[str, Any]) -> List[str]:
    """Return the words of a command line for flags without their dashes.

    True is a bare flag, None and False leave the flag out, and a list gives several words.
    """
    words: List[str] = []
    for name, value in values.items():
        if value is None or value is False:
            continue
        words.append(f"--{name}")
        if value is not True:
            words += [str(v) for v in value] if isinstance(value, list) else [str(value)]
    return words


def is_given(flag: str, words: Sequence[str]) -> bool:
    """Tell whether a flag is among the words; fairseq takes no abbreviations."""
    return any(word.partition("=")[0] == f"--{flag}" for word in words)


def parse_flags(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """Return the options that fairseq's parser reads from a command line without the program.

    Raises:
        FlagError: The parser rejects the words; holds its complaint in one line.
    """
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(complaint):
            return options.parse_args_and_arch(parser, input_args=list(words))
    except SyntaxError as error:  # values that fairseq reads as Python, such as --lr
        raise FlagError(
            f"a value is not written as fairseq reads it: {error.text or error}"
        ) from error
    except SystemExit:
        last_line = (complaint.getvalue().strip().splitlines() or ["rejected by fairseq"])[-1]
    reason = last_line.rpartition("error: ")[2]
    if len(reason) > 300:  # fairseq lists every architecture it knows
        reason = reason.partition(" (choose from")[0]
    raise FlagError(reason)

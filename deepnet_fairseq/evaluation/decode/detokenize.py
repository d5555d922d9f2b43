"""Dictionary indices back to text, as fairseq does it, and byte pieces to the characters that they spell."""

import re
from typing import Optional

from fairseq.data import Dictionary
from torch import Tensor

BYTES = re.compile(r"(?:<0x[0-9A-F]{2}>)+")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class PlainText:
    """Args: dictionary: the target side's; post_process: fairseq's name for how pieces are joined, such as sentencepiece."""

    def __init__(self, dictionary: Dictionary, post_process: Optional[str]) -> None:
        self.dictionary = dictionary
        self.post_process = post_process
        self.has_byte_pieces = "<0x00>" in dictionary

    def of(self, tokens: Tensor, without: Optional[int] = None) -> str:
        """The sentence that tokens [T] spell, without the end of sentence and one further token."""
        ignored = set() if without is None else {without}
        text = self.dictionary.string(tokens, self.post_process, extra_symbols_to_ignore=ignored)
        return join_bytes(text) if self.has_byte_pieces else text


def join_bytes(text: str) -> str:
    """Turn runs of SentencePiece's byte pieces into the characters that they spell; fairseq leaves them as they are.

    A line stays a line: control characters, which can be spelled as well, become spaces.
    """
    spelled = BYTES.sub(
        lambda run: bytes.fromhex(run[0].replace("<0x", "").replace(">", "")).decode(
            "utf-8", errors="replace"
        ),
        text,
    )
    return CONTROL.sub(" ", spelled)

"""Sentences of the SGML and XML files in which WMT and IWSLT publish test sets.

Their bare ampersands are not XML. As in sacreBLEU, each line is parsed by itself, and entities
such as &amp; stay as they are: the sentences are exactly those of `sacrebleu --echo`.
"""

import re
from pathlib import Path
from typing import Iterator

from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines

SEGMENT = re.compile(r"<seg.*?>(.*)</seg>")


def segments(path: Path) -> Iterator[str]:
    """Yield the sentences in the order of the file.

    Raises:
        DataError: A sentence does not end on its line, or there is none; names the line.
    """
    is_empty = True
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith("<seg "):
            text, replaced = SEGMENT.subn(r"\1", line)
            if not replaced:
                raise DataError(
                    f"{path}, line {number}: <seg> without </seg>; fetch the file again"
                )
            is_empty = False
            yield normalize_spaces(text)
    if is_empty:
        raise DataError(f"{path}: no line begins with <seg; this is not a test set of WMT or IWSLT")


def write_segments(path: Path, destination: Path) -> Path:
    """Write the sentences as plain text, one per line; return its path."""
    with open(destination, "w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{sentence}\n" for sentence in segments(path))
    return destination

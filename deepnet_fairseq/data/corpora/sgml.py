"""Sentences out of the SGML and XML files in which WMT and IWSLT publish test sets.

A parser of XML would stumble over their bare ampersands. As sacreBLEU does, each line is looked at on its own, and entities such as &amp;
stay as they are: the sentences are those of `sacrebleu --echo`, byte by byte.
"""

import re
from pathlib import Path
from typing import Iterator

from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines

SEGMENT = re.compile(r"<seg.*?>(.*)</seg>")


def segments(path: Path) -> Iterator[str]:
    """The sentences in the order of the file. Raises DataError, naming the line, for one that doesn't end where it begins."""
    found = False
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith("<seg "):
            text, replaced = SEGMENT.subn(r"\1", line)
            if not replaced:
                raise DataError(
                    f"{path}, line {number}: <seg> without </seg>; fetch the file again"
                )
            found = True
            yield normalize_spaces(text)
    if not found:
        raise DataError(f"{path}: no line begins with <seg; this is not a test set of WMT or IWSLT")


def write_segments(path: Path, plain: Path) -> Path:
    """Write the sentences into a plain file, one a line; return its path."""
    with open(plain, "w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{sentence}\n" for sentence in segments(path))
    return plain

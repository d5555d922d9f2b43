"""The two sides of parallel text, read side by side."""

from itertools import chain, zip_longest
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Sequence, Tuple

from deepnet_fairseq.data.layout import DataError, Pair, read_lines

Files = Dict[str, List[Path]]  # language -> its files, which are read one after another


def aligned_sentences(pair: Pair, files: Mapping[str, Sequence[Path]]) -> Iterator[Tuple[str, str]]:
    """The lines of both languages' files, in the pair's order; file by file where both have as many, else as one long text.

    Raises DataError, naming the files and the line, when one side ends before the other, and for text that isn't UTF-8.
    """
    sides = [list(files[language]) for language in pair]
    if len(sides[0]) == len(sides[1]):
        for paths in zip(*sides, strict=True):
            yield from _side_by_side([[path] for path in paths])
    else:
        yield from _side_by_side(sides)


def _side_by_side(sides: Sequence[Sequence[Path]]) -> Iterator[Tuple[str, str]]:
    readers = [chain.from_iterable(map(read_lines, paths)) for paths in sides]
    for number, (left, right) in enumerate(zip_longest(*readers), start=1):
        if left is None or right is None:
            short, long = (" + ".join(map(str, paths)) for paths in (sides if left is None else sides[::-1]))
            raise DataError(f"{short} ends after {number - 1} lines, but {long} goes on; line n of one must translate line n of the other")
        yield left, right

"""The two sides of parallel text, read side by side."""

import os
from itertools import chain, zip_longest
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple

from deepnet_fairseq.data.corpus_paths import SUPERVISED, corpus_file
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import count_lines, read_lines
from deepnet_fairseq.languages import Pair

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
            short, long = (
                " + ".join(map(str, paths)) for paths in (sides if left is None else sides[::-1])
            )
            raise DataError(
                f"{short} ends after {number - 1} lines, but {long} goes on; line n of one must translate line n of the other"
            )
        yield left, right


def write_pair(
    root: Path, pair: Pair, split: str, sentences: Iterable[Tuple[str, str]], part: str = SUPERVISED
) -> int:
    """Write aligned sentences (in the pair's order), each file beside its name and then renamed; return how many.

    Raises DataError for a sentence with a line break in it.
    """
    paths = [corpus_file(root, pair, split, language, part) for language in pair]
    beside = [path.with_name(path.name + ".partial") for path in paths]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with (
        open(beside[0], "w", encoding="utf-8", newline="\n") as first,
        open(beside[1], "w", encoding="utf-8", newline="\n") as second,
    ):
        for count, (left, right) in enumerate(sentences, start=1):
            if "\n" in left or "\n" in right:
                raise DataError(
                    f"{paths[0].name}, sentence {count}: a sentence must not hold a line break: {left!r} / {right!r}"
                )
            first.write(left + "\n")
            second.write(right + "\n")
    for source, destination in zip(beside, paths, strict=True):
        os.replace(source, destination)
    return count


def check_pair(root: Path, pair: Pair, split: str, part: str = SUPERVISED) -> int:
    """The number of lines on both sides of a split. Raises DataError if a file is missing, or the two sides differ."""
    paths = [corpus_file(root, pair, split, language, part) for language in pair]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is missing; prepare the corpus again")
    counts = [count_lines(path) for path in paths]
    if counts[0] != counts[1]:
        sides = f"{paths[0]} has {counts[0]} lines but {paths[1]} has {counts[1]}"
        raise DataError(f"{sides}; line n of one must translate line n of the other")
    return counts[0]

"""Parallel text: where its files are in a corpus, and both sides read, written and checked.

A corpus has OPUS-100's directory layout: `supervised/{a}-{b}/opus.{a}-{b}-{train,dev,test}.{a|b}`
and `zero-shot/{a}-{b}/opus.{a}-{b}-test.{a|b}`, the two languages in alphabetical order. Further
test sets have the same layout in `test-sets/{name}/{a}-{b}`. Every file is plain UTF-8 with one
sentence per line.
"""

from itertools import chain, zip_longest
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import atomic, count_lines, read_lines
from deepnet_fairseq.languages import Pair, pair_name

# The parts of a corpus; each further test set is a part as well, see part_of_test_set.
SUPERVISED, ZERO_SHOT = "supervised", "zero-shot"
TEST_SETS = "test-sets"

Files = Dict[str, List[Path]]  # language -> its files, which are read one after another


def part_of_test_set(name: str) -> str:
    """Return the part of a corpus that holds a further test set."""
    return f"{TEST_SETS}/{name}"


def splits_of(part: str) -> Tuple[str, ...]:
    """Return the splits of a part's pairs; only supervised pairs have more than a test set."""
    return ("train", "dev", "test") if part == SUPERVISED else ("test",)


def corpus_file(root: Path, pair: Pair, split: str, language: str, part: str = SUPERVISED) -> Path:
    """Return the path of one language's sentences of a pair and split."""
    if language not in pair:
        raise DataError(f"{language!r} is not a language of the pair {pair_name(pair)}")
    return Path(root) / part / pair_name(pair) / f"opus.{pair_name(pair)}-{split}.{language}"


def read_bitext(pair: Pair, files: Mapping[str, Sequence[Path]]) -> Iterator[Tuple[str, str]]:
    """Yield the sentence pairs of both languages' files, in the pair's order.

    Files are paired one by one if both languages have equally many; if not, each side is read as
    one long text.

    Raises:
        DataError: One side ends before the other, or the text is not UTF-8; names files and line.
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
            shorter_first = sides if left is None else sides[::-1]
            shorter, longer = (" + ".join(map(str, paths)) for paths in shorter_first)
            raise DataError(
                f"{shorter} ends after {number - 1} lines, but {longer} goes on; "
                "line n of one must translate line n of the other"
            )
        yield left, right


def write_pair(
    root: Path, pair: Pair, split: str, sentences: Iterable[Tuple[str, str]], part: str = SUPERVISED
) -> int:
    """Write sentence pairs, in the pair's order, and return how many there are.

    Raises:
        DataError: A sentence has a line break in it.
    """
    first, second = (corpus_file(root, pair, split, language, part) for language in pair)
    count = 0
    with (
        atomic(first) as first_partial,
        atomic(second) as second_partial,
        open(first_partial, "w", encoding="utf-8", newline="\n") as first_stream,
        open(second_partial, "w", encoding="utf-8", newline="\n") as second_stream,
    ):
        for count, (left, right) in enumerate(sentences, start=1):
            if "\n" in left or "\n" in right:
                raise DataError(
                    f"{first.name}, sentence {count}: a sentence must not hold a line break: "
                    f"{left!r} / {right!r}"
                )
            first_stream.write(left + "\n")
            second_stream.write(right + "\n")
    return count


def check_pair(root: Path, pair: Pair, split: str, part: str = SUPERVISED) -> int:
    """Return the number of lines on both sides of a split.

    Raises:
        DataError: A file is missing, or the two sides differ in length.
    """
    paths = [corpus_file(root, pair, split, language, part) for language in pair]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is missing; prepare the corpus again")
    counts = [count_lines(path) for path in paths]
    if counts[0] != counts[1]:
        sides = f"{paths[0]} has {counts[0]} lines but {paths[1]} has {counts[1]}"
        raise DataError(f"{sides}; line n of one must translate line n of the other")
    return counts[0]

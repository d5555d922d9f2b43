"""OPUS-100's directory layout: names, pairs, and files read, counted, written and checked.

A corpus is a folder with `supervised/{a}-{b}/opus.{a}-{b}-{train,dev,test}.{a|b}` and `zero-shot/{a}-{b}/opus.{a}-{b}-test.{a|b}`, the two
languages of a pair in alphabetical order. Test sets beside OPUS-100's own lie likewise in `test-sets/{name}/{a}-{b}`. Every file is plain
UTF-8 with one sentence a line.
"""

import gzip
import os
from pathlib import Path
from typing import IO, Iterable, Iterator, Tuple

Pair = Tuple[str, str]

# The parts of a corpus; a further test set is a part of its own, see part_of_test_set.
SUPERVISED, ZERO_SHOT = "supervised", "zero-shot"
TEST_SETS = "test-sets"


class DataError(ValueError):
    """A corpus, vocabulary or configuration of data which cannot be used; the message says what to change."""


def parse_pair(name: str) -> Pair:
    """Turn `b-a` or `a-b` into the pair (a, b) in alphabetical order. Raises DataError when it isn't two different languages."""
    codes = name.split("-")
    if len(codes) != 2 or not all(codes) or codes[0] == codes[1]:
        raise DataError(f"{name!r} is not a language pair; write two different codes with a hyphen between them, such as de-en")
    return sort_pair(*codes)


def sort_pair(one: str, other: str) -> Pair:
    """The two languages in OPUS-100's alphabetical order."""
    return (one, other) if one < other else (other, one)


def pair_name(pair: Pair) -> str:
    return f"{pair[0]}-{pair[1]}"


def part_of_test_set(name: str) -> str:
    """The part of a corpus that holds a further test set."""
    return f"{TEST_SETS}/{name}"


def splits_of(part: str) -> Tuple[str, ...]:
    """The splits that a part's pairs have: all but supervised ones are only ever tested."""
    return ("train", "dev", "test") if part == SUPERVISED else ("test",)


def corpus_file(root: Path, pair: Pair, split: str, language: str, part: str = SUPERVISED) -> Path:
    """Where the sentences of one language, pair and split stand."""
    if language not in pair:
        raise DataError(f"{language!r} is not a language of the pair {pair_name(pair)}")
    return Path(root) / part / pair_name(pair) / f"opus.{pair_name(pair)}-{split}.{language}"


def normalise_spaces(line: str) -> str:
    """One plain space between words and none at the ends.

    fairseq splits encoded text at every character that Python calls white space (no-break and ideographic spaces, U+2028 ...), so
    none of them but the plain space may reach the vocabulary.
    """
    return " ".join(line.split())


def open_binary(path: Path) -> IO[bytes]:
    """Open a plain or gzip-compressed (`.gz`) file to read its bytes."""
    return gzip.open(path, "rb") if str(path).endswith(".gz") else open(path, "rb")


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a plain or `.gz` file, without their newlines. Raises DataError, naming file and line, for bytes which aren't UTF-8.

    Only `\\n` (or `\\r\\n`) ends a line: characters such as U+2028 would otherwise tear two sides of a pair apart.
    """
    try:
        with open_binary(path) as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    yield line.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    reason = f"{error.reason} at byte {error.start}"
                    raise DataError(f"{path}, line {number}: not UTF-8 ({reason}); convert the file to UTF-8") from None
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}); copy it again, or drop the .gz from a plain file's name") from None


def count_lines(path: Path) -> int:
    """How many lines a plain or `.gz` file holds; a last line without a newline counts."""
    lines = 0
    with open_binary(path) as stream:
        for _ in stream:
            lines += 1
    return lines


def write_pair(root: Path, pair: Pair, split: str, sentences: Iterable[Tuple[str, str]], part: str = SUPERVISED) -> int:
    """Write aligned sentences (in the pair's order), each file beside its name and then renamed; return how many.

    Raises DataError for a sentence with a line break in it.
    """
    paths = [corpus_file(root, pair, split, language, part) for language in pair]
    beside = [path.with_name(path.name + ".partial") for path in paths]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with open(beside[0], "w", encoding="utf-8", newline="\n") as first, open(beside[1], "w", encoding="utf-8", newline="\n") as second:
        for count, (left, right) in enumerate(sentences, start=1):
            if "\n" in left or "\n" in right:
                raise DataError(f"{paths[0].name}, sentence {count}: a sentence must not hold a line break: {left!r} / {right!r}")
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

"""OPUS-100's directory layout: names, pairs, and files read, counted, written and checked.

A corpus is a folder with `supervised/{a}-{b}/opus.{a}-{b}-{train,dev,test}.{a|b}` and `zero-shot/{a}-{b}/opus.{a}-{b}-test.{a|b}`, the two
languages of a pair in alphabetical order. Test sets beside OPUS-100's own lie likewise in `test-sets/{name}/{a}-{b}`. Every file is plain
UTF-8 with one sentence a line.
"""

from pathlib import Path
from typing import Tuple

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name

# The parts of a corpus; a further test set is a part of its own, see part_of_test_set.
SUPERVISED, ZERO_SHOT = "supervised", "zero-shot"
TEST_SETS = "test-sets"


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

"""Batches of many directions: nothing lost, within the limits, long ones first."""

from typing import List

import numpy as np
import pytest

from deepnet_fairseq.evaluation.decode.decode import group_sources, make_batches
from deepnet_fairseq.evaluation.decode.test_data import Direction, Sentence, SourceText

DE_EN, EN_DE, FR_EN = Direction("de", "en"), Direction("en", "de"), Direction("fr", "en")


def sentences(direction: Direction, *lengths: int) -> List[Sentence]:
    return [
        Sentence(direction, line, np.ones(length, np.int32)) for line, length in enumerate(lengths)
    ]


MIXED = sentences(DE_EN, 5, 9, 2, 5) + sentences(EN_DE, 7, 3) + sentences(FR_EN, 5, 30)


def lengths(batches: List[List[Sentence]]) -> List[List[int]]:
    return [[len(sentence.ids) for sentence in batch] for batch in batches]


@pytest.mark.parametrize(
    ("max_tokens", "max_sentences", "expected"),
    [
        (20, None, [[30], [9, 7], [5, 5, 5, 3], [2]]),
        (None, 3, [[30, 9, 7], [5, 5, 5], [3, 2]]),
        (20, 2, [[30], [9, 7], [5, 5], [5, 3], [2]]),
        (None, None, [[30, 9, 7, 5, 5, 5, 3, 2]]),
    ],
    ids=["tokens", "sentences", "both", "neither"],
)
def test_batches_hold_as_much_as_the_limits_allow_longest_first(
    max_tokens: int, max_sentences: int, expected: List[List[int]]
) -> None:
    assert lengths(make_batches(MIXED, max_tokens, max_sentences)) == expected


def test_every_sentence_is_in_one_batch() -> None:
    batched = [(s.direction, s.line) for batch in make_batches(MIXED, 20, None) for s in batch]
    assert sorted(batched, key=str) == sorted(((s.direction, s.line) for s in MIXED), key=str)


def test_directions_share_batches_but_for_target_languages_that_must_not_mix() -> None:
    (together,) = make_batches(MIXED, None, None)
    assert len({sentence.direction for sentence in together}) == 3
    apart = make_batches(MIXED, None, None, one_target=True)
    assert [{sentence.direction.target for sentence in batch} for batch in apart] == [
        {"de"},
        {"en"},
    ]
    assert sum(map(len, apart)) == len(MIXED)


def test_directions_are_grouped_until_they_have_enough_tokens() -> None:
    sets = [
        SourceText(d, 1, sentences(d, length), [], [])
        for d, length in ((DE_EN, 4), (EN_DE, 5), (FR_EN, 20), (DE_EN, 1))
    ]
    groups = [
        [len(one.sentences[0].ids) for one in group]
        for group in group_sources(iter(sets), minimum_tokens=9)
    ]
    assert groups == [[4, 5], [20], [1]]
    assert list(group_sources([], minimum_tokens=9)) == []


def test_grouping_reads_no_further_than_it_has_to() -> None:
    read = []

    def sources() -> object:
        for length in (4, 5, 20):
            read.append(length)
            yield SourceText(DE_EN, 1, sentences(DE_EN, length), [], [])

    next(group_sources(sources(), minimum_tokens=9))
    assert read == [4, 5]

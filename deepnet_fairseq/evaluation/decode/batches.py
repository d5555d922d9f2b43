"""Sentences of many directions in batches of similar length: little is computed for padding, and no batch is small at a direction's end."""

from typing import Iterable, Iterator, List, Optional, Sequence

from deepnet_fairseq.evaluation.decode.test_data import Sentence, Sources


def make_batches(
    sentences: Sequence[Sentence],
    max_tokens: Optional[int],
    max_sentences: Optional[int],
    one_target: bool = False,
) -> List[List[Sentence]]:
    """Sort sentences by length, longest first, and cut them into batches.

    Args: max_tokens: the most of sentences × longest source in a batch, a sentence longer than that is alone; one_target: do not mix
    target languages.
    """
    ordered = sorted(
        sentences,
        key=lambda sentence: (sentence.direction.target if one_target else "", -len(sentence.ids)),
    )
    batches: List[List[Sentence]] = []
    room = 0
    for sentence in ordered:
        same_kind = batches and (
            not one_target or batches[-1][0].direction.target == sentence.direction.target
        )
        if not same_kind or len(batches[-1]) >= room:
            length = len(sentence.ids)  # the batch's longest, since it comes first
            room = max(
                1,
                min(
                    max_tokens // length if max_tokens else len(ordered),
                    max_sentences or len(ordered),
                ),
            )
            batches.append([])
        batches[-1].append(sentence)
    return batches


def group_sources(sources: Iterable[Sources], least: int) -> Iterator[List[Sources]]:
    """Cut a row of test sets into groups of at least so many tokens: what is batched together.

    Only when a group is through are its directions finished, so that an interruption costs no more than the groups at hand.
    """
    group: List[Sources] = []
    tokens = 0
    for one in sources:
        group.append(one)
        tokens += sum(len(sentence.ids) for sentence in one.sentences)
        if tokens >= least:
            yield group
            group, tokens = [], 0
    if group:
        yield group

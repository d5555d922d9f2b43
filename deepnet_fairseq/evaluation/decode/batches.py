"""Batches of sentences of similar length from many directions.

Little is computed for padding, and no batch is small because its direction ends.
"""

from typing import Iterable, Iterator, List, Optional, Sequence

from deepnet_fairseq.evaluation.decode.test_data import Sentence, SourceText


def make_batches(
    sentences: Sequence[Sentence],
    max_tokens: Optional[int],
    max_sentences: Optional[int],
    one_target: bool = False,
) -> List[List[Sentence]]:
    """Sort sentences by length, longest first, and split them into batches.

    Args:
        sentences: Of any directions.
        max_tokens: The maximum of sentences × longest source in a batch; a sentence longer than
            that has a batch of its own.
        max_sentences: The maximum number of sentences in a batch.
        one_target: Do not mix target languages.
    """

    def target(sentence: Sentence) -> str:
        return sentence.direction.target if one_target else ""

    batches: List[List[Sentence]] = []
    capacity = 0
    for sentence in sorted(sentences, key=lambda s: (target(s), -len(s.ids))):
        full = not batches or len(batches[-1]) >= capacity
        if full or target(batches[-1][0]) != target(sentence):
            longest = len(sentence.ids)  # the longest comes first
            by_tokens = max_tokens // longest if max_tokens else len(sentences)
            capacity = max(1, min(by_tokens, max_sentences or len(sentences)))
            batches.append([])
        batches[-1].append(sentence)
    return batches


def group_sources(sources: Iterable[SourceText], minimum_tokens: int) -> Iterator[List[SourceText]]:
    """Split test sets into groups of at least minimum_tokens; only a group is batched together.

    Directions are finished when their group is, so an interruption costs one group at most.
    """
    group: List[SourceText] = []
    tokens = 0
    for source in sources:
        group.append(source)
        tokens += sum(len(sentence.ids) for sentence in source.sentences)
        if tokens >= minimum_tokens:
            yield group
            group, tokens = [], 0
    if group:
        yield group

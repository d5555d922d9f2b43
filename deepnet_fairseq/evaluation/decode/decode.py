"""Translate the remaining directions with one model, sentences of many directions per batch."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence

from tqdm import tqdm

from deepnet_fairseq.data.encoder import Encoder
from deepnet_fairseq.evaluation.decode.hypotheses import (
    Hypotheses,
    SpecialLines,
    is_finished,
    make_metadata,
    read_hypotheses,
    write_hypotheses,
)
from deepnet_fairseq.evaluation.decode.search import Generation
from deepnet_fairseq.evaluation.decode.test_data import (
    Direction,
    Sentence,
    SourceText,
    count_test_lines,
    read_source,
)
from deepnet_fairseq.evaluation.decode.translator import Hypothesis
from deepnet_fairseq.evaluation.decode.workers import translate_batches

logger = logging.getLogger(__name__)

# fairseq-generate's own default if neither tokens nor sentences are given.
DEFAULT_TOKENS = 12000
# Batches per worker in a group: few enough that an interruption costs little, enough that most
# sentences find others of their length.
BATCHES_IN_GROUP = 16


def decode_all(
    directions: Sequence[Direction],
    generation: Generation,
    corpus: Path,
    vocabulary: Path,
    folder: Path,
) -> List[Hypotheses]:
    """Translate each direction that is not finished, with a progress bar, and return all.

    Args:
        directions: What to translate.
        generation: How to translate.
        corpus: The folder of the test sets, in OPUS-100's layout.
        vocabulary: The folder of SentencePiece model and dictionary.
        folder: For the hypotheses.

    Raises:
        EvaluationError: The two sides of a test set differ in lines, or see `translate_batches`.
    """
    lines = {direction: count_test_lines(direction, corpus) for direction in directions}
    metadata = {}
    for direction in directions:
        metadata[direction] = make_metadata(
            generation.command(direction),
            generation.checkpoint,
            direction.source_file(corpus),
            lines[direction],
        )
    remaining = [d for d in directions if not is_finished(d, folder, metadata[d])]
    finished = len(directions) - len(remaining)
    if finished:
        logger.info("%d of %d directions are translated already", finished, len(directions))
    if remaining:
        decoding = _Decoding(generation, corpus, vocabulary)
        total = sum(lines[direction] for direction in remaining)
        with tqdm(
            total=total, desc="translating", unit="sentence", unit_scale=True, mininterval=1
        ) as bar:
            for done in decoding.run(remaining, bar):
                direction = done.source.direction
                write_hypotheses(direction, folder, done.lines, done.special, metadata[direction])
    return [read_hypotheses(direction, folder) for direction in directions]


@dataclass
class _Pending:
    """A direction and those of its hypotheses that are ready."""

    source: SourceText
    hypotheses: List[Optional[Hypothesis]]
    missing: int
    special: SpecialLines

    @property
    def lines(self) -> List[str]:
        return ["" if hypothesis is None else hypothesis.text for hypothesis in self.hypotheses]

    def add(self, line: int, hypothesis: Optional[Hypothesis]) -> None:
        self.hypotheses[line] = hypothesis
        self.missing -= 1
        if hypothesis is None:
            self.special.too_long.append(line)
        elif hypothesis.cut:
            self.special.cut.append(line)


class _Decoding:
    """Batches of many directions, taken apart again into directions."""

    def __init__(self, generation: Generation, corpus: Path, vocabulary: Path) -> None:
        self.generation, self.corpus = generation, corpus
        args = generation.args
        self.max_tokens, self.max_sentences = args.max_tokens, args.batch_size
        if self.max_tokens is None and self.max_sentences is None:
            self.max_tokens = DEFAULT_TOKENS
        self.one_target = bool(args.lang_tok_replacing_bos_eos)
        self.encoder = Encoder(vocabulary)
        self.pending: Dict[Direction, _Pending] = {}

    def run(self, directions: Sequence[Direction], bar: Any) -> Iterator[_Pending]:
        """Yield each direction when it is finished."""
        batches = self._batches(directions)
        generation = self.generation
        for batch, results in translate_batches(generation.args, generation.devices, batches):
            for sentence, hypothesis in zip(batch, results, strict=True):
                self.pending[sentence.direction].add(sentence.line, hypothesis)
            bar.update(len(batch))
            yield from self._finished(bar)
        yield from self._finished(bar)

    def _batches(self, directions: Sequence[Direction]) -> Iterator[List[Sentence]]:
        batch_tokens = self.max_tokens or DEFAULT_TOKENS
        minimum = batch_tokens * BATCHES_IN_GROUP * len(self.generation.devices)
        sources = (read_source(direction, self.corpus, self.encoder) for direction in directions)
        for group in group_sources(sources, minimum):
            for source in group:
                special = SpecialLines(empty=source.empty, unknown=source.unknown)
                self.pending[source.direction] = _Pending(
                    source, [None] * source.lines, len(source.sentences), special
                )
            yield from make_batches(
                [sentence for source in group for sentence in source.sentences],
                self.max_tokens,
                self.max_sentences,
                self.one_target,
            )

    def _finished(self, bar: Any) -> Iterator[_Pending]:
        finished = [d for d, pending in self.pending.items() if pending.missing == 0]
        for direction in finished:
            done = self.pending.pop(direction)
            bar.update(len(done.source.empty))
            yield done


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

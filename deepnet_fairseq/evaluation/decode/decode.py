"""Every direction that is not translated yet, from one model load: sentences of many directions in common batches."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

from tqdm import tqdm

from deepnet_fairseq.data.binarize import Encoder
from deepnet_fairseq.evaluation.decode.batches import group_sources, make_batches
from deepnet_fairseq.evaluation.decode.direction import Direction
from deepnet_fairseq.evaluation.decode.generation_args import parse_command
from deepnet_fairseq.evaluation.decode.hypotheses import (
    Hypotheses,
    SpecialLines,
    is_finished,
    make_stamp,
    store,
    stored,
)
from deepnet_fairseq.evaluation.decode.test_data import Sentence, Sources, check_lines, read_sources
from deepnet_fairseq.evaluation.decode.translator import Hypothesis
from deepnet_fairseq.evaluation.decode.workers import translate_batches

logger = logging.getLogger(__name__)

Command = Callable[[Direction], List[str]]
# As many tokens as fairseq-generate takes when it is told neither tokens nor sentences.
DEFAULT_TOKENS = 12000
# So many batches, per worker, make a group: few enough that an interruption costs little, enough that most sentences find others of
# their length.
BATCHES_IN_GROUP = 16


def decode_all(
    directions: Sequence[Direction],
    command_for: Command,
    checkpoint: Path,
    corpus: Path,
    vocabulary: Path,
    folder: Path,
    devices: Sequence[str] = ("cpu",),
) -> List[Hypotheses]:
    """Translate every direction that is not there yet into folder, with a progress bar; return all.

    Args: command_for: a direction's whole fairseq-generate command, which gives the same hypotheses; corpus: in OPUS-100's layout;
    vocabulary: the folder of SentencePiece model and dictionary; devices: one for each process.

    Raises EvaluationError for references that are not as many as sources, and what `translate_batches` raises.
    """
    lines = {direction: check_lines(direction, corpus) for direction in directions}
    stamps = {
        d: make_stamp(command_for(d), checkpoint, d.sources(corpus), lines[d]) for d in directions
    }
    todo = [d for d in directions if not is_finished(d, folder, stamps[d])]
    if len(todo) < len(directions):
        logger.info(
            "%d of %d directions are translated already",
            len(directions) - len(todo),
            len(directions),
        )
    if todo:
        work = _Work(command_for(todo[0]), corpus, vocabulary, devices)
        with tqdm(
            total=sum(lines[d] for d in todo),
            desc="translating",
            unit="sentence",
            unit_scale=True,
            mininterval=1,
        ) as bar:
            for done in work.translate(todo, bar):
                store(
                    done.sources.direction,
                    folder,
                    done.lines,
                    done.special,
                    stamps[done.sources.direction],
                )
    return [stored(direction, folder) for direction in directions]


@dataclass
class _Unfinished:
    """A direction on its way: hypotheses as they come."""

    sources: Sources
    found: List[Optional[Hypothesis]]
    missing: int
    special: SpecialLines

    @property
    def lines(self) -> List[str]:
        return ["" if hypothesis is None else hypothesis.text for hypothesis in self.found]

    def add(self, line: int, hypothesis: Optional[Hypothesis]) -> None:
        self.found[line] = hypothesis
        self.missing -= 1
        if hypothesis is None:
            self.special.too_long.append(line)
        elif hypothesis.cut:
            self.special.cut.append(line)


class _Work:
    """The way from directions to hypotheses, in common batches."""

    def __init__(
        self, command: Sequence[str], corpus: Path, vocabulary: Path, devices: Sequence[str]
    ) -> None:
        self.command, self.corpus, self.devices = command, corpus, devices
        settings = parse_command(command)
        self.max_tokens, self.max_sentences = settings.max_tokens, settings.batch_size
        if self.max_tokens is None and self.max_sentences is None:
            self.max_tokens = DEFAULT_TOKENS
        self.one_target = bool(settings.lang_tok_replacing_bos_eos)
        self.encoder = Encoder(vocabulary)
        self.unfinished: Dict[Direction, _Unfinished] = {}

    def translate(self, directions: Sequence[Direction], bar: Any) -> Iterator[_Unfinished]:
        """Yield each direction as it is finished."""
        for batch, found in translate_batches(
            self.command, self.devices, self._batches(directions)
        ):
            for sentence, hypothesis in zip(batch, found, strict=True):
                self.unfinished[sentence.direction].add(sentence.line, hypothesis)
            bar.update(len(batch))
            yield from self._finished(bar)
        yield from self._finished(bar)

    def _batches(self, directions: Sequence[Direction]) -> Iterator[List[Sentence]]:
        sources = (read_sources(direction, self.corpus, self.encoder) for direction in directions)
        for group in group_sources(
            sources, (self.max_tokens or DEFAULT_TOKENS) * BATCHES_IN_GROUP * len(self.devices)
        ):
            for one in group:
                special = SpecialLines(empty=one.empty, unknown=one.unknown)
                self.unfinished[one.direction] = _Unfinished(
                    one, [None] * one.lines, len(one.sentences), special
                )
            yield from make_batches(
                [s for one in group for s in one.sentences],
                self.max_tokens,
                self.max_sentences,
                self.one_target,
            )

    def _finished(self, bar: Any) -> Iterator[_Unfinished]:
        for direction in [
            d for d, unfinished in self.unfinished.items() if unfinished.missing == 0
        ]:
            done = self.unfinished.pop(direction)
            bar.update(len(done.sources.empty))
            yield done

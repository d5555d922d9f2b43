"""Whether hypotheses use their sources; a broken model often writes fluent text that does not."""

import random
from dataclasses import dataclass
from typing import List, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score.scorers import papers_bleu

# A small model in mid-training (mean BLEU 15) had 4 to 23 times the shuffled BLEU, and one that
# ignored its source 1.0 times.
MINIMUM_RATIO = 2.0
MINIMUM_DIFFERENCE = 1.0  # BLEU
MINIMUM_LINES = 20  # with fewer, one lucky sentence decides


@dataclass(frozen=True)
class SourceUse:
    """How much better hypotheses match their own references than those of other sentences."""

    bleu: float
    shuffled_bleu: float
    distinct: float  # different hypotheses / different sources; at least 1 if nothing is merged
    lines: int

    @property
    def ignores_source(self) -> bool:
        """Whether the hypotheses fit other sources as well; False if the test set is too small."""
        enough = (
            self.bleu >= MINIMUM_RATIO * self.shuffled_bleu
            and self.bleu - self.shuffled_bleu >= MINIMUM_DIFFERENCE
        )
        return self.lines >= MINIMUM_LINES and not enough


def measure_source_use(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str]
) -> SourceUse:
    """Compare BLEU with BLEU against shuffled references; every call shuffles alike.

    Raises:
        EvaluationError: The numbers of lines differ, or there are none.
    """
    counts = len(sources), len(hypotheses), len(references)
    if len(set(counts)) > 1 or not references:
        raise EvaluationError(
            f"{counts[0]} sources, {counts[1]} hypotheses, {counts[2]} references; there must be "
            "as many of each, and at least one"
        )
    shuffled = [references[i] for i in derangement(len(references))]
    return SourceUse(
        bleu=papers_bleu().corpus_score(hypotheses, [references]).score,
        shuffled_bleu=papers_bleu().corpus_score(hypotheses, [shuffled]).score,
        distinct=len(set(hypotheses)) / len(set(sources)),
        lines=len(references),
    )


def derangement(size: int, seed: int = 1) -> List[int]:
    """Return a random permutation of range(size) that is one cycle (Sattolo's algorithm).

    None of two or more elements keeps its place.
    """
    generator, order = random.Random(seed), list(range(size))
    for last in range(size - 1, 0, -1):
        other = generator.randrange(last)
        order[last], order[other] = order[other], order[last]
    return order

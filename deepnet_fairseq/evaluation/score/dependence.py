"""Whether hypotheses depend on their sources: fluent sentences that ignore them are how a broken model most often shows."""

import random
from dataclasses import dataclass
from typing import List, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score.metrics import papers_bleu

# A small model in the midst of training (mean BLEU 15) had 4 to 23 times the shuffled BLEU, one that ignored its source 1.0 times.
LEAST_RATIO = 2.0
LEAST_DIFFERENCE = 1.0  # BLEU
# Below this, one lucky sentence decides.
LEAST_LINES = 20


@dataclass(frozen=True)
class Dependence:
    """How much better hypotheses match their own references than other sentences' references."""

    bleu: float
    shuffled_bleu: float
    distinct: float  # different hypotheses / different sources, 1 or more if nothing is merged
    lines: int

    @property
    def ignores_source(self) -> bool:
        """Whether the hypotheses could as well belong to other sources; never so for a test set too small to tell."""
        enough = (
            self.bleu >= LEAST_RATIO * self.shuffled_bleu
            and self.bleu - self.shuffled_bleu >= LEAST_DIFFERENCE
        )
        return self.lines >= LEAST_LINES and not enough


def measure_dependence(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str]
) -> Dependence:
    """Compare BLEU with BLEU against references that are shuffled so that no line keeps its own; the same at every call.

    Raises EvaluationError if they aren't as many, or there are none.
    """
    counts = len(sources), len(hypotheses), len(references)
    if len(set(counts)) > 1 or not references:
        raise EvaluationError(
            "{} sources, {} hypotheses, {} references; there must be as many of each, and at least one".format(
                *counts
            )
        )
    own = papers_bleu().corpus_score(hypotheses, [references])
    others = papers_bleu().corpus_score(
        hypotheses, [[references[i] for i in derangement(len(references))]]
    )
    return Dependence(
        own.score, others.score, len(set(hypotheses)) / len(set(sources)), len(references)
    )


def derangement(size: int, seed: int = 1) -> List[int]:
    """A random permutation of range(size) that is one cycle, so that none of two or more stays in its place (Sattolo's algorithm)."""
    draw, order = random.Random(seed), list(range(size))
    for last in range(size - 1, 0, -1):
        other = draw.randrange(last)
        order[last], order[other] = order[other], order[last]
    return order

"""Whether one system's score differs from another's by more than chance: sacrebleu's paired tests, unchanged."""

from dataclasses import dataclass
from typing import List, Optional, Sequence

from sacrebleu.metrics.base import Metric
from sacrebleu.significance import PairedTest

from deepnet_fairseq.errors import EvaluationError

BOOTSTRAP, RANDOMISATION, NONE = "bootstrap", "randomisation", "none"
TESTS = (BOOTSTRAP, RANDOMISATION)
SACREBLEU_NAMES = {BOOTSTRAP: "bs", RANDOMISATION: "ar"}
SAMPLES = {BOOTSTRAP: 1000, RANDOMISATION: 10000}  # sacrebleu's own defaults
LEVEL = 0.05  # a difference is called significant below this p

BETTER, WORSE, UNDECIDED = "better", "worse", "no significant difference"


@dataclass(frozen=True)
class PairedScore:
    """One system's score. The randomisation has no mean and interval, the baseline no p."""

    score: float
    p_value: Optional[float] = (
        None  # how likely so large a difference from the baseline is if the two don't differ
    )
    mean: Optional[float] = None  # over the bootstrap's samples
    interval: Optional[float] = None  # 95 % of the samples lie within mean ± this


@dataclass(frozen=True)
class PairedScores:
    """Several systems on one test set in one metric, the baseline first."""

    systems: List[PairedScore]
    signature: str  # sacrebleu's, with test, samples and seed

    def verdict(self, index: int) -> str:
        """Whether the system of that index is BETTER or WORSE than the baseline, or UNDECIDED."""
        tested, difference = self.systems[index], self.systems[index].score - self.systems[0].score
        # sacrebleu gives equal hypotheses the smallest p that there is: no sample's difference is above theirs, zero.
        if tested.p_value is None or tested.p_value >= LEVEL or difference == 0:
            return UNDECIDED
        return BETTER if difference > 0 else WORSE


def paired_test(
    systems: Sequence[Sequence[str]],
    references: Sequence[str],
    metric: Metric,
    test: str,
    samples: int = 0,
) -> PairedScores:
    """Test each system's hypotheses against those of the first one; samples 0 are sacrebleu's default.

    As sacrebleu's command line does, $SACREBLEU_SEED sets the seed; the same seed gives the same numbers. Raises EvaluationError unless all
    have a line for every reference.
    """
    for hypotheses in systems:
        if len(hypotheses) != len(references) or not references:
            raise EvaluationError(
                f"{len(hypotheses)} hypotheses for {len(references)} references; there must be one each, and at least one"
            )
    named = [(str(number), hypotheses) for number, hypotheses in enumerate(systems)]
    signatures, scores = PairedTest(
        named, {"metric": metric}, [references], SACREBLEU_NAMES[test], samples
    )()
    (name,) = signatures
    tested = [
        PairedScore(float(r.score), _number(r.p_value), _number(r.mean), _number(r.ci))
        for r in scores[name]
    ]
    return PairedScores(tested, str(signatures[name]))


def _number(value: Optional[float]) -> Optional[float]:
    """A float that JSON takes: sacrebleu's are numpy's."""
    return None if value is None else float(value)

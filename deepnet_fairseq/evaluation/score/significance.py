"""sacrebleu's paired tests: is the difference of two systems' scores more than chance?"""

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
    """The score of one system. The randomisation has no mean and interval, the baseline no p."""

    score: float
    # The probability of so large a difference from the baseline if the two do not differ.
    p_value: Optional[float] = None
    mean: Optional[float] = None  # over the bootstrap's samples
    interval: Optional[float] = None  # 95 % of the samples lie within mean ± this


@dataclass(frozen=True)
class PairedScores:
    """The scores of several systems on one test set in one metric, the baseline first."""

    systems: List[PairedScore]
    signature: str  # sacrebleu's, with test, samples and seed

    def outcome(self, index: int) -> str:
        """Return whether a system is BETTER or WORSE than the baseline, or UNDECIDED."""
        tested, difference = self.systems[index], self.systems[index].score - self.systems[0].score
        # sacrebleu gives equal hypotheses the smallest p possible: no sample's difference is above
        # theirs, which is zero.
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
    """Test the hypotheses of each system against those of the first one.

    As for sacrebleu's command line, $SACREBLEU_SEED sets the seed; the same seed gives the same
    numbers.

    Args:
        systems: The hypotheses of each system, the baseline first.
        references: One per hypothesis.
        metric: Sacrebleu's object.
        test: One of TESTS.
        samples: 0 is sacrebleu's default.

    Raises:
        EvaluationError: A system does not have one line per reference.
    """
    for hypotheses in systems:
        if len(hypotheses) != len(references) or not references:
            raise EvaluationError(
                f"{len(hypotheses)} hypotheses for {len(references)} references; there must be "
                "one each, and at least one"
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
    """Return a float that JSON can hold: sacrebleu's are numpy's."""
    return None if value is None else float(value)

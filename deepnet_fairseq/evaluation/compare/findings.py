"""What a comparison says in words."""

from typing import List, Tuple

from deepnet_fairseq.evaluation.compare.result import Comparison, Outcome
from deepnet_fairseq.evaluation.report.text_table import format_score
from deepnet_fairseq.evaluation.score.significance import BOOTSTRAP, NONE

TESTS = {BOOTSTRAP: "paired bootstrap", "randomisation": "paired approximate randomisation"}


def outcome_lines(comparison: Comparison, outcome: Outcome) -> List[str]:
    """How one system does against the baseline, in one or two sentences."""
    against = f"{outcome.system} against {comparison.baseline}, {comparison.metric}"
    counts = f"{outcome.wins} wins, {outcome.ties} ties, {outcome.losses} losses in {counted(outcome.directions)}"
    return [
        f"{against}: {counts}; win ratio {format_score(outcome.win_ratio)} %.",
        significance_line(comparison, outcome),
    ]


def significance_line(comparison: Comparison, outcome: Outcome) -> str:
    """How many differences are significant, and how many would seem so by chance."""
    if comparison.test == NONE or outcome.better is None:
        return "Not tested for significance."
    test = f"p < {comparison.level}, {TESTS[comparison.test]}, {comparison.samples:,} samples"
    chance = f"chance alone would make about {format_score(comparison.by_chance)} of {outcome.directions} seem significant"
    return f"Significantly better in {outcome.better}, worse in {outcome.worse} ({test}); {chance}."


def signature_rows(comparison: Comparison) -> List[Tuple[str, str]]:
    """Every metric's signatures, then those of the tests; one that all target languages share stands there once."""
    rows = []
    for kind, signatures in (
        ("signature", comparison.signatures),
        ("test", comparison.test_signatures),
    ):
        for metric, by_signature in signatures.items():
            for signature, languages in by_signature.items():
                rows.append(
                    (
                        f"{metric} {kind}"
                        + (f" ({', '.join(languages)})" if len(by_signature) > 1 else ""),
                        signature,
                    )
                )
    return rows


def counted(directions: int) -> str:
    return f"{directions} direction{'' if directions == 1 else 's'}"

"""When the guard complains, and why."""

import math
from typing import List, Optional, Tuple

import pytest

from deepnet_fairseq.training.diagnostics.guard import (
    MAX_MODEL_STEP,
    MIN_GAP,
    MIN_GAP_SHARE,
    MIN_TOKEN_VARIANCE_RATIO,
    PATIENCE,
    Guard,
)

Measured = Tuple[float, float]  # model step, shuffled-source NLL gap
SMALL = 0.02


def feed(measured: List[Measured]) -> Tuple[Guard, Optional[int]]:
    """Return a guard fed with one value per 10 updates, and the update of its first complaint."""
    guard, first = Guard(), None
    for number, (step, gap) in enumerate(measured, start=1):
        guard.update(10 * number, step, gap, token_variance_ratio=0.5)
        if guard.complaint is not None and first is None:
            first = 10 * number
    return guard, first


def test_the_limits_are_those_of_the_documentation() -> None:
    assert (MAX_MODEL_STEP, MIN_GAP, MIN_GAP_SHARE) == (0.5, 0.5, 0.1)
    assert (MIN_TOKEN_VARIANCE_RATIO, PATIENCE) == (1e-3, 3)


QUIET = {
    "healthy": [(0.3, 0.0), (0.1, 0.4), (0.05, 2.0), (0.05, 1.9)],
    "at the limit": [(MAX_MODEL_STEP, 1.0)],
    "never used the source": [(SMALL, 0.49)] + [(SMALL, 0.0)] * 6,
    "twice": [(SMALL, 1.0), (SMALL, 0.0), (SMALL, 0.0)],
    "not in a row": [
        (SMALL, 1.0),
        (SMALL, 0.0),
        (SMALL, 0.0),
        (SMALL, 0.11),
        (SMALL, 0.0),
        (SMALL, 0.0),
    ],
    "just large enough": [(SMALL, 1.0)] + [(SMALL, 0.1)] * 5,
    "nothing to swap": [(SMALL, math.nan)] * 6,
}


@pytest.mark.parametrize("measured", QUIET.values(), ids=QUIET)
def test_it_does_not_complain(measured: List[Measured]) -> None:
    guard, first = feed(measured)
    assert guard.complaint is None and first is None


OVERTURNING = [(0.51, "51%"), (3.0, "300%"), (math.nan, "nan%"), (math.inf, "inf%")]


@pytest.mark.parametrize(("step", "reason"), OVERTURNING, ids=[reason for _, reason in OVERTURNING])
def test_a_single_update_that_overturns_the_model_is_enough(step: float, reason: str) -> None:
    guard, first = feed([(SMALL, 1.0), (step, 1.0)])
    assert first == 20
    assert guard.complaint is not None and "\n" not in guard.complaint
    assert guard.complaint.startswith(
        f"stopped at update 20: this single update changed the model's output by {reason} of its "
        "size (limit 50%)"
    )
    assert "from a checkpoint of update 10 or before" in guard.complaint


def test_without_a_healthy_update_there_is_nothing_to_resume_from() -> None:
    guard, first = feed([(0.9, 1.0)])
    assert first == 10 and guard.complaint is not None and "--restore-file" not in guard.complaint


FORGETTING = {
    "at once": (
        [(SMALL, 2.0)] + [(SMALL, 0.19)] * 3,
        40,
        "0.19 bits per token, 2.00 at update 10",
        10,
    ),
    "below nothing": (
        [(SMALL, 0.5)] + [(SMALL, -0.3)] * 3,
        40,
        "-0.30 bits per token, 0.50 at update 10",
        10,
    ),
    "after its best": (
        [(SMALL, 1.0), (SMALL, 3.0)] + [(SMALL, 0.2)] * 3,
        50,
        "0.20 bits per token, 3.00 at update 20",
        20,
    ),
}


@pytest.mark.parametrize(
    ("measured", "update", "reason", "best"), FORGETTING.values(), ids=FORGETTING
)
def test_a_model_that_no_longer_uses_the_source_is_stopped(
    measured: List[Measured], update: int, reason: str, best: int
) -> None:
    guard, first = feed(measured)
    assert first == update
    assert guard.complaint is not None and "\n" not in guard.complaint
    assert guard.complaint.startswith(
        f"stopped at update {update}: the model no longer uses the source "
        f"(shuffled-source NLL gap {reason}). "
    )
    assert f"from a checkpoint of update {best} or before" in guard.complaint


RATIOS = {
    "three in a row": ([0.8, 0.002, 9e-4, 1e-5, 9e-4], 50, "0.0009, limit 0.001", 20),
    "not in a row": ([0.8, 9e-4, 9e-4, 0.002, 9e-4, 9e-4], None, "", 0),
    "at the limit": ([1e-3] * 5, None, "", 0),
    "from the start": ([0.0] * 3, 30, "0, limit 0.001", 0),
}


@pytest.mark.parametrize(("ratios", "update", "reason", "healthy"), RATIOS.values(), ids=RATIOS)
def test_a_collapsed_encoder_is_stopped(
    ratios: List[float], update: Optional[int], reason: str, healthy: int
) -> None:
    guard, first = Guard(), None
    for number, ratio in enumerate(ratios, start=1):
        guard.update(10 * number, SMALL, 0.0, ratio)
        first = 10 * number if guard.complaint and first is None else first
    assert first == update
    if update is None:
        assert guard.complaint is None
    else:
        assert guard.complaint.startswith(
            f"stopped at update {update}: the encoder collapsed: its output is almost the same for "
            f"every token (token variance ratio {reason})"
        )
        assert (f"from a checkpoint of update {healthy} or before" in guard.complaint) == (
            healthy > 0
        )

"""When the guard complains, and of what: fed with numbers."""

import math
from typing import List, Optional, Tuple

import pytest

from deepnet_fairseq.training.diagnostics.guard import (
    COLLAPSED,
    FORGOTTEN,
    IN_A_ROW,
    LOOKED,
    OVERTURNED,
    Guard,
)

Heard = Tuple[float, float]  # model step, source gap
SMALL = 0.02


def feed(heard: List[Heard]) -> Tuple[Guard, Optional[int]]:
    """A guard that has heard all of these, one per 10 updates, and the update of its first complaint."""
    guard, first = Guard(), None
    for number, (step, gap) in enumerate(heard, start=1):
        guard.heed(10 * number, step, gap, encoder_spread=0.5)
        if guard.complaint is not None and first is None:
            first = 10 * number
    return guard, first


def test_the_limits_are_those_of_the_documentation() -> None:
    assert (OVERTURNED, LOOKED, FORGOTTEN, COLLAPSED, IN_A_ROW) == (0.5, 0.5, 0.1, 1e-3, 3)


QUIET = {
    "sound": [(0.3, 0.0), (0.1, 0.4), (0.05, 2.0), (0.05, 1.9)],
    "at the limit": [(OVERTURNED, 1.0)],
    "never looked": [(SMALL, 0.49)] + [(SMALL, 0.0)] * 6,
    "twice": [(SMALL, 1.0), (SMALL, 0.0), (SMALL, 0.0)],
    "not in a row": [
        (SMALL, 1.0),
        (SMALL, 0.0),
        (SMALL, 0.0),
        (SMALL, 0.11),
        (SMALL, 0.0),
        (SMALL, 0.0),
    ],
    "just worth enough": [(SMALL, 1.0)] + [(SMALL, 0.1)] * 5,
    "nothing to exchange": [(SMALL, math.nan)] * 6,
}


@pytest.mark.parametrize("heard", QUIET.values(), ids=QUIET)
def test_it_says_nothing(heard: List[Heard]) -> None:
    guard, first = feed(heard)
    assert guard.complaint is None and first is None


OVERTURNING = [(0.51, "51%"), (3.0, "300%"), (math.nan, "nan%"), (math.inf, "inf%")]


@pytest.mark.parametrize(("step", "said"), OVERTURNING, ids=[said for _, said in OVERTURNING])
def test_a_single_update_that_overturns_the_model_is_enough(step: float, said: str) -> None:
    guard, first = feed([(SMALL, 1.0), (step, 1.0)])
    assert first == 20
    assert guard.complaint is not None and "\n" not in guard.complaint
    assert guard.complaint.startswith(
        f"stopped at update 20: this single update changed the model's output by {said} of its size (limit 50%)"
    )
    assert "from a checkpoint of update 10 or before" in guard.complaint


def test_where_nothing_was_sound_there_is_nothing_to_go_on_from() -> None:
    guard, first = feed([(0.9, 1.0)])
    assert first == 10 and guard.complaint is not None and "--restore-file" not in guard.complaint


FORGETTING = {
    "at once": (
        [(SMALL, 2.0)] + [(SMALL, 0.19)] * 3,
        40,
        "worth 0.19 bits per token, and was 2.00 at update 10",
        10,
    ),
    "below nothing": (
        [(SMALL, 0.5)] + [(SMALL, -0.3)] * 3,
        40,
        "worth -0.30 bits per token, and was 0.50 at update 10",
        10,
    ),
    "after its best": (
        [(SMALL, 1.0), (SMALL, 3.0)] + [(SMALL, 0.2)] * 3,
        50,
        "worth 0.20 bits per token, and was 3.00 at update 20",
        20,
    ),
}


@pytest.mark.parametrize(("heard", "update", "said", "best"), FORGETTING.values(), ids=FORGETTING)
def test_a_model_that_no_longer_looks_at_its_source_is_stopped(
    heard: List[Heard], update: int, said: str, best: int
) -> None:
    guard, first = feed(heard)
    assert first == update
    assert guard.complaint is not None and "\n" not in guard.complaint
    assert guard.complaint.startswith(
        f"stopped at update {update}: the model no longer looks at its source, which is {said}. "
    )
    assert f"from a checkpoint of update {best} or before" in guard.complaint


SPREADS = {
    "three in a row": ([0.8, 0.002, 9e-4, 1e-5, 9e-4], 50, "spread 0.0009, limit 0.001", 20),
    "not in a row": ([0.8, 9e-4, 9e-4, 0.002, 9e-4, 9e-4], None, "", 0),
    "at the limit": ([1e-3] * 5, None, "", 0),
    "from the start": ([0.0] * 3, 30, "spread 0, limit 0.001", 0),
}


@pytest.mark.parametrize(("spreads", "update", "said", "sound"), SPREADS.values(), ids=SPREADS)
def test_an_encoder_that_gives_the_same_for_every_token_is_stopped(
    spreads: List[float], update: Optional[int], said: str, sound: int
) -> None:
    guard, first = Guard(), None
    for number, spread in enumerate(spreads, start=1):
        guard.heed(10 * number, SMALL, 0.0, spread)
        first = 10 * number if guard.complaint and first is None else first
    assert first == update
    if update is None:
        assert guard.complaint is None
    else:
        assert guard.complaint.startswith(
            f"stopped at update {update}: the encoder gives almost the same for every token ({said})"
        )
        assert (f"from a checkpoint of update {sound} or before" in guard.complaint) == (sound > 0)

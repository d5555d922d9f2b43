"""A sampling temperature for every epoch."""

import math
from itertools import pairwise
from typing import List, Optional, Tuple


class TemperatureSchedule:
    """Temperatures by epoch: '1:5,10:2.5,20:1' samples at 5 in epochs 1 to 9, at 2.5 in 10 to 19, and at 1 from 20 on.

    Raises ValueError for anything but EPOCH:TEMPERATURE pairs, separated by commas, with epochs that rise from 1 and temperatures above 0.
    """

    def __init__(self, text: str) -> None:
        self.steps: List[Tuple[int, float]] = []
        for word in text.split(","):
            epoch, _, temperature = word.partition(":")
            try:
                self.steps.append((int(epoch), float(temperature)))
            except ValueError:
                raise ValueError(
                    f"{text!r}: {word!r} is not EPOCH:TEMPERATURE, as in 1:5,10:2.5"
                ) from None
        epochs = [epoch for epoch, _ in self.steps]
        if epochs[0] != 1 or any(a >= b for a, b in pairwise(epochs)):
            raise ValueError(
                f"{text!r}: epochs are {', '.join(map(str, epochs))}; they must begin with 1 and rise"
            )
        for _, temperature in self.steps:
            if not 0 < temperature < math.inf:
                raise ValueError(f"{text!r}: temperature {temperature} is not a number above 0")

    def at(self, epoch: int) -> float:
        """Return the temperature of an epoch, counted from 1."""
        return [temperature for first, temperature in self.steps if first <= epoch][-1]

    def next_change(self, epoch: int) -> Optional[int]:
        """Return the first epoch after this one that begins a step, or None."""
        return next((first for first, _ in self.steps if first > epoch), None)

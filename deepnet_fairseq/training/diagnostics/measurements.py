"""The file that a measured training leaves: one number per line, in its order."""

import csv
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple

FILE_NAME = "stability.csv"
COLUMNS = ("update", "stack", "layer", "quantity", "value")

# Of the whole model (stack "model", layer 0)
MODEL_UPDATE = "model_update"  # ‖F(x,θ_i) − F(x,θ_0)‖ / ‖F(x,θ_0)‖
MODEL_STEP = "model_step"  # ‖F(x,θ_i) − F(x,θ_{i−1})‖ / ‖F(x,θ_{i−1})‖: what a single update did
SOURCE_GAP = "source_gap"  # bits per token that the source is worth
ENCODER_SPREAD = "encoder_spread"  # how much the encoder's output differs from token to token, from 0 (all equal) to 1
NLL = "probe_nll"  # of the probe, in bits per token
# Of each layer
GRADIENT = "gradient_norm"  # L2 norm of the gradient of all its weights, after clipping
UPDATE = "update_norm"  # L2 norm of the change of all its weights; in half precision of their rounded copy, mostly rounding at small rates
WEIGHT = "weight_norm"  # L2 norm of all its weights
VARIANCE = "output_variance"  # of its output, over tokens and channels
CHANGE = "output_change"  # of its output since the start, relative as model_update


class Measurement(NamedTuple):
    """A line of the file."""

    update: int
    stack: str
    layer: int
    quantity: str
    value: float


class Writer:
    """Appends measurements to a file. A training that goes on from a checkpoint adds to what the earlier run left."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, measurements: Iterable[Measurement]) -> None:
        """Add measurements at once, with the header first if the file is new."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            if file.tell() == 0:
                lines.writerow(COLUMNS)
            lines.writerows((*m[:4], f"{m.value:.6g}") for m in measurements)


def read(path: Path) -> List[Measurement]:
    """The measurements in a file, ordered by update; where a training started again, what the later run measured.

    Raises ValueError, naming file and line, for anything that a Writer would not have written.
    """
    held: Dict[tuple, Measurement] = {}
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        if tuple(next(lines, ())) != COLUMNS:
            raise ValueError(f"{path}, line 1: is not {','.join(COLUMNS)}")
        for words in lines:
            try:
                update, stack, layer, quantity, value = words
                m = Measurement(int(update), stack, int(layer), quantity, float(value))
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {lines.line_num}: {','.join(words)!r} is not a measurement"
                ) from error
            held[m[:4]] = m
    return sorted(held.values(), key=lambda m: m.update)

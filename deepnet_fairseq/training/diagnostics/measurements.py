"""stability.csv, the file of a measured training: one number per line, in the order measured."""

import csv
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple

from deepnet_fairseq.errors import DataError

FILE_NAME = "stability.csv"
COLUMNS = ("update", "stack", "layer", "quantity", "value")

# Of the whole model (stack "model", layer 0)
MODEL_UPDATE = "model_update"  # ‖F(x,θ_i) − F(x,θ_0)‖ / ‖F(x,θ_0)‖
MODEL_STEP = "model_step"  # ‖F(x,θ_i) − F(x,θ_{i−1})‖ / ‖F(x,θ_{i−1})‖, of one update
NLL_GAP = "shuffled_source_nll_gap"  # NLL with shuffled sources minus NLL, bits per token
TOKEN_VARIANCE_RATIO = "token_variance_ratio"  # of the encoder's output; 0: collapsed, at most 1
NLL = "probe_nll"  # of the probe, in bits per token
# Of each layer
GRADIENT = "gradient_norm"  # L2 norm of the gradient of all its weights, after clipping
# L2 norm of the change of all its weights; in half precision that of their rounded copy, which is
# mostly rounding at small learning rates
UPDATE = "update_norm"
WEIGHT = "weight_norm"  # L2 norm of all its weights
VARIANCE = "output_variance"  # of its output, over tokens and channels
CHANGE = "output_change"  # of its output since the start, relative as model_update

# Names in files that were written before these were renamed.
RENAMED = {"source_gap": NLL_GAP, "encoder_spread": TOKEN_VARIANCE_RATIO}


class Measurement(NamedTuple):
    """A line of the file."""

    update: int
    stack: str
    layer: int
    quantity: str
    value: float


class Writer:
    """Appends measurements to a file; a resumed training adds to what the earlier run wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, measurements: Iterable[Measurement]) -> None:
        """Append measurements at once, after the header if the file is new."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            if file.tell() == 0:
                lines.writerow(COLUMNS)
            lines.writerows((*m[:4], f"{m.value:.6g}") for m in measurements)


def read(path: Path) -> List[Measurement]:
    """Return the measurements in a file, ordered by update.

    Where a training was resumed, the later run's measurements replace the earlier ones. Names that
    earlier versions wrote are translated.

    Raises:
        DataError: a line is not a measurement. The message names file and line.
    """
    measurements: Dict[tuple, Measurement] = {}
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        if tuple(next(lines, ())) != COLUMNS:
            raise DataError(f"{path}, line 1: is not {','.join(COLUMNS)}")
        for words in lines:
            try:
                update, stack, layer, quantity, value = words
                quantity = RENAMED.get(quantity, quantity)
                m = Measurement(int(update), stack, int(layer), quantity, float(value))
            except ValueError as error:
                raise DataError(
                    f"{path}, line {lines.line_num}: {','.join(words)!r} is not a measurement"
                ) from error
            measurements[m[:4]] = m
    return sorted(measurements.values(), key=lambda m: m.update)

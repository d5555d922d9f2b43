"""What a config's `evaluation:` holds."""

from dataclasses import dataclass


@dataclass
class EvaluationConfig:
    """How a trained model is evaluated."""

    average_checkpoints: int = 5  # the mean of this many newest checkpoints is scored; 1 = the newest one as it is
    examples: int = 4  # translations shown below the scores, each from another direction

    def __post_init__(self) -> None:
        for name, least in (("average_checkpoints", 1), ("examples", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")

"""What a config's `evaluation:` holds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import List

METRICS = ("BLEU", "BLEU-lang", "chrF", "chrF++", "spBLEU", "COMET")


@dataclass
class EvaluationConfig:
    """How a trained model is evaluated."""

    average_checkpoints: int = (
        5  # the mean of this many newest checkpoints is scored; 1 = the newest one as it is
    )
    examples: int = 8  # translations shown below the scores, each from another direction
    metrics: List[str] = field(
        default_factory=lambda: ["BLEU", "BLEU-lang", "chrF++", "spBLEU"]
    )  # some of METRICS
    flores200_model: str = (
        ""  # spBLEU's SentencePiece model; "": where sacrebleu keeps it, if it is there
    )
    comet_model: str = ""  # COMET's checkpoint
    reference_scores: str = ""  # a system to beat: zhang2020, or a file with a line per direction, see scoring/published_scores.py
    reference_system: str = ""  # which of the systems in it
    high_resource: int = 900_000  # training pairs from which a pair of languages counts as high-resource (Zhang et al. 2020)
    medium_resource: int = 100_000  # … as medium; below, as low

    def __post_init__(self) -> None:
        for name, least in (("average_checkpoints", 1), ("examples", 0), ("medium_resource", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.high_resource < self.medium_resource:
            raise ValueError(
                f"high_resource is {self.high_resource}, below medium_resource, {self.medium_resource}"
            )
        wrong = [name for name in self.metrics if name not in METRICS]
        if wrong or not self.metrics or len(set(self.metrics)) < len(self.metrics):
            raise ValueError(
                f"metrics is {list(self.metrics)}; list some of {', '.join(METRICS)}, each once"
            )
        if bool(self.reference_scores) != bool(self.reference_system):
            raise ValueError(
                "reference_scores and reference_system belong together; give both or neither"
            )

    def resolve_paths(self, folder: Path) -> None:
        """Turn paths relative to the config's folder into paths that open."""
        for name in ("flores200_model", "comet_model"):
            if getattr(self, name):
                setattr(self, name, str(folder / Path(getattr(self, name)).expanduser()))
        if "/" in self.reference_scores or "." in self.reference_scores:
            self.reference_scores = str(folder / Path(self.reference_scores).expanduser())

"""The `evaluation:` section of a config."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import List

from deepnet_fairseq.evaluation.score.metrics import METRICS, Metric


@dataclass
class EvaluationConfig:
    """How a trained model is evaluated."""

    # The model that is scored is the mean of this many newest checkpoints; 1 = the newest one.
    average_checkpoints: int = 5
    examples: int = 8  # translations shown below the scores, each of another direction
    metrics: List[str] = field(  # names in METRICS
        default_factory=lambda: ["BLEU", "BLEU-lang", "chrF++", "spBLEU"]
    )
    # spBLEU's SentencePiece model; "": the one that sacrebleu keeps, if it is there
    flores200_model: str = ""
    comet_model: str = ""  # COMET's checkpoint
    # A system to beat: zhang2020, or a file with a line per direction; see published_scores.py.
    reference_scores: str = ""
    reference_system: str = ""  # which of the systems in it
    # Training pairs from which a language pair counts as high-resource (Zhang et al. 2020), and
    # as medium-resource; below, it is low-resource.
    high_resource: int = 900_000
    medium_resource: int = 100_000

    def __post_init__(self) -> None:
        for name, minimum in (("average_checkpoints", 1), ("examples", 0), ("medium_resource", 1)):
            if getattr(self, name) < minimum:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {minimum}")
        if self.high_resource < self.medium_resource:
            raise ValueError(
                f"high_resource is {self.high_resource}, below medium_resource, "
                f"{self.medium_resource}"
            )
        unknown = [name for name in self.metrics if name not in METRICS]
        if unknown or not self.metrics or len(set(self.metrics)) < len(self.metrics):
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

    def requested_metrics(self) -> List[Metric]:
        """Return the metrics in the config's order, with the models that it names."""
        models = {"spBLEU": self.flores200_model, "COMET": self.comet_model}
        return [replace(METRICS[name], model=models.get(name, "")) for name in self.metrics]

"""The files of one test set to be scored."""

from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.io import count_lines, read_lines


@dataclass(frozen=True)
class ScoringJob:
    """Sources, their translations and what these should have been, a line each."""

    sources: Path
    hypotheses: Path
    references: Path
    target: str  # the language translated into

    def count(self) -> int:
        """How many lines each of the files holds. Raises EvaluationError, naming two of them, if they differ, or for no lines."""
        lines = count_lines(self.references)
        if not lines:
            raise EvaluationError(
                f"{self.references} holds no lines; it must hold a reference for every source"
            )
        for path in (self.sources, self.hypotheses):
            if count_lines(path) != lines:
                counts = f"{path} has {count_lines(path)} lines, but {self.references} has {lines}"
                raise EvaluationError(f"{counts}; line n of each must belong together")
        return lines

    def read(self) -> Tuple[List[str], List[str], List[str]]:
        """The sources, hypotheses and references. Raises DataError for bytes that aren't UTF-8."""
        return (
            list(read_lines(self.sources)),
            list(read_lines(self.hypotheses)),
            list(read_lines(self.references)),
        )

"""What all studies share: cases, options, the plan of runs, and the files of a report."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from fairseq.options import get_training_parser
from matplotlib.figure import Figure

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.evaluation.report.plots import write_png
from deepnet_fairseq.io import write_text
from experiments.runs import Run, RunResult, training_command

Results = Dict[str, RunResult]  # by name of the run


class Case(NamedTuple):
    """One cell of a study."""

    scheme: str  # residual scheme
    depth: int  # layers per side
    seed: int

    @property
    def name(self) -> str:
        """The folder of its training."""
        return f"{self.scheme}_{self.depth}l_seed{self.seed}"


CASE_COLUMNS = ("scheme", "layers_per_side", "seed")


@dataclass(frozen=True)
class Options:
    """What the command line chooses."""

    depths: Sequence[int]  # layers per side
    schemes: Sequence[str]
    seeds: Sequence[int]
    updates: int

    @property
    def cases(self) -> List[Case]:
        """Each scheme at each depth with each seed."""
        return [
            Case(scheme, depth, seed)
            for scheme in self.schemes
            for depth in self.depths
            for seed in self.seeds
        ]

    @property
    def seeds_text(self) -> str:
        """The seeds in words, for a note below a table."""
        if len(self.seeds) == 1:
            return f"seed {self.seeds[0]}"
        return f"mean over seeds {', '.join(map(str, self.seeds))}"


@dataclass(frozen=True)
class Plan:
    """What a study runs with.

    Args:
        recipe: the config.
        options: of the command line.
        folder: of all results.
        extra: further flags of fairseq-train for all runs.
    """

    recipe: Recipe
    options: Options
    folder: Path
    extra: Sequence[str] = ()

    def learning_rate(self) -> Tuple[float, int]:
        """Return the config's peak learning rate and its warm-up in updates.

        Raises:
            DataError: the config lacks one of them, or has several rates.
        """
        command = training_command(self.recipe, Run("", {}), Path("."), self.extra)
        flags = parse_flags(get_training_parser(), command[1:])
        warmup = getattr(flags, "warmup_updates", 0)
        if len(flags.lr) != 1 or not warmup:
            raise DataError(
                f"{self.recipe.path}: training.lr is {flags.lr}, training.warmup-updates {warmup}; "
                "give one rate and a warm-up"
            )
        return flags.lr[0], warmup


class Table(NamedTuple):
    """The content of a CSV file."""

    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]


@dataclass
class Report:
    """The results of a study.

    Args:
        name: of the Markdown file, without its extension.
        text: tables and notes in Markdown; also printed.
        tables: by name of their CSV file.
        figures: by name of their PNG file.
    """

    name: str
    text: str
    tables: Dict[str, Table] = field(default_factory=dict)
    figures: Dict[str, Figure] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write all files into a folder."""
        for name, table in self.tables.items():
            content = io.StringIO()
            lines = csv.writer(content, lineterminator="\n")
            lines.writerow(table.columns)
            lines.writerows(table.rows)
            write_text(folder / name, content.getvalue())
        for name, figure in self.figures.items():
            write_png(figure, folder / name)
        write_text(folder / f"{self.name}.md", self.text + "\n")


@dataclass(frozen=True)
class Study:
    """A question and how it is answered.

    Args:
        question: for the help.
        defaults: where the command line chooses nothing.
        plan_runs: returns the runs; raises UsageError for options that make no sense.
        report: returns the results; raises DataError if too many runs failed to tell anything.
        plan_later_runs: returns runs that start from the results of others; may raise DataError.
    """

    question: str
    defaults: Options
    plan_runs: Callable[[Plan], List[Run]]
    report: Callable[[Plan, Results], Report]
    plan_later_runs: Callable[[Plan, Results], List[Run]] = lambda plan, results: []


def case_flags(case: Case, updates: int, branchnorm_updates: int = 0) -> Dict[str, Any]:
    """Return the fairseq-train flags of a case.

    Args:
        case: scheme, depth and seed.
        updates: of the training.
        branchnorm_updates: length of BranchNorm's schedule, 0 for its default.
    """
    schedule = {}
    if case.scheme == "branchnorm" and branchnorm_updates:
        schedule["branchnorm-updates"] = branchnorm_updates
    return {
        **schedule,
        "residual-scheme": case.scheme,
        "encoder-layers": case.depth,
        "decoder-layers": case.depth,
        "seed": case.seed,
        "max-update": updates,
    }

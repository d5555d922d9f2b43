"""What all of stability.sh's studies share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

from fairseq.options import get_training_parser

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.errors import DataError
from experiments.trials import Outcome, Trial, command_of

Case = Tuple[str, int, int]  # residual scheme, layers per side, seed


@dataclass(frozen=True)
class Options:
    """What can be chosen on the command line."""

    depths: Sequence[int]  # layers per side
    schemes: Sequence[str]
    seeds: Sequence[int]
    updates: int

    @property
    def said_seeds(self) -> str:
        """The seeds in words, for a note under a table."""
        return (
            f"mean over seeds {', '.join(map(str, self.seeds))}"
            if len(self.seeds) > 1
            else f"seed {self.seeds[0]}"
        )


@dataclass(frozen=True)
class Plan:
    """What a study is done with: the config, the options, and further flags of fairseq-train for all trainings."""

    recipe: Recipe
    options: Options
    extra: Sequence[str] = ()

    def learning_rate(self) -> Tuple[float, int]:
        """The config's peak learning rate and warm-up, in updates. Raises DataError if it has not one of each."""
        flags = parse_flags(
            get_training_parser(), command_of(self.recipe, Trial("", {}), Path("."), self.extra)[1:]
        )
        warmup = getattr(flags, "warmup_updates", 0)
        if len(flags.lr) != 1 or not warmup:
            raise DataError(
                f"{self.recipe.path}: training.lr is {flags.lr}, training.warmup-updates {warmup}; give one rate and a warm-up"
            )
        return flags.lr[0], warmup


@dataclass(frozen=True)
class Study:
    """A question and how it is answered: the trials, and what is written about them into a folder.

    trials raises UsageError for options that make no sense. write returns the table that is printed; it may raise DataError if too many
    trials failed to say anything. later gives trials that go on from the outcomes of the others, and may raise DataError.
    """

    question: str
    defaults: Options
    trials: Callable[[Plan], List[Trial]]
    write: Callable[[Plan, Dict[str, Outcome], Path], str]
    later: Callable[[Plan, Dict[str, Outcome], Path], List[Trial]] = lambda plan, outcomes, folder: []


def cases(options: Options) -> List[Case]:
    """Every scheme at every depth with every seed."""
    return [
        (scheme, depth, seed)
        for scheme in options.schemes
        for depth in options.depths
        for seed in options.seeds
    ]


def case_name(case: Case) -> str:
    """The folder of a case's training."""
    scheme, depth, seed = case
    return f"{scheme}_{depth}l_seed{seed}"


def network(case: Case, updates: int, schedule: int = 0) -> Dict[str, Any]:
    """The flags of a case's training; schedule: the updates of BranchNorm's, or 0 for its default."""
    scheme, depth, seed = case
    sizes = {
        "residual-scheme": scheme,
        "encoder-layers": depth,
        "decoder-layers": depth,
        "seed": seed,
        "max-update": updates,
    }
    return {
        **({"branchnorm-updates": schedule} if scheme == "branchnorm" and schedule else {}),
        **sizes,
    }

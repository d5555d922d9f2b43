"""What all of stability.sh's studies share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

from deepnet_fairseq.recipe import Recipe
from deepnet_fairseq.stability.trials import Outcome, Trial


@dataclass(frozen=True)
class Options:
    """What can be chosen on the command line."""

    depths: Sequence[int]  # layers per side
    schemes: Sequence[str]
    seeds: Sequence[int]
    updates: int


@dataclass(frozen=True)
class Study:
    """A question and how it is answered: the trials, and what is written about them into a folder.

    write returns the table that is printed; it may raise DataError if too many trials failed to say anything. later gives trials that
    need the others' results, which lie in the folder by then.
    """

    question: str
    defaults: Options
    trials: Callable[[Recipe, Options], List[Trial]]
    write: Callable[[Recipe, Options, Dict[str, Outcome], Path], str]
    later: Callable[[Recipe, Options, Path], List[Trial]] = lambda recipe, options, folder: []


Case = Tuple[str, int, int]  # residual scheme, layers per side, seed


def cases(options: Options) -> List[Case]:
    """Every scheme at every depth with every seed."""
    return [(scheme, depth, seed) for scheme in options.schemes for depth in options.depths for seed in options.seeds]


def case_name(case: Case) -> str:
    """The folder of a case's training."""
    scheme, depth, seed = case
    return f"{scheme}_{depth}l_seed{seed}"


def network(case: Case, updates: int) -> Dict[str, object]:
    """The flags of a case's training."""
    scheme, depth, seed = case
    return {
        "residual-scheme": scheme,
        "encoder-layers": depth,
        "decoder-layers": depth,
        "seed": seed,
        "max-update": updates,
    }

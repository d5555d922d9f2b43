"""Measurements of stability: what scripts/stability.sh runs."""

import argparse
import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional

import torch
from fairseq.options import get_training_parser

from deepnet_fairseq.commands import prepare
from deepnet_fairseq.commands.main import run
from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.errors import DataError, UsageError
from deepnet_fairseq.network.residual import RESIDUALS
from deepnet_fairseq.parallel import usable_cores
from experiments import depth_sweep, grown_vs_scratch, model_updates, small_batches
from experiments.study import Options, Plan, Study
from experiments.trials import command_of, run_trials

CONFIG = Path(__file__).parent / "configs/stability.yaml"
STUDIES: Dict[str, Study] = {
    "updates": model_updates.STUDY,
    "depths": depth_sweep.STUDY,
    "small-batches": small_batches.STUDY,
    "growing": grown_vs_scratch.STUDY,
}


def main(arguments: Optional[List[str]] = None) -> int:
    """Run a study and print its table; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    extra: List[str] = []
    if "--" in words:
        words, extra = words[: words.index("--")], words[words.index("--") + 1 :]
    parser = make_parser()
    chosen = parser.parse_args(words)
    return run(
        parser,
        lambda: measure(chosen, extra),
        resume="run it again to do the remaining trainings",
    )


def measure(chosen: argparse.Namespace, extra: List[str]) -> None:
    """Run a study and print its table."""
    study = STUDIES[chosen.study]
    plan = Plan(load_recipe(chosen.config), choose(study.defaults, chosen), extra)
    folder = chosen.output or plan.recipe.work_dir / chosen.study
    print(run_study(study, plan, folder, chosen.workers))
    print(f"\nwritten: {folder}")


def run_study(study: Study, plan: Plan, folder: Path, workers: int) -> str:
    """Do a study and return its table. Raises UsageError, FlagError, DataError and OSError."""
    trials = study.trials(plan)
    for trial in trials:
        parse_flags(get_training_parser(), command_of(plan.recipe, trial, folder, plan.extra)[1:])
    make_data(plan.recipe)
    outcomes = run_trials(plan.recipe, trials, folder, workers, plan.extra)
    later = study.later(plan, outcomes, folder)
    if later:
        outcomes.update(run_trials(plan.recipe, later, folder, workers, plan.extra))
    return study.write(plan, outcomes, folder)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stability.sh",
        description="Measure the stability of deep networks.",
        allow_abbrev=False,
    )
    questions = "; ".join(f"{name}: {study.question}" for name, study in STUDIES.items())
    parser.add_argument(
        "study",
        nargs="?",
        default="updates",
        choices=STUDIES,
        metavar="STUDY",
        help=f"{questions} (default: updates)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=CONFIG,
        help="whose corpus and flags (default: experiments/configs/stability.yaml)",
    )
    parser.add_argument("--depths", type=int, nargs="+", metavar="N", help="layers per side")
    parser.add_argument(
        "--schemes",
        nargs="+",
        choices=RESIDUALS,
        metavar="SCHEME",
        help=f"of {', '.join(RESIDUALS)}",
    )
    parser.add_argument("--seeds", type=int, nargs="+", metavar="S")
    parser.add_argument("--updates", type=int, metavar="U", help="of each training")
    parser.add_argument(
        "--workers",
        type=int,
        default=default_workers(),
        metavar="N",
        help="trainings at a time (default: all cores; 1 on a GPU)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where everything goes (default: the config's work_dir, and STUDY)",
    )
    return parser


def default_workers() -> int:
    """As many trainings at a time as there are cores; one where they would share the first GPU."""
    return 1 if torch.cuda.is_available() else usable_cores()


def choose(defaults: Options, chosen: argparse.Namespace) -> Options:
    """Return the study's options with those of the command line.

    Raises:
        UsageError: A number is below 1, or a value is given twice.
    """
    values = {
        name: getattr(chosen, name)
        for name in ("depths", "schemes", "seeds", "updates")
        if getattr(chosen, name) is not None
    }
    for name in ("depths", "schemes", "seeds"):
        if name in values:
            values[name] = tuple(sorted(values[name]) if name != "schemes" else values[name])
            if len(set(values[name])) < len(values[name]):
                given = " ".join(map(str, values[name]))
                raise UsageError(f"--{name} {given}: give each once")
    for name, numbers in (
        ("depths", values.get("depths", ())),
        ("updates", [values.get("updates", 1)]),
        ("workers", [chosen.workers]),
    ):
        for number in numbers:
            if number < 1:
                raise UsageError(f"--{name} is {number}; it must be at least 1")
    return replace(defaults, **values)


def make_data(recipe: Recipe) -> None:
    """Prepare the config's corpus if it isn't. Raises DataError if that fails."""
    if all(path.is_file() for path in recipe.dictionaries):
        return
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the study's table
        status = prepare.main([str(recipe.path)])
    if status:
        raise DataError(f"{recipe.path}: could not be prepared; see above")


if __name__ == "__main__":
    sys.exit(main())

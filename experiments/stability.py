"""Runs a study: what scripts/stability.sh calls."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from fairseq.options import get_training_parser

from deepnet_fairseq.commands.main import run
from deepnet_fairseq.commands.prepare import prepare
from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.errors import DataError, UsageError, UserError
from deepnet_fairseq.network.schemes import RESIDUALS
from deepnet_fairseq.parallel import Jobs, usable_cores
from experiments import depth_sweep, grown_vs_scratch, model_updates, small_batches
from experiments.runs import run_all, training_command
from experiments.study import Options, Plan, Report, Study

CONFIG = Path(__file__).parent / "configs/stability.yaml"
STUDIES: Dict[str, Study] = {
    "updates": model_updates.STUDY,
    "depths": depth_sweep.STUDY,
    "small-batches": small_batches.STUDY,
    "growing": grown_vs_scratch.STUDY,
}


def main(arguments: Optional[List[str]] = None) -> int:
    """Run a study and print its report; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    extra: List[str] = []
    if "--" in words:
        words, extra = words[: words.index("--")], words[words.index("--") + 1 :]
    parser = make_parser()
    chosen = parser.parse_args(words)
    resume = "run it again to do the remaining trainings"
    return run(parser, lambda: run_command(chosen, extra), resume)


def run_command(chosen: argparse.Namespace, extra: List[str]) -> None:
    """Run the study that the command line chooses, write its files and print its report."""
    study = STUDIES[chosen.study]
    options = choose_options(study.defaults, chosen)
    recipe = load_recipe(chosen.config)
    plan = Plan(recipe, options, chosen.output or recipe.work_dir / chosen.study, extra)
    report = run_study(study, plan, chosen.workers)
    report.write(plan.folder)
    print(report.text)
    print(f"\nwritten: {plan.folder}")


def run_study(study: Study, plan: Plan, workers: int) -> Report:
    """Run all trainings of a study and return its report.

    Raises:
        UsageError: the options do not fit the study.
        FlagError: fairseq-train rejects a flag.
        DataError: the data cannot be prepared, or too many trainings failed.
    """
    runs = study.plan_runs(plan)
    for planned in runs:
        command = training_command(plan.recipe, planned, plan.folder, plan.extra)
        parse_flags(get_training_parser(), command[1:])
    prepare_data(plan.recipe)
    results = run_all(plan.recipe, runs, plan.folder, workers, plan.extra)
    later_runs = study.plan_later_runs(plan, results)
    if later_runs:
        results.update(run_all(plan.recipe, later_runs, plan.folder, workers, plan.extra))
    return study.report(plan, results)


def prepare_data(recipe: Recipe) -> None:
    """Prepare the config's data if they are missing.

    Raises:
        DataError: they cannot be prepared. The message names the config.
    """
    if all(path.is_file() for path in recipe.dictionaries):
        return
    try:
        prepare(recipe, Downloads(Path("downloads")), Jobs())
    except UserError as error:
        raise DataError(f"{recipe.path}: {error}") from error


def make_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
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
        help="corpus and flags (default: experiments/configs/stability.yaml)",
    )
    parser.add_argument("--depths", type=int, nargs="+", metavar="N", help="layers per side")
    parser.add_argument(
        "--schemes",
        nargs="+",
        choices=RESIDUALS,
        metavar="SCHEME",
        help=f"residual schemes: {', '.join(RESIDUALS)}",
    )
    parser.add_argument("--seeds", type=int, nargs="+", metavar="S", help="seeds of each case")
    parser.add_argument("--updates", type=int, metavar="U", help="updates per training")
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
        help="folder of all results (default: STUDY in the config's work_dir)",
    )
    return parser


def default_workers() -> int:
    """Return one training at a time per core; one where all would share the first GPU."""
    return 1 if torch.cuda.is_available() else usable_cores()


def choose_options(defaults: Options, chosen: argparse.Namespace) -> Options:
    """Return a study's defaults, overridden by the command line.

    Raises:
        UsageError: a number is below 1, or a value is given twice.
    """
    values: Dict[str, Any] = {}
    for name in ("depths", "schemes", "seeds"):
        given = getattr(chosen, name)
        if given is None:
            continue
        if len(set(given)) < len(given):
            words = " ".join(map(str, given if name == "schemes" else sorted(given)))
            raise UsageError(f"--{name} {words}: give each once")
        values[name] = tuple(given if name == "schemes" else sorted(given))
    if chosen.updates is not None:
        values["updates"] = chosen.updates
    numbers = [
        *(("depths", depth) for depth in values.get("depths", ())),
        ("updates", values.get("updates", 1)),
        ("workers", chosen.workers),
    ]
    for name, number in numbers:
        if number < 1:
            raise UsageError(f"--{name} is {number}; it must be at least 1")
    return replace(defaults, **values)


if __name__ == "__main__":
    sys.exit(main())

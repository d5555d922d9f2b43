"""fairseq-train for a config, on one process or many: what scripts/train.sh runs."""

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, List, Optional, Sequence

import torch
from fairseq.options import get_training_parser

from deepnet_fairseq.checkpoints import checkpoint_updates, load_checkpoint
from deepnet_fairseq.commands.main import run
from deepnet_fairseq.config.flags import is_given, parse_flags
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.errors import LaunchError, UserError
from deepnet_fairseq.training.grow_from import grow_checkpoint, plan_growth
from deepnet_fairseq.training.launch import (
    GPUS_PER_NODE,
    PORT,
    become,
    check_start,
    choose_processes,
    describe,
    find_shortage,
    launcher,
    parse_master,
    process_flags,
)

# For GPUs: slower than full precision on most CPUs.
HALF_PRECISION = (
    "fp16",
    "memory-efficient-fp16",
    "fp16-no-flatten-grads",
    "bf16",
    "memory-efficient-bf16",
    "amp",
)


def main(arguments: Optional[List[str]] = None) -> int:
    """Print the command that trains a config, then become it; return the status if it cannot."""
    parser = make_parser()
    options, caller_flags = parser.parse_known_args(arguments)
    return run(parser, lambda: train(options, caller_flags))


def train(options: argparse.Namespace, caller_flags: List[str]) -> None:
    """Print the command that trains a config, then become it. A finished training is left as is."""
    recipe = load_recipe(options.config)
    flags = parse_flags(get_training_parser(), recipe.training_command()[1:] + caller_flags)
    grown = plan_growth(options.grow_from, flags)
    if grown:
        recipe = replace(recipe, training={**recipe.training, "finetune-from-model": str(grown)})
    command = plan(recipe, options, caller_flags, flags.max_tokens)
    if options.dry_run:
        print(shlex.join(command))
        return
    programs = Path(sys.executable).parent
    for path, script in (
        *((path, f"prepare.sh {options.config}") for path in recipe.dictionaries),
        (programs / command[0], "setup.sh"),
    ):
        if not path.is_file():
            raise UserError(f"{path} is missing; run scripts/{script}")
    if is_finished(flags):
        return
    if grown:
        try:
            log(grow_checkpoint(options.grow_from[0], flags, grown))
        except ValueError as error:  # the task's for a flag, too
            raise UserError(str(error)) from error
    elif options.grow_from:
        log(f"{flags.save_dir} holds a training that has begun: it resumes, and nothing is grown")
    recipe.work_dir.mkdir(parents=True, exist_ok=True)  # fairseq makes no folder for its --log-file
    print(shlex.join(command), file=sys.stderr, flush=True)
    os.dup2(2, 1)  # fairseq-train logs to stdout, which is for results
    become(command, programs)


def plan(
    recipe: Recipe, options: argparse.Namespace, caller_flags: Sequence[str], max_tokens: int
) -> List[str]:
    """Return the whole command, and say what an update is made of. max_tokens is the caller's if there is one among the flags.

    Raises LaunchError for processes that do not go together, and, but for a dry run, for those that cannot start here.
    """
    gpus = torch.cuda.device_count()
    processes = choose_processes(
        gpus, options.gpus, options.gpus_per_node, options.nodes, options.processes
    )
    words = launcher(processes, recipe.name, parse_master(options.master), options.node_rank)
    batch = shortage = None
    if recipe.tokens_per_update and not is_given("update-freq", caller_flags):
        own = is_given("max-tokens", caller_flags)
        batch = recipe.batch(processes.total, max_tokens if own else None)
        log(describe(processes, batch, recipe.tokens_per_update))
        if not own:
            shortage = find_shortage(recipe.tokens_per_update, processes, max_tokens)
            # Validation, which is not shared out like an update, takes what fits: fairseq's default is the training's, and fails at a
            # sentence that is longer.
            recipe = replace(recipe, training={"max-tokens-valid": max_tokens, **recipe.training})
    if not options.dry_run:
        check_start(processes, gpus, options.master)
        if shortage:
            raise LaunchError(shortage)
    elif shortage:
        log(f"it would not start like this: {shortage}")
    if processes.cpu:
        recipe = in_full_precision(recipe)
    # The caller's flags come last, and win.
    return [*words, *recipe.training_command(batch=batch), *process_flags(processes), *caller_flags]


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train.sh", description="Train the model of a config.", allow_abbrev=False
    )
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG",
        help="a YAML file, such as configs/cldr/cldr_quickstart.yaml",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the command and stop")
    parser.add_argument(
        "--grow-from",
        type=Path,
        action="append",
        default=[],
        metavar="CKPT",
        help="start as the shallower model of this checkpoint",
    )
    parser.add_argument(
        "--gpus", type=int, metavar="N", help="GPUs in all (default: those of this machine)"
    )
    parser.add_argument(
        "--gpus-per-node",
        type=int,
        metavar="N",
        help=f"GPUs on each machine (default: its own; with --gpus {GPUS_PER_NODE}, or all)",
    )
    parser.add_argument(
        "--nodes", type=int, metavar="N", help="machines (default: as many as --gpus needs)"
    )
    parser.add_argument(
        "--master",
        metavar="HOST[:PORT]",
        help=f"where several machines meet (default port: {PORT})",
    )
    parser.add_argument(
        "--node-rank",
        type=int,
        metavar="R",
        help="this machine's number, from 0, if the first does not know itself as HOST",
    )
    parser.add_argument(
        "--processes", type=int, metavar="N", help="train on the CPU, with so many processes in all"
    )
    return parser


def log(message: Any) -> None:
    print(f"train.sh: {message}", file=sys.stderr)


def in_full_precision(recipe: Recipe) -> Recipe:
    """Return the recipe without half precision, and say so; what the caller asks for is another matter."""
    dropped = [name for name in HALF_PRECISION if recipe.training.get(name)]
    if dropped:
        log(f"no {', '.join(f'--{name}' for name in dropped)} on the CPU")
    return replace(
        recipe,
        training={name: value for name, value in recipe.training.items() if name not in dropped},
    )


def is_finished(flags: argparse.Namespace) -> bool:
    """Tell, and say, whether the last checkpoint has had all its updates: fairseq-train would add one more on every call.

    Raises EvaluationError for a last checkpoint that cannot be read.
    """
    last = Path(flags.save_dir) / flags.restore_file
    if not (flags.max_update and last.is_file()):
        return False
    updates = checkpoint_updates(load_checkpoint(last), last)
    if updates < flags.max_update:
        return False
    log(f"{last} has had {updates} updates, --max-update is {flags.max_update}: nothing left to do")
    return True


if __name__ == "__main__":
    sys.exit(main())

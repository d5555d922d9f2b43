"""Run fairseq-train for a config, in one process or many: what scripts/train.sh runs."""

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
from deepnet_fairseq.commands.main import add_config, fill, new_parser, parse_with_flags, run
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

# For GPUs alone: slower than full precision on most CPUs.
HALF_PRECISION = (
    "fp16",
    "memory-efficient-fp16",
    "fp16-no-flatten-grads",
    "bf16",
    "memory-efficient-bf16",
    "amp",
)


def main(arguments: Optional[List[str]] = None, prog: str = "train.sh") -> int:
    """Print the command that trains a config, then become it; return the status if it cannot."""
    parser = make_parser(prog)
    options, caller_flags = parse_with_flags(parser, arguments)
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
    """Return the whole command, and log the arithmetic of an update.

    Args:
        recipe: The config.
        options: The command's own options.
        caller_flags: The caller's flags for fairseq-train.
        max_tokens: fairseq-train's --max-tokens: the caller's if it is given, else the config's.

    Raises:
        LaunchError: The processes cannot train together, or not from this machine; the latter is
            no error in a dry run.
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
            # Validation is not split over processes like an update, so it takes what fits on a GPU.
            # fairseq's default, the training's, fails at a sentence that is longer.
            recipe = replace(recipe, training={"max-tokens-valid": max_tokens, **recipe.training})
    if not options.dry_run:
        check_start(processes, gpus, options.master)
        if shortage:
            raise LaunchError(shortage)
    elif shortage:
        log(f"it would not start like this: {shortage}")
    if processes.cpu:
        recipe = in_full_precision(recipe)
    # The caller's flags come last, so they override the others.
    return [*words, *recipe.training_command(batch=batch), *process_flags(processes), *caller_flags]


def make_parser(prog: str = "train.sh") -> argparse.ArgumentParser:
    """Return the parser of the command's own options."""
    parser = new_parser(
        prog,
        usage="CONFIG [options] [fairseq-train flags]",
        description="""
            Train the model of a config, or resume its training from its last checkpoint.

            Flags after CONFIG that are not listed here go to fairseq-train and override the
            config's. The whole command is printed before it runs. Checkpoints, train.log and
            tensorboard/ (to see the loss: tensorboard --logdir runs) go to the config's work_dir.
            An interrupted training resumes from its last checkpoint; a finished one is left as it
            is. SIGUSR1, sent to fairseq-train, ends it at its next update with a checkpoint. Half
            precision is left out on the CPU.""",
        example="configs/cldr/cldr_quickstart.yaml --seed 2",
        epilog="""
            example: two machines with 8 GPUs each that share this folder; on both of them
              {prog} configs/wmt17/wmt17_en_de_100l_100l.yaml --nodes 2 --master node1:29500
            example: 20 layers per side that begin as 10
              {prog} configs/iwslt14/iwslt14_de_en_20l_20l.yaml \\
                --grow-from runs/iwslt14_de_en_10l_10l/checkpoints/checkpoint_best.pt
            Slurm starts it on all machines of a job: scripts/slurm/train.sbatch.""",
    )
    add_config(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the command and stop")
    add_process_options(
        parser.add_argument_group(
            "processes",
            fill(
                "More than one are started by torchrun. If the config has tokens_per_update, "
                "--update-freq and, if necessary, a smaller --max-tokens keep the tokens of an "
                "update the same on any number of GPUs."
            ),
        )
    )
    growing = parser.add_argument_group(
        "growing",
        fill(
            "A training can begin as a trained model with fewer layers, but of the same sizes, "
            "vocabulary and residual scheme. Encoder and decoder each have as many layers as that "
            "model's or a multiple of them. New layers, which compute nothing yet, are placed "
            "between the old ones. The model at the start is written to grown.pt beside the "
            "checkpoints, and fairseq-train gets it as --finetune-from-model: learning rate and "
            "optimizer start anew. A training that has begun resumes from its own last checkpoint."
        ),
    )
    growing.add_argument(
        "--grow-from",
        type=Path,
        action="append",
        default=[],
        metavar="CKPT",
        help="start as the shallower model of this checkpoint",
    )
    return parser


def add_process_options(group: argparse._ArgumentGroup) -> None:
    """Add the options that choose machines, GPUs and processes."""
    group.add_argument(
        "--gpus",
        type=int,
        metavar="N",
        help="GPUs in all (default: this machine's, or its CPU if it has none)",
    )
    group.add_argument(
        "--gpus-per-node",
        type=int,
        metavar="N",
        help=f"GPUs on each machine (default: its own; with --gpus {GPUS_PER_NODE}, or all)",
    )
    group.add_argument(
        "--nodes", type=int, metavar="N", help="machines (default: as many as --gpus needs)"
    )
    group.add_argument(
        "--master",
        metavar="HOST[:PORT]",
        help=f"where several machines meet, the same on each (default port: {PORT})",
    )
    group.add_argument(
        "--node-rank",
        type=int,
        metavar="R",
        help="this machine's number, from 0; needed only if the first machine does not know "
        "itself as HOST",
    )
    group.add_argument(
        "--processes", type=int, metavar="N", help="train on the CPU with N processes in all"
    )


def log(message: Any) -> None:
    """Print a message to stderr."""
    print(f"train.sh: {message}", file=sys.stderr)


def in_full_precision(recipe: Recipe) -> Recipe:
    """Return the recipe without half precision, and log it. The caller's own flags still apply."""
    dropped = [name for name in HALF_PRECISION if recipe.training.get(name)]
    if dropped:
        log(f"no {', '.join(f'--{name}' for name in dropped)} on the CPU")
    return replace(
        recipe,
        training={name: value for name, value in recipe.training.items() if name not in dropped},
    )


def is_finished(flags: argparse.Namespace) -> bool:
    """Tell, and log, whether the last checkpoint has had all its updates.

    fairseq-train would add one more update on every call.

    Raises:
        EvaluationError: The last checkpoint cannot be read.
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

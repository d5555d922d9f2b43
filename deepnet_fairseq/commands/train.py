"""fairseq-train for a config: what scripts/train.sh runs."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import List, Optional

import torch
from fairseq.options import get_training_parser

from deepnet_fairseq.evaluation import EvaluationError
from deepnet_fairseq.evaluation.average import read_checkpoint, updates_of
from deepnet_fairseq.flags import FlagError, parse_flags
from deepnet_fairseq.recipe import RecipeError, load_recipe


def main(arguments: Optional[List[str]] = None) -> int:
    """Print the fairseq-train command of a config, then become it. Returns 1, with one line on stderr, if it cannot start, 2 for flags that
    fairseq-train does not take, and 0 if the training is finished already.
    """
    parser = argparse.ArgumentParser(prog="train.sh", description="Train the model of a config.", allow_abbrev=False)
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file, such as configs/cldr_quickstart.yaml")
    parser.add_argument("--dry-run", action="store_true", help="print the fairseq-train command and stop")
    options, caller_flags = parser.parse_known_args(arguments)
    try:
        recipe = load_recipe(options.config)
    except RecipeError as error:
        print(f"train.sh: {error}", file=sys.stderr)
        return 1
    command = recipe.training_command(cpu=not torch.cuda.is_available()) + caller_flags  # the caller's flags come last, and win
    try:
        flags = parse_flags(get_training_parser(), command[1:])
    except FlagError as error:
        print(f"train.sh: {error}", file=sys.stderr)
        return 2
    if options.dry_run:
        print(shlex.join(command))
        return 0
    executable = Path(sys.executable).with_name(command[0])
    missing = [d for d in (recipe.data_bin / f"dict.{language}.txt" for language in recipe.languages) if not d.is_file()]
    if missing:
        print(f"train.sh: {missing[0]} is missing; run scripts/prepare.sh {options.config}", file=sys.stderr)
        return 1
    if not executable.is_file():
        print(f"train.sh: {executable} is missing; run scripts/setup.sh", file=sys.stderr)
        return 1
    try:
        if is_finished(flags):
            return 0
    except EvaluationError as error:
        print(f"train.sh: {error}", file=sys.stderr)
        return 1
    print(shlex.join(command), file=sys.stderr, flush=True)
    os.dup2(2, 1)  # fairseq-train logs to stdout, which is for results
    os.execv(executable, [str(executable), *command[1:]])


def is_finished(flags: argparse.Namespace) -> bool:
    """Tell, and say, whether the last checkpoint has had all its updates: fairseq-train would add one more on every call.

    Raises EvaluationError for a last checkpoint that cannot be read.
    """
    last = Path(flags.save_dir) / flags.restore_file
    if not (flags.max_update and last.is_file()):
        return False
    updates = updates_of(read_checkpoint(last), last)
    if updates < flags.max_update:
        return False
    print(f"train.sh: {last} has had {updates} updates, --max-update is {flags.max_update}: nothing left to do", file=sys.stderr)
    return True


if __name__ == "__main__":
    sys.exit(main())

"""Average, decode, score and report for a config: what scripts/evaluate.sh runs."""

import argparse
import logging
import shlex
import sys
from argparse import Namespace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from fairseq import options as fairseq_options

from deepnet_fairseq.checkpoints import (
    average_newest,
    find_newest,
    load_checkpoint,
    read_averaged_from,
)
from deepnet_fairseq.commands.main import add_config, new_parser, parse_with_flags, run
from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import FORMAT_FLAGS, Recipe
from deepnet_fairseq.data.manifest import MANIFEST_NAME, read_training_pairs
from deepnet_fairseq.errors import DataError, EvaluationError, FlagError, UsageError
from deepnet_fairseq.evaluation.decode.decode import decode_all
from deepnet_fairseq.evaluation.decode.hypotheses import Hypotheses, find_hypotheses
from deepnet_fairseq.evaluation.decode.search import Generation, check_supported
from deepnet_fairseq.evaluation.decode.test_data import Direction
from deepnet_fairseq.evaluation.decode.workers import choose_devices
from deepnet_fairseq.evaluation.report.build_report import (
    Origin,
    build_report,
    check_scoring,
    write_report,
)
from deepnet_fairseq.evaluation.report.text_table import as_text
from deepnet_fairseq.languages import Pair, parse_direction
from deepnet_fairseq.parallel import usable_cores

logger = logging.getLogger("deepnet_fairseq.evaluate")

# They decide what the table is about; with a caller's value, scores would have a wrong name.
FIXED = (
    "path",
    "source_lang",
    "target_lang",
    "gen_subset",
    "results_path",
    "data",
    "task",
    "user_dir",
    "langs",
    "lang_pairs",
    "post_process",
    *(flag.replace("-", "_") for flag in FORMAT_FLAGS if not flag.startswith("max-")),
)


def main(arguments: Optional[List[str]] = None, prog: str = "evaluate.sh") -> int:
    """Evaluate a config's model and print a table; return the exit status."""
    parser = make_parser(prog)
    options, caller_flags = parse_with_flags(parser, arguments)
    return run(
        parser,
        lambda: evaluate(options, caller_flags),
        resume="run it again to translate the remaining directions",
    )


def make_parser(prog: str = "evaluate.sh") -> argparse.ArgumentParser:
    """Return the parser of the command's own options."""
    parser = new_parser(
        prog,
        usage="CONFIG [options] [fairseq-generate flags]",
        description="""
            Translate every test set of a config with its trained model, score and report.

            Translates every pair in both directions, zero-shot pairs too, from one model load, on a
            GPU if there is one. Flags after CONFIG that are not listed here go to fairseq's search
            and override the config's. The fairseq-generate command that gives the same translations
            of one direction is printed. The table goes to stdout; report.html, scores.md,
            scores.tsv, scores.json, heat_map.png and hypotheses/ go to the output folder.
            Directions that the same checkpoint and flags have translated before are not translated
            again, so an interrupted run resumes if it is run again.""",
        example="configs/cldr/cldr_quickstart.yaml --beam 1",
    )
    add_config(parser)
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="evaluate this checkpoint (default: the average of the newest ones, as many as "
        "evaluation.average_checkpoints says)",
    )
    parser.add_argument(
        "--hypotheses",
        type=Path,
        metavar="FOLDER",
        help="score another system's translations: plain text, one file per direction, such as "
        "de-en.en; needs --output",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="folder for the results (default: evaluation/ in the config's work_dir)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that translate, one model each (default: one per GPU, else one)",
    )
    return parser


def evaluate(options: Namespace, caller_flags: Sequence[str]) -> None:
    """Evaluate a config's model, or given hypotheses; write the report and print its table.

    Everything that can be wrong is checked before the first sentence is translated.
    """
    recipe = load_recipe(options.config)
    check_call(options, recipe, caller_flags)
    args = parse_generation_flags(recipe, caller_flags)
    check_data(recipe)
    check_scoring(recipe.evaluation, recipe.test_directions)
    training_pairs = count_training_pairs(recipe)
    folder = options.output or recipe.evaluation_dir
    if options.hypotheses:
        hypotheses = find_hypotheses(recipe.test_directions, options.hypotheses)
        origin = Origin(options.output.resolve().name, str(recipe.path), "", [], "")
        training_log = None
    else:
        checkpoint = choose_checkpoint(recipe, options.checkpoint)
        generation = make_generation(recipe, checkpoint, args, caller_flags, options.workers)
        hypotheses, origin = decode(recipe, generation, folder)
        training_log = recipe.work_dir / "train.log"
    report = build_report(
        hypotheses,
        recipe.corpus_dir,
        recipe.pivot,
        training_pairs,
        recipe.evaluation,
        origin,
        options.workers or usable_cores(),
    )
    written = write_report(report, training_log, folder)
    print(as_text(report))
    print(f"\nwritten: {', '.join(map(str, [*written, report.hypotheses]))}")


def check_call(options: Namespace, recipe: Recipe, caller_flags: Sequence[str]) -> None:
    """Raise UsageError for options that are out of range or contradict one another."""
    if options.workers is not None and options.workers < 1:
        raise UsageError(f"--workers is {options.workers}; it must be at least 1")
    if options.hypotheses and options.checkpoint:
        raise UsageError("--hypotheses are scored as they are; leave --checkpoint out")
    if options.hypotheses and not options.output:
        raise UsageError("--hypotheses needs --output, a folder for this system's results")
    if options.hypotheses and options.output.resolve() == recipe.evaluation_dir.resolve():
        raise UsageError(
            f"--output {options.output} is where this config's own results go; take another "
            "folder for the other system's"
        )
    if options.hypotheses and caller_flags:
        raise UsageError(f"{caller_flags[0]} has no effect on --hypotheses; leave it out")


def parse_generation_flags(recipe: Recipe, caller_flags: Sequence[str]) -> Namespace:
    """Return the arguments of fairseq-generate, as its own parser reads them.

    Raises:
        UsageError: A caller's flag does not exist, has no effect, or follows from the config.
    """
    source, target = parse_direction(recipe.directions[0])
    command = recipe.generation_command(source, target, recipe.checkpoint_dir / "model.pt")
    parser = fairseq_options.get_generation_parser()
    try:
        args = parse_flags(parser, [*command[1:], *caller_flags])
        check_supported(args)
    except FlagError as error:
        raise UsageError(f"fairseq-generate: {error}") from error
    except EvaluationError as error:
        raise UsageError(str(error)) from error
    if caller_flags:
        own = parse_flags(fairseq_options.get_generation_parser(), command[1:])
        for name in FIXED:
            if getattr(own, name, None) != getattr(args, name, None):
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} follows from the config; leave it out")
    return args


def check_data(recipe: Recipe) -> None:
    """Raise EvaluationError if a test file or dictionary is missing."""
    if not recipe.test_directions:
        raise EvaluationError(
            f"{recipe.path}: no direction has a test set, so there is nothing to evaluate"
        )
    files = list(recipe.dictionaries)
    for direction in recipe.test_directions:
        files.append(direction.source_file(recipe.corpus_dir))
        files.append(direction.reference_file(recipe.corpus_dir))
    for file in files:
        if not file.is_file():
            raise EvaluationError(f"{file} is missing; run scripts/prepare.sh {recipe.path}")


def count_training_pairs(recipe: Recipe) -> Dict[Pair, int]:
    """Return the number of training sentences of each language pair, as prepare.sh counted them."""
    try:
        return read_training_pairs(recipe.data_dir / MANIFEST_NAME)
    except DataError as error:
        raise EvaluationError(f"{error}; run scripts/prepare.sh {recipe.path}") from error


def choose_checkpoint(recipe: Recipe, given: Optional[Path]) -> Path:
    """Return the given checkpoint, or the average of the newest ones.

    Raises:
        EvaluationError: The given checkpoint cannot be read, or there is none.
    """
    if given is not None:
        load_checkpoint(given)
        return given
    try:
        find_newest(recipe.checkpoint_dir, 1)
    except EvaluationError as error:
        raise EvaluationError(f"{error}; run scripts/train.sh {recipe.path}") from error
    return average_newest(recipe.checkpoint_dir, recipe.evaluation.average_checkpoints)


def make_generation(
    recipe: Recipe,
    checkpoint: Path,
    args: Namespace,
    caller_flags: Sequence[str],
    workers: Optional[int],
) -> Generation:
    """Return how a config's directions are translated, on all GPUs or else on the CPU."""
    devices = choose_devices(workers, args.cpu)
    add_cpu = devices[0] == "cpu" and not args.cpu

    def command(direction: Direction) -> List[str]:
        own = recipe.generation_command(
            direction.source, direction.target, checkpoint, add_cpu, direction.subset
        )
        return [*own, *caller_flags]

    args = Namespace(**{**vars(args), "path": str(checkpoint), "cpu": devices[0] == "cpu"})
    return Generation(args, command, checkpoint, devices)


def decode(recipe: Recipe, generation: Generation, folder: Path) -> Tuple[List[Hypotheses], Origin]:
    """Translate all test sets; return the hypotheses and what they come from."""
    command = shlex.join(generation.command(recipe.test_directions[0]))
    logger.info("the same hypotheses, one direction at a time: %s", command)
    hypotheses = decode_all(
        recipe.test_directions,
        generation,
        recipe.corpus_dir,
        recipe.vocabulary_dir,
        folder / "hypotheses",
    )
    checkpoint = generation.checkpoint
    averaged = read_averaged_from(checkpoint)
    origin = Origin(recipe.name, str(recipe.path), str(checkpoint), averaged, command)
    return hypotheses, origin


if __name__ == "__main__":
    sys.exit(main())

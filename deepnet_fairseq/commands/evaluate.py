"""Average, decode, score and report for a config: what scripts/evaluate.sh runs."""

import argparse
import json
import logging
import shlex
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from deepnet_fairseq.checkpoints import RECORD, average_newest, find_newest, load_checkpoint
from deepnet_fairseq.commands.main import run
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import FORMAT_FLAGS, Recipe
from deepnet_fairseq.data.manifest import MANIFEST_NAME
from deepnet_fairseq.errors import EvaluationError, UsageError
from deepnet_fairseq.evaluation.decode.decode import decode_all
from deepnet_fairseq.evaluation.decode.direction import Direction
from deepnet_fairseq.evaluation.decode.generation_args import parse_command
from deepnet_fairseq.evaluation.decode.hypotheses import Hypotheses, SpecialLines, hypothesis_file
from deepnet_fairseq.evaluation.decode.workers import choose_devices
from deepnet_fairseq.evaluation.report.build_report import (
    Origin,
    build_report,
    check_scoring,
    write_report,
)
from deepnet_fairseq.evaluation.report.report import Report
from deepnet_fairseq.evaluation.report.text_table import as_text
from deepnet_fairseq.io import count_lines
from deepnet_fairseq.languages import Pair, parse_pair
from deepnet_fairseq.parallel import usable_cores

logger = logging.getLogger("deepnet_fairseq.evaluate")

# What the table is made of; a caller's value would have its scores stand under a wrong name.
FIXED = (
    *(
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
    ),
    *(
        "post_process",
        *(flag.replace("-", "_") for flag in FORMAT_FLAGS if not flag.startswith("max-")),
    ),
)


def main(arguments: Optional[List[str]] = None) -> int:
    """Evaluate a config's model and print a table; return the exit status."""
    parser = make_parser()
    options, caller_flags = parser.parse_known_args(arguments)
    return run(
        parser,
        lambda: evaluate_config(options, caller_flags),
        resume="run it again to translate the remaining directions",
    )


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's own options."""
    parser = argparse.ArgumentParser(
        prog="evaluate.sh",
        description="Translate and score every test set of a config.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG",
        help="a YAML file, such as configs/cldr/cldr_quickstart.yaml",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="evaluate this one, instead of the mean of the newest ones",
    )
    parser.add_argument(
        "--hypotheses",
        type=Path,
        metavar="FOLDER",
        help="score another system's: a file such as de-en.en per direction",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="for results, instead of evaluation/ in the config's work_dir",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that translate, one model each; default: one per GPU, else one",
    )
    return parser


def evaluate_config(options: argparse.Namespace, caller_flags: Sequence[str]) -> None:
    """Evaluate a config's model, write the report and print its table."""
    recipe = load_recipe(options.config)
    check_call(options, recipe, caller_flags)
    check_flags(recipe, caller_flags)
    found = evaluate(recipe, options, caller_flags)
    written = write_report(found.report, found.training_log, found.folder)
    print(as_text(found.report))
    print(f"\nwritten: {', '.join(map(str, [*written, found.report.hypotheses]))}")


def check_call(options: argparse.Namespace, recipe: Recipe, caller_flags: Sequence[str]) -> None:
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


def check_flags(recipe: Recipe, caller_flags: Sequence[str]) -> None:
    """Raise UsageError for fairseq-generate flags that do not exist or follow from the config."""
    a, b = recipe.directions[0].split("-")
    command = recipe.generation_command(a, b, recipe.checkpoint_dir / "model.pt")
    try:
        ours, theirs = parse_command(command), parse_command([*command, *caller_flags])
    except EvaluationError as error:
        raise UsageError(str(error)) from error
    changed = [name for name in FIXED if getattr(ours, name, None) != getattr(theirs, name, None)]
    if changed:
        name = changed[0].replace("_", "-")
        raise UsageError(f"--{name} follows from the config; leave it out")


class _Found(NamedTuple):
    report: Report
    folder: Path  # for the report's files
    training_log: Optional[Path]


def evaluate(recipe: Recipe, options: argparse.Namespace, caller_flags: Sequence[str]) -> _Found:
    """Translate, or take the hypotheses that are given, and score them. What can be wrong is checked first."""
    check_test_sets(recipe)
    check_scoring(recipe.evaluation, recipe.test_directions)
    pairs = training_pairs(recipe)
    folder = options.output or recipe.evaluation_dir
    if options.hypotheses:
        found = find_hypotheses(recipe, options.hypotheses)
        origin = Origin(options.output.resolve().name, str(recipe.path), "", [], "")
        return _Found(_report(recipe, found, pairs, origin, options.workers), folder, None)
    check_model(recipe, options.checkpoint)
    model = options.checkpoint or average_newest(
        recipe.checkpoint_dir, recipe.evaluation.average_checkpoints
    )
    a, b = recipe.directions[0].split("-")
    wants_cpu = parse_command([*recipe.generation_command(a, b, model), *caller_flags]).cpu
    devices = choose_devices(options.workers, wants_cpu)

    def command_for(direction: Direction) -> List[str]:
        cpu = devices[0] == "cpu" and not wants_cpu
        return [
            *recipe.generation_command(
                direction.source, direction.target, model, cpu, direction.subset
            ),
            *caller_flags,
        ]

    directions = recipe.test_directions
    decoding = shlex.join(command_for(directions[0]))
    logger.info("the same hypotheses, one direction at a time: %s", decoding)
    found = decode_all(
        directions,
        command_for,
        model,
        recipe.corpus_dir,
        recipe.vocabulary_dir,
        folder / "hypotheses",
        devices,
    )
    origin = Origin(recipe.name, str(recipe.path), str(model), _averaged_from(model), decoding)
    return _Found(
        _report(recipe, found, pairs, origin, options.workers),
        folder,
        recipe.work_dir / "train.log",
    )


def check_test_sets(recipe: Recipe) -> None:
    """Raise EvaluationError, saying which script makes it, if a test file or dictionary is missing."""
    if not recipe.test_directions:
        raise EvaluationError(
            f"{recipe.path}: no direction has a test set, so there is nothing to evaluate"
        )
    files = recipe.dictionaries
    for direction in recipe.test_directions:
        files += [direction.sources(recipe.corpus_dir), direction.references(recipe.corpus_dir)]
    for file in files:
        if not file.is_file():
            raise EvaluationError(f"{file} is missing; run scripts/prepare.sh {recipe.path}")


def check_model(recipe: Recipe, checkpoint: Optional[Path]) -> None:
    """Raise EvaluationError if the checkpoint cannot be read, or there is none."""
    if checkpoint is not None:
        load_checkpoint(checkpoint)
        return
    try:
        find_newest(recipe.checkpoint_dir, 1)
    except EvaluationError as error:
        raise EvaluationError(f"{error}; run scripts/train.sh {recipe.path}") from error


def find_hypotheses(recipe: Recipe, folder: Path) -> List[Hypotheses]:
    """Another system's hypotheses, of those directions that it has. Raises EvaluationError if it has none."""
    files = {direction: hypothesis_file(direction, folder) for direction in recipe.test_directions}
    found = [
        Hypotheses(direction, path, count_lines(path), SpecialLines())
        for direction, path in files.items()
        if path.is_file()
    ]
    if not found:
        raise EvaluationError(
            f"{folder} has no hypotheses of {recipe.path}; name them such as {next(iter(files.values())).name}"
        )
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        names = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
        logger.warning(
            "warning: %d of %d directions are left out, their files are not there: %s",
            len(missing),
            len(files),
            names,
        )
    return found


def training_pairs(recipe: Recipe) -> Dict[Pair, int]:
    """How many sentence pairs of each two languages the training text has, as prepare.sh has counted them."""
    path = recipe.data_dir / MANIFEST_NAME
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))["lines"]
        return {
            parse_pair(name): int(counts["train"])
            for name, counts in lines.items()
            if "train" in counts
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise EvaluationError(
            f"{path} is missing or broken; run scripts/prepare.sh {recipe.path}"
        ) from error


def _report(
    recipe: Recipe,
    found: Sequence[Hypotheses],
    pairs: Dict[Pair, int],
    origin: Origin,
    workers: Optional[int],
) -> Report:
    return build_report(
        found,
        recipe.corpus_dir,
        recipe.pivot,
        pairs,
        recipe.evaluation,
        origin,
        workers or usable_cores(),
    )


def _averaged_from(checkpoint: Path) -> List[Dict[str, Any]]:
    return [
        {"file": source["file"], "updates": source["updates"]}
        for source in load_checkpoint(checkpoint).get(RECORD, [])
    ]


if __name__ == "__main__":
    sys.exit(main())

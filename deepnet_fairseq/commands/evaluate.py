"""Average, decode, score and report for a config: what scripts/evaluate.sh runs."""

import argparse
import logging
import shlex
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import torch

from deepnet_fairseq.data.jobs import log_messages_alone
from deepnet_fairseq.data.layout import DataError, read_lines
from deepnet_fairseq.evaluation import EvaluationError
from deepnet_fairseq.evaluation.average import RECORD, average_newest, find_newest, read_checkpoint
from deepnet_fairseq.evaluation.decode import Hypotheses, decode_all
from deepnet_fairseq.evaluation.dependence import Dependence, measure_dependence
from deepnet_fairseq.evaluation.direction import Direction
from deepnet_fairseq.evaluation.generate import parse_command
from deepnet_fairseq.evaluation.report import (
    Report,
    as_text,
    common_signatures,
    mean_table,
    pick_examples,
    score_table,
    write_report,
)
from deepnet_fairseq.evaluation.score import score_files
from deepnet_fairseq.recipe import Recipe, RecipeError, load_recipe

logger = logging.getLogger("deepnet_fairseq.evaluate")

# What the table is made of; a caller's value would have its scores stand under a wrong name.
FIXED = (
    *("path", "source_lang", "target_lang", "gen_subset", "results_path", "data", "task", "user_dir", "langs", "lang_pairs"),
    *("encoder_langtok", "decoder_langtok", "post_process"),
)

# A test set needs no process to load it, and one would cost five seconds per direction: fairseq leaves it in a reference cycle, and when
# that is collected torch waits for it in vain. Stands first, so that a config's own value wins.
NO_LOADER = ("--num-workers", "0")


def main(arguments: Optional[List[str]] = None) -> int:
    """Evaluate a config's model and print its table. Returns 1, with one line on stderr, if that cannot be done, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(prog="evaluate.sh", description="Translate and score every test set of a config.", allow_abbrev=False)
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file, such as configs/cldr_quickstart.yaml")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="evaluate this one, instead of the mean of the newest ones")
    options, caller_flags = parser.parse_known_args(arguments)
    log_messages_alone()  # --log-format and tqdm show fairseq's progress all the same
    try:
        recipe = load_recipe(options.config)
        complaint = check_flags(recipe, caller_flags)
        if complaint:
            parser.error(complaint)
        check_inputs(recipe, options.checkpoint)
        report = evaluate(recipe, caller_flags, options.checkpoint)
        written = write_report(report, recipe.evaluation_dir)
    except (RecipeError, DataError, EvaluationError, OSError) as error:
        print(f"evaluate.sh: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("evaluate.sh: interrupted; run it again to go on from the direction it was at", file=sys.stderr)
        return 130
    print(as_text(report))
    print(f"\nwritten: {', '.join(map(str, [*written, recipe.evaluation_dir / 'hypotheses']))}")
    return 0


def check_flags(recipe: Recipe, caller_flags: Sequence[str]) -> str:
    """What is wrong with the caller's fairseq-generate flags, in one line, or nothing."""
    a, b = recipe.directions[0].split("-")
    command = recipe.generation_command(a, b, recipe.checkpoint_dir / "model.pt")
    try:
        ours, theirs = parse_command(command), parse_command([*command, *caller_flags])
    except EvaluationError as error:
        return str(error)
    changed = [name for name in FIXED if getattr(ours, name, None) != getattr(theirs, name, None)]
    return f"--{changed[0].replace('_', '-')} follows from the config; leave it out" if changed else ""


def check_inputs(recipe: Recipe, checkpoint: Optional[Path]) -> None:
    """Raise EvaluationError, saying which script makes it, if a file is missing."""
    files = recipe.dictionaries
    for direction in recipe.test_directions:
        files += [direction.sources(recipe.corpus_dir), direction.references(recipe.corpus_dir)]
    for file in files:
        if not file.is_file():
            raise EvaluationError(f"{file} is missing; run scripts/prepare.sh {recipe.path}")
    if checkpoint is not None:
        read_checkpoint(checkpoint)
        return
    try:
        find_newest(recipe.checkpoint_dir, 1)
    except EvaluationError as error:
        raise EvaluationError(f"{error}; run scripts/train.sh {recipe.path}") from error


def evaluate(recipe: Recipe, caller_flags: Sequence[str], checkpoint: Optional[Path] = None) -> Report:
    """Translate and score every direction with the checkpoint, or else with the mean of the newest ones."""
    model = checkpoint or average_newest(recipe.checkpoint_dir, recipe.evaluation.average_checkpoints)
    cpu = not torch.cuda.is_available()

    def command_for(direction: Direction) -> List[str]:
        command = recipe.generation_command(direction.source, direction.target, model, cpu=cpu, subset=direction.subset)
        return [*command[:2], *NO_LOADER, *command[2:], *caller_flags]

    directions = recipe.test_directions
    found = decode_all(directions, command_for, model, recipe.corpus_dir, recipe.evaluation_dir / "hypotheses")
    scores = {h.direction: score_files(h.path, h.direction.references(recipe.corpus_dir)) for h in found}
    checks = check_dependence(found, recipe.corpus_dir)
    return Report(
        config=str(recipe.path),
        checkpoint=str(model),
        averaged_from=_origin(model),
        decoding=shlex.join(command_for(directions[0])),
        signatures=common_signatures(scores),
        directions=score_table(found, scores, checks),
        means=mean_table(scores, recipe.pivot),
        examples=pick_examples(found, recipe.corpus_dir, recipe.evaluation.examples),
    )


def check_dependence(found: Sequence[Hypotheses], corpus: Path) -> Dict[Direction, Dependence]:
    """Measure whether each direction's hypotheses depend on the source, and warn, once, of those that don't."""
    checks = {}
    for hypotheses in found:
        direction = hypotheses.direction
        files = direction.sources(corpus), hypotheses.path, direction.references(corpus)
        checks[direction] = measure_dependence(*(list(read_lines(file)) for file in files))
    ignoring = [direction.name for direction, check in checks.items() if check.ignores_source]
    if ignoring:
        logger.warning(
            "warning: in %d of %d directions (%s) translations fit their own references hardly better than others' (shuffled BLEU): the "
            "model ignores its source or writes another language, as it does when it's trained too little or has diverged",
            len(ignoring),
            len(checks),
            ", ".join(ignoring[:10]) + (", …" if len(ignoring) > 10 else ""),
        )
    return checks


def _origin(checkpoint: Path) -> List[Dict[str, Any]]:
    return [{"file": source["file"], "updates": source["updates"]} for source in read_checkpoint(checkpoint).get(RECORD, [])]


if __name__ == "__main__":
    sys.exit(main())

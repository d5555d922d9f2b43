"""Corpus, vocabulary and binary data of a config: what scripts/prepare.sh runs."""

import argparse
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Dict, List, Optional

from deepnet_fairseq.data.binarize import binarize
from deepnet_fairseq.data.corpora import CORPORA
from deepnet_fairseq.data.layout import DataError
from deepnet_fairseq.data.steps import Step
from deepnet_fairseq.data.vocabulary import train_vocabulary
from deepnet_fairseq.recipe import Recipe, RecipeError, load_recipe

logger = logging.getLogger("deepnet_fairseq.commands.prepare")


def main(arguments: Optional[List[str]] = None) -> int:
    """Prepare a config's data and print a table of lines. Returns 1, with one line on stderr, if that cannot be done, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="prepare.sh", description="Make the corpus, vocabulary and binary data of a config.", allow_abbrev=False
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file, such as configs/cldr_quickstart.yaml")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that fairseq-preprocess uses (default: 1)")
    options = parser.parse_args(arguments)
    if options.workers < 1:
        parser.error(f"--workers is {options.workers}; it must be at least 1")
    try:
        print(format_table(prepare(load_recipe(options.config), options.workers)))
    except (RecipeError, DataError, OSError) as error:
        print(f"prepare.sh: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("prepare.sh: interrupted; run it again to go on from the step it was at", file=sys.stderr)
        return 130
    return 0


def prepare(recipe: Recipe, workers: int = 1) -> Dict[str, Dict[str, int]]:
    """Run the steps that aren't finished yet; return the lines of each pair and split.

    Raises DataError for data which cannot be made, and when data that checkpoints were trained on would be replaced.
    """
    steps = make_steps(recipe, workers)
    outdated = [step.directory for step in steps if step.is_outdated()]
    if outdated and any(recipe.checkpoint_dir.glob("*.pt")):
        raise DataError(
            f"{outdated[0]} was made from another config, and {recipe.checkpoint_dir} was trained on it; give the new config a work_dir of "
            f"its own, or remove {recipe.checkpoint_dir}"
        )
    for step in steps:
        if step.is_finished():
            logger.info("%s: finished before, left as it is", step.directory)
            continue
        logger.info("%s: being made", step.directory)
        step.run()
    return steps[-1].result()


def make_steps(recipe: Recipe, workers: int) -> List[Step]:
    """The three steps; what one is made from includes what those before it are made from."""
    build_corpus = CORPORA[recipe.kind][1]
    corpus = {"kind": recipe.kind, **recipe.corpus.fingerprint()}
    vocabulary = {"corpus": corpus, "vocabulary": asdict(recipe.vocabulary)}
    supervised, zero_shot = recipe.supervised_pairs, recipe.zero_shot_pairs
    return [
        Step(recipe.corpus_dir, corpus, lambda folder: build_corpus(recipe.corpus, folder)),
        Step(recipe.vocabulary_dir, vocabulary, lambda folder: train_vocabulary(recipe.vocabulary, recipe.corpus_dir, supervised, folder)),
        Step(
            recipe.data_bin,
            vocabulary,
            lambda folder: binarize(recipe.corpus_dir, recipe.vocabulary_dir, folder, supervised, zero_shot, workers),
        ),
    ]


def format_table(lines: Dict[str, Dict[str, int]]) -> str:
    """Lines per pair and split, tab-separated; a zero-shot pair has - where it has no data."""
    rows = [["pair", "train", "dev", "test"]]
    rows += [[pair, *(str(splits.get(split, "-")) for split in rows[0][1:])] for pair, splits in lines.items()]
    return "\n".join("\t".join(row) for row in rows)


if __name__ == "__main__":
    # fairseq has set logging up by now. Its loggers stay at warnings; what fairseq-preprocess reports is in data-bin/preprocess.log.
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=logging.WARNING, force=True)
    logging.getLogger("deepnet_fairseq").setLevel(logging.INFO)
    sys.exit(main())

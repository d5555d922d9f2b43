"""Corpus, vocabulary and binary data of a config: what scripts/prepare.sh runs."""

import argparse
import contextlib
import fcntl
import logging
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from deepnet_fairseq.commands.main import run
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.binarize import binarize
from deepnet_fairseq.data.corpora import CORPORA
from deepnet_fairseq.data.corpora.inputs import Inputs
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.data.manifest import (
    MANIFEST_NAME,
    REPORT_NAME,
    file_record,
    tool_versions,
    write_cleaning_report,
    write_manifest,
)
from deepnet_fairseq.data.stages import Step
from deepnet_fairseq.data.vocabulary import MODEL_NAME, train_vocabulary
from deepnet_fairseq.errors import DataError, UsageError
from deepnet_fairseq.parallel import CLUSTERS, Jobs

logger = logging.getLogger("deepnet_fairseq.commands.prepare")


def main(arguments: Optional[List[str]] = None) -> int:
    """Prepare a config's data and print a table of lines; return the exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    # As Ctrl-C does, a job that is told to end also ends its own processes.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    return run(parser, lambda: prepare_config(options), resume="run it again to resume")


def prepare_config(options: argparse.Namespace) -> None:
    """Prepare a config's data and print a table of lines."""
    if options.workers < 1:
        raise UsageError(f"--workers is {options.workers}; it must be at least 1")
    if options.source_dir and not options.source_dir.is_dir():
        raise UsageError(f"--source-dir {options.source_dir}: no such folder")
    recipe = load_recipe(options.config)
    jobs = Jobs(
        options.workers,
        options.cluster,
        recipe.data_dir / "jobs",
        parse_parameters(options.cluster_option),
    )
    lines = prepare(recipe, Downloads(options.download_dir, options.source_dir), jobs)
    logger.info(
        "what each filter dropped: %s; sources, filters and versions: %s",
        *(recipe.data_dir / n for n in (REPORT_NAME, MANIFEST_NAME)),
    )
    print(format_table(lines))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="prepare.sh",
        description="Make the corpus, vocabulary and binary data of a config.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG",
        help="a YAML file, such as configs/cldr/cldr_quickstart.yaml",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes; with --cluster slurm, jobs at a time, if more than 1 (default: 1)",
    )
    parser.add_argument(
        "--download-dir",
        type=Path,
        default=Path("downloads"),
        metavar="DIR",
        help="where downloads are kept (default: ./downloads)",
    )
    parser.add_argument(
        "--source-dir",
        type=Path,
        metavar="DIR",
        help="published files that were fetched by other means; they stay there",
    )
    parser.add_argument(
        "--cluster",
        choices=CLUSTERS,
        default="",
        help="spread the pairs over machines with submitit",
    )
    parser.add_argument(
        "--cluster-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="submitit's, such as timeout_min=240 (repeatable)",
    )
    return parser


def parse_parameters(options: Sequence[str]) -> Dict[str, Any]:
    """NAME=VALUE words as a mapping; whole numbers as numbers. Raises DataError for a word that isn't one."""
    parameters: Dict[str, Any] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not (name and equals and value):
            raise DataError(f"--cluster-option {option}: write NAME=VALUE, such as timeout_min=240")
        parameters[name] = int(value) if value.isdigit() else value
    return parameters


def prepare(recipe: Recipe, downloads: Downloads, jobs: Jobs) -> Dict[str, Dict[str, int]]:
    """Run the steps that aren't finished yet; return the lines of each pair and split.

    Raises DataError for data which cannot be made, and when data that checkpoints were trained on would be replaced.
    """
    with lock(recipe.data_dir):
        steps = make_steps(recipe, downloads, jobs)
        refuse_to_replace(recipe, steps)
        for step in steps:
            if step.is_finished():
                logger.info("%s: finished before, left as it is", step.directory)
                continue
            logger.info("%s: being made", step.directory)
            step.run()
        corpus, vocabulary, binary = steps
        tools = {step.directory.name: step.result()["tools"] for step in steps}
        write_cleaning_report(recipe.data_dir, corpus.result()["counts"])
        model = file_record(recipe.vocabulary_dir / MODEL_NAME)
        write_manifest(
            recipe.data_dir,
            {
                **_without_times(corpus.inputs),
                "counts": corpus.result()["counts"],
                "sources": corpus.result()["sources"],
            },
            {
                **vocabulary.inputs["vocabulary"],
                "model_sha256": model["sha256"],
                "pieces": vocabulary.result()["pieces"],
            },
            binary.result()["lines"],
            tools,
        )
        return binary.result()["lines"]


def make_steps(recipe: Recipe, downloads: Downloads, jobs: Jobs) -> List[Step]:
    """The three steps; what one is made from includes what those before it are made from."""
    build_corpus = CORPORA[recipe.kind][1]
    corpus = {
        "kind": recipe.kind,
        "corpus": recipe.corpus.fingerprint(),
        "cleaning": recipe.cleaning.fingerprint(),
    }
    vocabulary = {
        **corpus,
        "languages": recipe.languages,
        "vocabulary": recipe.vocabulary.fingerprint(),
    }
    binary = {**vocabulary, "binarization": asdict(recipe.binarization)}

    def make_corpus(folder: Path) -> Dict[str, Any]:
        counts = build_corpus(recipe.corpus, folder, Inputs(downloads, recipe.cleaning, jobs))
        # Downloads end in any order.
        return {
            "counts": counts,
            "sources": sorted(
                downloads.records, key=lambda record: (record["name"], record["sha256"])
            ),
            "tools": tool_versions(),
        }

    def make_vocabulary(folder: Path) -> Any:
        found = train_vocabulary(
            recipe.vocabulary, recipe.corpus_dir, recipe.supervised_pairs, folder, recipe.languages
        )
        return {**found, "tools": tool_versions()}

    def make_binary(folder: Path) -> Dict[str, Any]:
        parts = {name: list(splits) for name, splits in corpus_step.result()["counts"].items()}
        lines = binarize(
            recipe.corpus_dir,
            recipe.vocabulary_dir,
            folder,
            parts,
            recipe.languages,
            recipe.binarization,
            jobs,
        )
        return {"lines": lines, "tools": tool_versions()}

    corpus_step = Step(recipe.corpus_dir, corpus, make_corpus)
    return [
        corpus_step,
        Step(recipe.vocabulary_dir, vocabulary, make_vocabulary),
        Step(recipe.data_bin, binary, make_binary),
    ]


def refuse_to_replace(recipe: Recipe, steps: Sequence[Step]) -> None:
    """Raise DataError if a step would replace data that a training, this config's or another's, may have used."""
    outdated = [step.directory for step in steps if step.is_outdated()]
    if outdated and recipe.data_dir != recipe.work_dir:
        raise DataError(
            f"{outdated[0]} was made from another config, and other trainings may use it; give this config its own data_dir, or remove "
            f"{recipe.data_dir}"
        )
    if outdated and any(recipe.checkpoint_dir.glob("*.pt")):
        raise DataError(
            f"{outdated[0]} was made from another config, and {recipe.checkpoint_dir} was trained on it; give the new config a work_dir of "
            f"its own, or remove {recipe.checkpoint_dir}"
        )


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Keep other prepare.sh away from the folder. Raises DataError if one is at work there."""
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise DataError(
            f"{folder}: another prepare.sh is at work there; wait for it, or stop it"
        ) from None
    finally:
        os.close(descriptor)
        if not existed:
            with contextlib.suppress(OSError):  # something was made in it
                folder.rmdir()


def _without_times(inputs: Dict[str, Any]) -> Dict[str, Any]:
    """A corpus's inputs for the manifest: its files are known by their checksums there, not by when they changed."""
    return {
        **inputs,
        "corpus": {name: value for name, value in inputs["corpus"].items() if name != "files"},
    }


def format_table(lines: Dict[str, Dict[str, int]]) -> str:
    """Lines per pair and split, tab-separated; a zero-shot pair has - where it has no data."""
    further = sorted(
        {split for splits in lines.values() for split in splits} - {"train", "dev", "test"}
    )
    rows = [["pair", "train", "dev", "test", *further]]
    rows += [
        [pair, *(str(splits.get(split, "-")) for split in rows[0][1:])]
        for pair, splits in lines.items()
    ]
    return "\n".join("\t".join(row) for row in rows)


if __name__ == "__main__":
    sys.exit(main())

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

from deepnet_fairseq.commands.main import add_config, new_parser, run
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.binarize import binarize
from deepnet_fairseq.data.corpora.build import BuildContext
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.data.manifest import (
    MANIFEST_NAME,
    REPORT_NAME,
    tool_versions,
    write_cleaning_report,
    write_manifest,
)
from deepnet_fairseq.data.stages import Stage
from deepnet_fairseq.data.vocabulary import MODEL_NAME, train_vocabulary
from deepnet_fairseq.errors import DataError, UsageError
from deepnet_fairseq.io import sha256_of
from deepnet_fairseq.parallel import CLUSTERS, Jobs

logger = logging.getLogger("deepnet_fairseq.commands.prepare")


def main(arguments: Optional[List[str]] = None, prog: str = "prepare.sh") -> int:
    """Prepare a config's data and print a table of lines; return the exit status."""
    parser = make_parser(prog)
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


def make_parser(prog: str = "prepare.sh") -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(
        prog,
        usage="CONFIG [options]",
        description="""
            Make what training needs: a config's corpus, its vocabulary and fairseq's binary data.

            Writes corpus/, vocabulary/, data-bin/, cleaning.tsv (what each filter dropped, by pair)
            and manifest.json (sources with checksums, filters, counts, versions) into the config's
            data_dir, which is its work_dir by default, and a table of lines per pair to stdout. A
            finished stage is skipped. A stage whose config has changed is made anew, unless a
            training may have used it. A folder appears only when it is complete. An interrupted
            run, run again, resumes at its language pair, and downloads resume, too.""",
        example="configs/opus100/opus100_12l.yaml --workers 16",
    )
    add_config(parser)
    work = parser.add_argument_group("work")
    work.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes; with --cluster slurm, jobs at a time, if more than 1 (default: 1)",
    )
    work.add_argument(
        "--cluster",
        choices=CLUSTERS,
        default="",
        help="spread the language pairs over a cluster's machines with submitit; local does the "
        "same on this machine, all pairs at once, to try it out",
    )
    work.add_argument(
        "--cluster-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of submitit, such as slurm_partition=cpu or timeout_min=240 (repeatable)",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "--download-dir",
        type=Path,
        default=Path("downloads"),
        metavar="DIR",
        help="where downloads are kept (default: %(default)s)",
    )
    files.add_argument(
        "--source-dir",
        type=Path,
        metavar="DIR",
        help="published files that were fetched by other means; they are checked and stay there",
    )
    return parser


def parse_parameters(options: Sequence[str]) -> Dict[str, Any]:
    """Return NAME=VALUE words as a mapping, whole numbers as numbers.

    Raises:
        DataError: A word has another form.
    """
    parameters: Dict[str, Any] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not (name and equals and value):
            raise DataError(f"--cluster-option {option}: write NAME=VALUE, such as timeout_min=240")
        parameters[name] = int(value) if value.isdigit() else value
    return parameters


def prepare(recipe: Recipe, downloads: Downloads, jobs: Jobs) -> Dict[str, Dict[str, int]]:
    """Run the stages that are not finished yet; return the lines of each pair and split.

    Raises:
        DataError: The data cannot be made, or would replace data that checkpoints were trained on.
    """
    with lock(recipe.data_dir):
        stages = make_stages(recipe, downloads, jobs)
        refuse_to_replace(recipe, stages)
        for stage in stages:
            if stage.is_finished():
                logger.info("%s: finished before, left as it is", stage.directory)
            else:
                logger.info("%s: being made", stage.directory)
                stage.run()
        write_reports(recipe, *stages)
        return stages[-1].result()["lines"]


def make_stages(recipe: Recipe, downloads: Downloads, jobs: Jobs) -> List[Stage]:
    """Return the three stages; the inputs of each include those of the stages before it."""
    corpus_inputs = {
        "kind": recipe.kind,
        "corpus": recipe.corpus.fingerprint(),
        "cleaning": recipe.cleaning.fingerprint(),
    }
    vocabulary_inputs = {
        **corpus_inputs,
        "languages": recipe.languages,
        "vocabulary": recipe.vocabulary.fingerprint(),
    }
    binary_inputs = {**vocabulary_inputs, "binarization": asdict(recipe.binarization)}

    def build_corpus(folder: Path) -> Dict[str, Any]:
        counts = recipe.corpus.build(folder, BuildContext(downloads, recipe.cleaning, jobs))
        # Downloads finish in any order.
        sources = sorted(downloads.records, key=lambda record: (record["name"], record["sha256"]))
        return {"counts": counts, "sources": sources, "tools": tool_versions()}

    def build_vocabulary(folder: Path) -> Dict[str, Any]:
        result = train_vocabulary(
            recipe.vocabulary, recipe.corpus_dir, recipe.supervised_pairs, folder, recipe.languages
        )
        return {**result, "tools": tool_versions()}

    def build_binary(folder: Path) -> Dict[str, Any]:
        parts = {name: list(splits) for name, splits in corpus.result()["counts"].items()}
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

    corpus = Stage(recipe.corpus_dir, corpus_inputs, build_corpus)
    return [
        corpus,
        Stage(recipe.vocabulary_dir, vocabulary_inputs, build_vocabulary),
        Stage(recipe.data_bin, binary_inputs, build_binary),
    ]


def refuse_to_replace(recipe: Recipe, stages: Sequence[Stage]) -> None:
    """Raise DataError if a stage would replace data that a training may have used.

    It may be this config's training, or another's if they share a data_dir.
    """
    outdated = [stage.directory for stage in stages if stage.is_outdated()]
    if outdated and recipe.data_dir != recipe.work_dir:
        raise DataError(
            f"{outdated[0]} was made from another config, and other trainings may use it; "
            f"give this config its own data_dir, or remove {recipe.data_dir}"
        )
    if outdated and any(recipe.checkpoint_dir.glob("*.pt")):
        raise DataError(
            f"{outdated[0]} was made from another config, and {recipe.checkpoint_dir} was trained "
            "on it; give the new config a work_dir of its own, or remove "
            f"{recipe.checkpoint_dir}"
        )


def write_reports(recipe: Recipe, corpus: Stage, vocabulary: Stage, binary: Stage) -> None:
    """Write cleaning.tsv and manifest.json from the finished stages."""
    counts = corpus.result()["counts"]
    write_cleaning_report(recipe.data_dir, counts)
    # The manifest has the files' checksums, not their times of change.
    corpus_inputs = dict(corpus.inputs["corpus"])
    corpus_inputs.pop("files", None)
    write_manifest(
        recipe.data_dir,
        corpus={
            **corpus.inputs,
            "corpus": corpus_inputs,
            "counts": counts,
            "sources": corpus.result()["sources"],
        },
        vocabulary={
            **vocabulary.inputs["vocabulary"],
            "model_sha256": sha256_of(recipe.vocabulary_dir / MODEL_NAME),
            "pieces": vocabulary.result()["pieces"],
        },
        lines=binary.result()["lines"],
        tools={
            stage.directory.name: stage.result()["tools"] for stage in (corpus, vocabulary, binary)
        },
    )


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Lock the folder against other prepare.sh. Raise DataError if one is running there."""
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
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def format_table(lines: Dict[str, Dict[str, int]]) -> str:
    """Return the lines per pair and split, tab-separated; - where a pair has no data."""
    further = {split for splits in lines.values() for split in splits} - {"train", "dev", "test"}
    columns = ["train", "dev", "test", *sorted(further)]
    rows = [["pair", *columns]]
    for pair, splits in lines.items():
        rows.append([pair, *(str(splits.get(split, "-")) for split in columns)])
    return "\n".join("\t".join(row) for row in rows)


if __name__ == "__main__":
    sys.exit(main())

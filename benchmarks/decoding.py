"""Time the translation of many directions with one model load, and with fairseq-generate for each.

`scripts/benchmark.sh decoding CONFIG` runs it on a config that has been trained, both ways on the
same sentences. Every process is fresh, so loading is part of the time.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Callable, Dict, List, Optional

import torch
from tqdm import tqdm

from deepnet_fairseq.checkpoints import average_newest
from deepnet_fairseq.commands.evaluate import make_generation, parse_generation_flags
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.evaluation.decode.decode import decode_all
from deepnet_fairseq.evaluation.decode.hypotheses import hypothesis_file
from deepnet_fairseq.evaluation.decode.test_data import Direction
from deepnet_fairseq.io import count_lines, read_lines

HYPOTHESIS = re.compile(r"D-(\d+)\t[^\t]*\t(.*)")
OURS, STOCK = "all from one model load", "fairseq-generate, one direction at a time"
# As scripts/evaluate.sh sets them for our translation.
KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "2147483647",
    "MALLOC_TRIM_THRESHOLD_": "2147483647",
}


def main(arguments: Optional[List[str]] = None) -> int:
    """Measure, and print a table; return 1 if a hypothesis differs."""
    parser = make_parser()
    words = sys.argv[1:] if arguments is None else arguments
    end = words.index("--") if "--" in words else len(words)
    own, flags = words[:end], words[end + 1 :]
    options = parser.parse_args(own)
    if options.directions < 1 or options.runs < 1:
        parser.error("--directions and --runs must be at least 1")
    work = Workload(load_recipe(options.config), options.directions, flags)
    if options.into:
        work.translate_at_once(options.into, options.workers)
        return 0
    call = [sys.executable, "-m", __spec__.name, *own]
    # The checkpoints are averaged before the clock starts.
    print(f"translating with {work.checkpoint}", file=sys.stderr)
    with TemporaryDirectory(prefix="deepnet-benchmark-") as name:
        folder = Path(name)

        def translate_in_new_process(run: int) -> None:
            words = [*call, "--into", str(folder / f"{run}"), "--", *flags]
            subprocess.run(words, check=True, env={**KEEP_FREED_MEMORY, **os.environ})

        seconds: Dict[str, List[float]] = {OURS: [], STOCK: []}
        for run in range(options.runs):
            seconds[OURS].append(_timed(lambda run=run: translate_in_new_process(run)))
            seconds[STOCK].append(_timed(lambda: work.translate_by_fairseq(folder)))
        different = work.differences(folder)
    print(format_table(seconds, work, different))
    return 1 if different else 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the benchmark's own options."""
    parser = argparse.ArgumentParser(
        prog="benchmark.sh decoding",
        description="Time the translation of test sets. fairseq-generate's flags follow after --.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "config", type=Path, metavar="CONFIG", help="a config that train.sh has trained"
    )
    parser.add_argument(
        "--directions",
        type=int,
        default=40,
        metavar="N",
        help="directions, spread over all (default: 40)",
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=1,
        metavar="N",
        help="runs whose medians are printed (default: 1)",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="as evaluate.sh has it")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)  # the fresh process of ours
    return parser


@dataclass
class Workload:
    """The test sets of some directions, and both ways to translate them."""

    recipe: Recipe
    requested: int
    flags: List[str]  # fairseq-generate's, over the config's

    @cached_property
    def directions(self) -> List[Direction]:
        """As many directions as requested, spread evenly over all."""
        every = self.recipe.test_directions
        count = min(self.requested, len(every))
        return [every[number * len(every) // count] for number in range(count)]

    @cached_property
    def lines(self) -> int:
        """The number of sentences."""
        corpus = self.recipe.corpus_dir
        return sum(count_lines(direction.source_file(corpus)) for direction in self.directions)

    @cached_property
    def checkpoint(self) -> Path:
        """The model that evaluate.sh would take."""
        count = self.recipe.evaluation.average_checkpoints
        return average_newest(self.recipe.checkpoint_dir, count)

    def translate_at_once(self, folder: Path, workers: Optional[int]) -> None:
        """Translate as evaluate.sh does before it scores."""
        recipe = self.recipe
        args = parse_generation_flags(recipe, self.flags)
        generation = make_generation(recipe, self.checkpoint, args, self.flags, workers)
        decode_all(self.directions, generation, recipe.corpus_dir, recipe.vocabulary_dir, folder)

    def translate_by_fairseq(self, folder: Path) -> None:
        """Translate with one fairseq-generate per direction."""
        cpu = not torch.cuda.is_available()
        for direction in tqdm(self.directions, desc="fairseq-generate", unit="direction"):
            words = self.recipe.generation_command(
                direction.source, direction.target, self.checkpoint, cpu, direction.subset
            )
            program = Path(sys.executable).with_name(words[0])
            results = ["--results-path", folder / direction.name]
            subprocess.run(
                [program, *words[1:], *self.flags, *results], check=True, capture_output=True
            )

    def differences(self, folder: Path) -> List[str]:
        """Return the lines that differ, each as direction and 1-based number."""
        different = []
        for direction in self.directions:
            output = folder / direction.name / f"generate-{direction.subset}.txt"
            matches = map(HYPOTHESIS.fullmatch, read_lines(output))
            theirs = {int(match[1]): match[2] for match in matches if match}
            ours = read_lines(hypothesis_file(direction, folder / "0"))
            sources = read_lines(direction.source_file(self.recipe.corpus_dir))
            for number, (text, source) in enumerate(zip(ours, sources, strict=True)):
                # The hypothesis of an empty source is empty here; fairseq-generate translates </s>.
                if source.strip() and theirs.get(number) != text:
                    different.append(f"{direction.name} {number + 1}")
        return different


def format_table(seconds: Dict[str, List[float]], work: Workload, different: List[str]) -> str:
    """Return seconds and sentences per second of each way, their ratio, and what differs."""
    rows = [
        f"{len(work.directions)} directions, {work.lines:,} sentences    "
        "seconds, median (min … max)    sentences a second"
    ]
    for name, values in seconds.items():
        middle = median(values)
        extremes = f"({min(values):.1f} … {max(values):.1f})"
        rows.append(f"{name:<45} {middle:8.1f} {extremes}    {work.lines / middle:.1f}")
    rows.append(f"ratio {median(seconds[STOCK]) / median(seconds[OURS]):.2f}")
    named = f": {', '.join(different[:20])}" if different else ""
    rows.append(f"{len(different)} of {work.lines} hypotheses differ{named}")
    return "\n".join(rows)


def _timed(run: Callable[[], object]) -> float:
    start = time.monotonic()
    run()
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())

"""Many directions translated from one model load, against one fairseq-generate per direction, on the same sentences in one run.

`scripts/benchmark.sh decoding CONFIG` runs it on a config that has been trained. Every process is fresh: loading is part of the time.
"""

import argparse
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
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.evaluation.decode.decode import decode_all
from deepnet_fairseq.evaluation.decode.test_data import Direction
from deepnet_fairseq.evaluation.decode.hypotheses import hypothesis_file
from deepnet_fairseq.evaluation.decode.workers import choose_devices
from deepnet_fairseq.io import count_lines, read_lines

HYPOTHESIS = re.compile(r"D-(\d+)\t[^\t]*\t(.*)")
OURS, STOCK = "all from one model load", "fairseq-generate, one direction at a time"


def main(arguments: Optional[List[str]] = None) -> int:
    """Measure, and print a table. Returns 1 if a hypothesis differs."""
    parser = make_parser()
    words = sys.argv[1:] if arguments is None else arguments
    own, flags = (
        (words[: words.index("--")], words[words.index("--") + 1 :])
        if "--" in words
        else (words, [])
    )
    options = parser.parse_args(own)
    if options.directions < 1 or options.runs < 1:
        parser.error("--directions and --runs must be at least 1")
    work = Workload(load_recipe(options.config), options.directions, flags)
    if options.into:
        work.translate_at_once(options.into, options.workers)
        return 0
    call = [sys.executable, "-m", __spec__.name, *own]
    seconds: Dict[str, List[float]] = {OURS: [], STOCK: []}
    print(
        f"translating with {work.checkpoint}", file=sys.stderr
    )  # averaged before the clock starts
    with TemporaryDirectory(prefix="deepnet-benchmark-") as name:
        folder = Path(name)
        for run in range(options.runs):
            seconds[OURS].append(
                _timed(
                    lambda run=run: subprocess.run(
                        [*call, "--into", str(folder / f"{run}"), "--", *flags], check=True
                    )
                )
            )
            seconds[STOCK].append(_timed(lambda: work.translate_by_fairseq(folder)))
        different = work.differences(folder)
    print(format_table(seconds, work, different))
    return 1 if different else 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmark.sh decoding",
        description="Time the translation of test sets; what stands after -- are fairseq-generate's flags.",
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
        help="so many, spread over all (default: 40)",
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=1,
        metavar="N",
        help="medians over so many runs are printed (default: 1)",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="as evaluate.sh has it")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)  # the fresh process of ours
    return parser


@dataclass
class Workload:
    """The test sets of some directions, and both ways to translate them."""

    recipe: Recipe
    wanted: int
    flags: List[str]  # fairseq-generate's, over the config's

    @cached_property
    def directions(self) -> List[Direction]:
        """So many as are wanted, spread evenly over all."""
        every = self.recipe.test_directions
        wanted = min(self.wanted, len(every))
        return [every[number * len(every) // wanted] for number in range(wanted)]

    @cached_property
    def lines(self) -> int:
        return sum(
            count_lines(direction.source_file(self.recipe.corpus_dir)) for direction in self.directions
        )

    @cached_property
    def checkpoint(self) -> Path:
        return average_newest(
            self.recipe.checkpoint_dir, self.recipe.evaluation.average_checkpoints
        )

    def command(self, direction: Direction) -> List[str]:
        cpu = not torch.cuda.is_available()
        return [
            *self.recipe.generation_command(
                direction.source, direction.target, self.checkpoint, cpu, direction.subset
            ),
            *self.flags,
        ]

    def translate_at_once(self, folder: Path, workers: Optional[int]) -> None:
        """What evaluate.sh does before it scores."""
        devices = choose_devices(workers, cpu=not torch.cuda.is_available())
        recipe = self.recipe
        decode_all(
            self.directions,
            self.command,
            self.checkpoint,
            recipe.corpus_dir,
            recipe.vocabulary_dir,
            folder,
            devices,
        )

    def translate_by_fairseq(self, folder: Path) -> None:
        for direction in tqdm(self.directions, desc="fairseq-generate", unit="direction"):
            words = self.command(direction)
            program = Path(sys.executable).with_name(words[0])
            subprocess.run(
                [program, *words[1:], "--results-path", folder / direction.name],
                check=True,
                capture_output=True,
            )

    def differences(self, folder: Path) -> List[str]:
        """The lines at which the two ways differ, each as direction and number from 1."""
        found = []
        for direction in self.directions:
            output = folder / direction.name / f"generate-{direction.subset}.txt"
            theirs = {
                int(match[1]): match[2]
                for match in map(HYPOTHESIS.fullmatch, read_lines(output))
                if match
            }
            ours, sources = (
                read_lines(hypothesis_file(direction, folder / "0")),
                read_lines(direction.source_file(self.recipe.corpus_dir)),
            )
            pairs = enumerate(zip(ours, sources, strict=True))
            # An empty source has an empty translation here; fairseq-generate translates its lone </s>.
            found += [
                f"{direction.name} {number + 1}"
                for number, (text, source) in pairs
                if source.strip() and theirs.get(number) != text
            ]
        return found


def format_table(seconds: Dict[str, List[float]], work: Workload, different: List[str]) -> str:
    """Seconds and sentences a second of each way, their ratio, and what differs."""
    rows = [
        f"{len(work.directions)} directions, {work.lines:,} sentences    seconds, median (min … max)    sentences a second"
    ]
    for name, values in seconds.items():
        middle = median(values)
        rows.append(
            f"{name:<45} {middle:8.1f} ({min(values):.1f} … {max(values):.1f})    {work.lines / middle:.1f}"
        )
    rows.append(f"ratio {median(seconds[STOCK]) / median(seconds[OURS]):.2f}")
    rows.append(
        f"{len(different)} of {work.lines} hypotheses differ{': ' + ', '.join(different[:20]) if different else ''}"
    )
    return "\n".join(rows)


def _timed(run: Callable[[], object]) -> float:
    start = time.monotonic()
    run()
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())

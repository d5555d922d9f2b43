"""The command compare.sh: compares runs with a baseline."""

import argparse
import re
import sys
from pathlib import Path
from typing import List, Optional

from deepnet_fairseq.commands.main import new_parser, run
from deepnet_fairseq.errors import UsageError
from deepnet_fairseq.evaluation.compare.compare import Options, compare, write_comparison
from deepnet_fairseq.evaluation.compare.result import Comparison
from deepnet_fairseq.evaluation.compare.text import as_text
from deepnet_fairseq.evaluation.score.metrics import METRICS
from deepnet_fairseq.evaluation.score.significance import BOOTSTRAP, NONE, TESTS

COMPARISONS = Path("runs/comparisons")
MAXIMUM_NAME_LENGTH = 80  # characters, of up to 3 bytes each


def main(arguments: Optional[List[str]] = None, prog: str = "compare.sh") -> int:
    """Compare runs and print a table; return the exit status."""
    parser = make_parser(prog)
    options = parser.parse_args(arguments)
    return run(parser, lambda: compare_runs(options))


def compare_runs(options: argparse.Namespace) -> None:
    """Compare runs, write the comparison and print its table."""
    check_options(options)
    compare_options = Options(
        options.metrics, options.test, options.samples or 0, options.workers, options.examples
    )
    comparison = compare(options.runs, compare_options)
    written = write_comparison(comparison, options.output or default_folder(comparison))
    print(as_text(comparison))
    print(f"\nwritten: {', '.join(map(str, written))}")


def make_parser(prog: str = "compare.sh") -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(
        prog,
        usage="RUN_A RUN_B [RUN ...] [options]",
        description="""
            Compare two or more evaluated runs on the same test sets: their differences, whether
            chance explains them, and how many directions win.

            RUN_A is the baseline. All others are compared with it on the directions that all have.
            A table goes to stdout; comparison.json, comparison.md and comparison.html go to the
            output folder.""",
        example="runs/post_ln runs/deepnet --workers 2",
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a config's work_dir that evaluate.sh has scored, its evaluation folder, or a "
        "scores.json; all but the first may also be a folder with another system's hypotheses: "
        "plain text, one file per direction, such as de-en.en",
    )
    test = parser.add_argument_group("test of significance")
    test.add_argument(
        "--test",
        choices=(*TESTS, NONE),
        default=BOOTSTRAP,
        help="sacrebleu's paired test of every direction (default: %(default)s)",
    )
    test.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="samples that the test draws (default: sacrebleu's, 1000 and 10000)",
    )
    test.add_argument(
        "--metrics",
        nargs="+",
        choices=METRICS,
        default=[],
        metavar="METRIC",
        help="metrics to test, of %(choices)s; the first decides about wins (default: BLEU)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--examples",
        type=int,
        default=8,
        metavar="N",
        help="sentences shown, from the directions with the highest and lowest differences "
        "(default: %(default)s)",
    )
    output.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes (default: %(default)s)"
    )
    output.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"where to write (default: a folder of {COMPARISONS} named after the runs)",
    )
    return parser


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError for options that are out of range or contradict one another."""
    if len(options.runs) < 2:
        raise UsageError("give two runs or more")
    for name, minimum in (("samples", 1), ("examples", 0), ("workers", 1)):
        value = getattr(options, name)
        if value is not None and value < minimum:
            raise UsageError(f"--{name} is {value}; it must be at least {minimum}")
    if options.test == NONE and options.samples is not None:
        raise UsageError(f"--samples has no effect with --test {NONE}; leave one of them out")
    if len(set(options.metrics)) < len(options.metrics):
        raise UsageError(f"--metrics {' '.join(options.metrics)}: give each once")


def default_folder(comparison: Comparison) -> Path:
    """Return a folder with the systems' names, as far as a file system permits."""
    name = "+".join(re.sub(r"[^\w.-]+", "-", name).strip("-") for name in comparison.systems)
    return COMPARISONS / name[:MAXIMUM_NAME_LENGTH]


if __name__ == "__main__":
    sys.exit(main())

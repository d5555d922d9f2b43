"""Compare runs: what scripts/compare.sh runs."""

import argparse
import re
import sys
from pathlib import Path
from typing import List, Optional

from deepnet_fairseq.errors import DataError, EvaluationError
from deepnet_fairseq.evaluation.compare.compare import Options, compare
from deepnet_fairseq.evaluation.compare.result import Comparison
from deepnet_fairseq.evaluation.compare.tables import as_text
from deepnet_fairseq.evaluation.compare.write import write_comparison
from deepnet_fairseq.evaluation.score.config import METRICS
from deepnet_fairseq.evaluation.score.significance import BOOTSTRAP, NONE, TESTS
from deepnet_fairseq.logging import log_to_stderr

COMPARISONS = Path("runs/comparisons")
LONGEST_NAME = 80  # characters, of up to 3 bytes each


def main(arguments: Optional[List[str]] = None) -> int:
    """Compare runs and print a table. Returns 1, with one line on stderr, if that cannot be done, 130 on Ctrl-C."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    complaint = check_options(options)
    if complaint:
        parser.error(complaint)
    log_to_stderr()
    try:
        how = Options(
            options.metrics, options.test, options.samples or 0, options.workers, options.examples
        )
        comparison = compare(options.runs, how)
        written = write_comparison(comparison, options.output or default_folder(comparison))
    except (EvaluationError, DataError, OSError) as error:
        print(f"compare.sh: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("compare.sh: interrupted; run it again", file=sys.stderr)
        return 130
    print(as_text(comparison))
    print(f"\nwritten: {', '.join(map(str, written))}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="compare.sh",
        description="Compare two or more runs with the first.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a run's folder or scores.json, or a folder of hypotheses",
    )
    parser.add_argument(
        "--test",
        choices=(*TESTS, NONE),
        default=BOOTSTRAP,
        help="sacrebleu's paired test (default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="of the test (default: sacrebleu's, 1000 and 10000)",
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        choices=METRICS,
        default=[],
        metavar="METRIC",
        help="the ones to test; the first decides (default: BLEU)",
    )
    parser.add_argument(
        "--examples",
        type=int,
        default=8,
        metavar="N",
        help="sentences shown (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes (default: %(default)s)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"where to write (default: {COMPARISONS}/ and the names)",
    )
    return parser


def check_options(options: argparse.Namespace) -> str:
    """What is wrong with the options, in one line, or nothing."""
    if len(options.runs) < 2:
        return "give two runs or more"
    for name, least in (("samples", 1), ("examples", 0), ("workers", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            return f"--{name} is {value}; it must be at least {least}"
    if options.test == NONE and options.samples is not None:
        return f"--samples has no effect with --test {NONE}; leave one of them out"
    if len(set(options.metrics)) < len(options.metrics):
        return f"--metrics {' '.join(options.metrics)}: give each once"
    return ""


def default_folder(comparison: Comparison) -> Path:
    """A folder that is named after the systems, as far as a file system takes it."""
    name = "+".join(re.sub(r"[^\w.-]+", "-", name).strip("-") for name in comparison.systems)
    return COMPARISONS / name[:LONGEST_NAME]


if __name__ == "__main__":
    sys.exit(main())

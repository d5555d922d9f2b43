"""Speed of text to binary data: prepare.sh against spm_encode + fairseq-preprocess.

The limit, bare SentencePiece, is measured in the same run. Both systems must write the same bytes.
"""

import argparse
import logging
import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Callable, Dict, Iterator, List, Optional, Sequence

from deepnet_fairseq.data.binarize import BinarizationConfig, binarize
from deepnet_fairseq.data.bitext import corpus_file, write_pair
from deepnet_fairseq.data.corpora.build import BuildContext
from deepnet_fairseq.data.corpora.cldr import CldrCorpus
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.data.filters import CleaningConfig
from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.data.stages import JOURNAL_NAME
from deepnet_fairseq.data.vocabulary import (
    DICTIONARY_NAME,
    VocabularyConfig,
    load_model,
    train_vocabulary,
)
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.parallel import Jobs

PAIR = ("de", "en")
BATCH_LINES = 10_000  # that the references hand to SentencePiece in one call
OURS, BARE, REFERENCE = "deepnet_fairseq", "bare SentencePiece", "spm_encode + fairseq-preprocess"


def main(arguments: Optional[List[str]] = None) -> int:
    """Measure, and print a table; return 1 if the two systems' data differ."""
    options = make_parser().parse_args(arguments)
    with TemporaryDirectory(prefix="deepnet-benchmark-") as folder:
        work = Workload(Path(folder), options.threads)
        make_corpus(work, options)
        seconds = measure(
            {OURS: work.run_ours, BARE: work.run_bare, REFERENCE: work.run_reference}, options.runs
        )
        if not work.wrote_the_same():
            print("benchmark: the two systems wrote different data", file=sys.stderr)
            return 1
        memory = {lines: peak_memory(work, lines) for lines in (options.lines // 10, options.lines)}
    print(format_table(seconds, 2 * options.lines, memory))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the benchmark's parser."""
    parser = argparse.ArgumentParser(
        prog="benchmark.sh binarize",
        description="Measure the speed of binarizing text.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--lines",
        type=int,
        default=300_000,
        metavar="N",
        help="sentence pairs (default: 300,000)",
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=5,
        metavar="N",
        help="runs after a warm-up; medians are printed (default: 5)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=2,
        metavar="N",
        help="threads or processes per system (default: 2)",
    )
    parser.add_argument(
        "--vocabulary",
        type=int,
        default=8000,
        metavar="N",
        help="pieces, or as many as the text has (default: 8,000)",
    )
    parser.add_argument(
        "--text",
        type=Path,
        nargs=2,
        metavar="FILE",
        help="the two files of a bitext, repeated as needed (default: text from CLDR)",
    )
    return parser


@dataclass
class Workload:
    """A corpus of one pair with its vocabulary in a folder, and the systems that binarize it."""

    root: Path
    threads: int

    def run_ours(self, corpus: str = "corpus") -> None:
        """Binarize as prepare.sh does."""
        ours = self.root / "ours"
        (ours / JOURNAL_NAME).unlink(missing_ok=True)
        parts = {f"supervised/{'-'.join(PAIR)}": ["train"]}
        binarize(
            self.root / corpus,
            self.root / "vocabulary",
            ours,
            parts,
            PAIR,
            BinarizationConfig(),
            Jobs(self.threads),
        )

    def run_bare(self) -> None:
        """Encode lines that are already in memory, and drop the ids: the limit."""
        model = load_model(self.root / "vocabulary")
        for batch in self.in_memory:
            model.encode(batch, out_type=int, num_threads=self.threads)

    @cached_property
    def in_memory(self) -> List[List[str]]:
        """All lines of both sides in batches."""
        return [batch for language in PAIR for batch in self._batches(language)]

    def run_reference(self) -> None:
        """Write pieces as spm_encode does, but in threads, then run fairseq-preprocess on them."""
        from fairseq import options
        from fairseq_cli import preprocess

        model = load_model(self.root / "vocabulary")
        encoded = self.root / "encoded"
        encoded.mkdir(exist_ok=True)
        for language in PAIR:
            with open(encoded / f"train.{language}", "w", encoding="utf-8") as stream:
                for batch in self._batches(language):
                    pieces_of = model.encode(batch, out_type=str, num_threads=self.threads)
                    stream.writelines(" ".join(pieces) + "\n" for pieces in pieces_of)
        dictionary = str(self.root / "vocabulary" / DICTIONARY_NAME)
        words = [
            "--source-lang",
            PAIR[0],
            "--target-lang",
            PAIR[1],
            "--trainpref",
            str(encoded / "train"),
            "--srcdict",
            dictionary,
        ]
        words += [
            "--tgtdict",
            dictionary,
            "--destdir",
            str(self.root / "reference"),
            "--workers",
            str(self.threads),
        ]
        logging.disable(logging.INFO)
        preprocess.main(options.get_preprocessing_parser().parse_args(words))

    def wrote_the_same(self) -> bool:
        """Return whether both systems wrote the same bytes."""
        names = [
            f"train.{'-'.join(PAIR)}.{language}.{kind}"
            for language in PAIR
            for kind in ("bin", "idx")
        ]
        return all(
            (self.root / "ours" / name).read_bytes()
            == (self.root / "reference" / name).read_bytes()
            for name in names
        )

    def take_first(self, lines: int) -> str:
        """Write a corpus of the first sentence pairs; return its folder's name."""
        sides = (
            read_lines(corpus_file(self.root / "corpus", PAIR, "train", language))
            for language in PAIR
        )
        write_pair(
            self.root / f"corpus{lines}", PAIR, "train", islice(zip(*sides, strict=True), lines)
        )
        return f"corpus{lines}"

    def _batches(self, language: str) -> Iterator[List[str]]:
        lines = read_lines(corpus_file(self.root / "corpus", PAIR, "train", language))
        while batch := list(islice(lines, BATCH_LINES)):
            yield batch


def make_corpus(work: Workload, options: argparse.Namespace) -> None:
    """Write the text and train its vocabulary."""
    _log(f"making {options.lines:,} sentence pairs and a vocabulary")
    if options.text:
        sides = [
            cycle([normalize_spaces(line) for line in read_lines(path)]) for path in options.text
        ]
        write_pair(
            work.root / "corpus", PAIR, "train", islice(zip(*sides, strict=False), options.lines)
        )
    else:
        words = {"countries": 80, "currencies": 24, "units": 24, "language_names": 40}
        corpus = CldrCorpus(
            languages=[PAIR[0]], train_lines=options.lines, dev_lines=1, test_lines=1, **words
        )
        context = BuildContext(Downloads(work.root), CleaningConfig(), Jobs())
        corpus.build(work.root / "corpus", context)
    vocabulary = VocabularyConfig(size=options.vocabulary, hard_limit=False, sample_lines=100_000)
    result = train_vocabulary(vocabulary, work.root / "corpus", [PAIR], work.root / "vocabulary")
    _log(f"a vocabulary of {result['pieces']:,} pieces")


def measure(systems: Dict[str, Callable[[], None]], runs: int) -> Dict[str, List[float]]:
    """Return the seconds of each system in each run.

    Systems take turns in each run; one run before is the warm-up.
    """
    seconds: Dict[str, List[float]] = {name: [] for name in systems}
    for number in range(runs + 1):
        for name, run in systems.items():
            start = time.perf_counter()
            run()
            took = time.perf_counter() - start
            _log(f"{f'run {number}' if number else 'warm-up'}: {name}: {took:.2f} s")
            if number:
                seconds[name].append(took)
    return seconds


def peak_memory(work: Workload, lines: int) -> int:
    """Return the peak memory, in bytes, of a process that binarizes the first sentence pairs."""
    corpus = work.take_first(lines)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run_and_measure, (work, corpus))


def _run_and_measure(work: Workload, corpus: str) -> int:
    work.run_ours(corpus)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def format_table(seconds: Dict[str, Sequence[float]], lines: int, memory: Dict[int, int]) -> str:
    """Return medians with their range, and their ratios."""
    medians = {name: median(times) for name, times in seconds.items()}
    rows = [f"{'':34}{'seconds (min … max)':>26}{'lines per second':>16}"]
    for name, times in seconds.items():
        spread = f"{medians[name]:.2f} ({min(times):.2f} … {max(times):.2f})"
        rows.append(f"{name:34}{spread:>26}{lines / medians[name]:>16,.0f}")
    rows.append(f"{medians[REFERENCE] / medians[OURS]:.1f} times as fast as {REFERENCE}")
    rows.append(f"{medians[BARE] / medians[OURS]:.0%} of the speed of {BARE}")
    peaks = ", ".join(
        f"{size / 2**20:.0f} MiB at {count:,} sentence pairs" for count, size in memory.items()
    )
    rows.append(f"peak memory, most of it for importing fairseq: {peaks}")
    return "\n".join(rows)


def _log(text: str) -> None:
    print(f"benchmark: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Time of prepare.sh on a corpus of OPUS-100's shape.

A web server on this machine has all archives and files, with generated words. Line counts are
OPUS-100's times --share. As there, some training pairs are repeated and some are in dev sets.
"""

import argparse
import contextlib
import hashlib
import io
import random
import resource
import sys
import tarfile
import threading
import time
from dataclasses import replace
from functools import lru_cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterator, List, Optional, Tuple

from tqdm import tqdm

from deepnet_fairseq.commands import prepare
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT, corpus_file
from deepnet_fairseq.data.corpora import opus100
from deepnet_fairseq.data.corpora.opus100_files import (
    ARCHIVES,
    TRAIN_ONLY,
    TRAINING_PAIRS,
    ZERO_SHOT_ARCHIVE,
)
from deepnet_fairseq.data.download import Downloads, RemoteFile
from deepnet_fairseq.languages import Pair
from deepnet_fairseq.parallel import Jobs

CONFIG = Path(__file__).parents[1] / "configs/opus100/opus100_12l.yaml"
TEST_LINES = 2000  # of each dev and test set
MIN_LINES = 50
# First letter and number of letters: Latin, Cyrillic, Greek, Arabic, Devanagari, Han, Hangul,
# Thai, Georgian, Ethiopic.
SCRIPTS = (
    (97, 26),
    (1072, 32),
    (945, 24),
    (1575, 28),
    (2309, 50),
    (19968, 2000),
    (44032, 1500),
    (3585, 46),
    (4304, 33),
    (4608, 200),
)


def main(arguments: Optional[List[str]] = None) -> int:
    """Make the archives, prepare them with opus100_12l.yaml, and print the time of each stage."""
    options = make_parser().parse_args(arguments)
    with TemporaryDirectory(prefix="deepnet-benchmark-") as name:
        folder = Path(name)
        files = make_archives(folder / "published", options.share)
        with serving(folder / "published") as address, published_at(address, files):
            recipe = load_recipe(CONFIG)
            vocabulary = replace(
                recipe.vocabulary, hard_limit=False
            )  # little text has fewer pieces
            recipe = replace(
                recipe, work_dir=folder / "work", data_dir=folder / "work", vocabulary=vocabulary
            )
            rows = run_stages(recipe, Downloads(folder / "downloads"), Jobs(options.workers))
    print("\n".join(rows))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the benchmark's parser."""
    parser = argparse.ArgumentParser(
        prog="benchmark.sh opus100", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--share",
        type=float,
        default=0.1,
        metavar="S",
        help="share of OPUS-100's lines; 1 needs 45 GB of disk (default: 0.1)",
    )
    parser.add_argument(
        "--workers", type=int, default=2, metavar="N", help="processes (default: 2)"
    )
    return parser


def run_stages(recipe: Any, downloads: Downloads, jobs: Jobs) -> List[str]:
    """Run prepare.sh's stages; return a line for each, and the peak memory of this process."""
    rows, total, pairs = [], 0.0, 0
    for stage in prepare.make_stages(recipe, downloads, jobs):
        start = time.perf_counter()
        stage.run()
        seconds = time.perf_counter() - start
        total += seconds
        if "counts" in stage.result():
            train = [
                splits["train"] for splits in stage.result()["counts"].values() if "train" in splits
            ]
            pairs = sum(counts["read"] for counts in train)
            rows.append(
                f"training pairs read: {pairs:,}, kept: {sum(counts['kept'] for counts in train):,}"
            )
        rows.append(f"{stage.directory.name}: {seconds:.0f} s")
    rows.append(f"total: {total:.0f} s, {pairs / total:,.0f} training pairs per second")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows.append(f"peak memory of the main process: {peak:.1f} GiB")
    return rows


def make_archives(folder: Path, share: float) -> Dict[str, Tuple[int, str]]:
    """Write all archives; return size and SHA-256 of each by name."""
    folder.mkdir()
    for pair, lines in tqdm(
        TRAINING_PAIRS.items(), desc="making archives", unit="archive", mininterval=5
    ):
        count, test_lines = (
            max(MIN_LINES, int(lines * share)),
            max(MIN_LINES, int(TEST_LINES * share)),
        )
        train = generate_pairs(pair, "train", count)
        members = []
        for split in () if pair in TRAIN_ONLY else ("dev", "test"):
            sentences = generate_pairs(pair, split, test_lines)
            members.append((split, sentences))
            train[:10] = sentences[:10]
        train[-(count // 200) - 1 :] = train[: count // 200 + 1]  # duplicates
        _write_archive(
            folder / ARCHIVES[pair].name,
            SUPERVISED,
            [(pair, *member) for member in [*members, ("train", train)]],
        )
    zero_shot = [
        (pair, "test", generate_pairs(pair, "test", max(MIN_LINES, int(TEST_LINES * share))))
        for pair in ZERO_SHOT_PAIRS
    ]
    _write_archive(folder / ZERO_SHOT_ARCHIVE.name, ZERO_SHOT, zero_shot)
    return {
        path.name: (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.iterdir()
    }


ZERO_SHOT_PAIRS = opus100.Opus100Corpus().zero_shot_pairs()


@lru_cache(maxsize=110)
def phrases(language: str) -> List[str]:
    """Return 20,000 phrases of two to seven words, some far more frequent than others."""
    draw = random.Random(language)
    first, letters = SCRIPTS[0] if language == "en" else draw.choice(SCRIPTS)
    alphabet = [chr(first + n) for n in range(letters) if chr(first + n).isalpha()]
    longest = 3 if letters > 1000 else 9
    words = ["".join(draw.choices(alphabet, k=draw.randint(1, longest))) for _ in range(15_000)]
    weights = list(accumulate(1 / (n + 5) for n in range(len(words))))
    return [
        " ".join(draw.choices(words, cum_weights=weights, k=draw.randint(2, 7)))
        for _ in range(20_000)
    ]


def generate_pairs(pair: Pair, split: str, count: int) -> List[Tuple[str, str]]:
    """Return sentence pairs of two phrases and, mostly, a number."""
    draw, (left, right) = random.Random(f"{pair}{split}"), (phrases(language) for language in pair)
    numbers = (
        (draw.randrange(20_000), draw.randrange(20_000), f" {n}" if n % 4 else "")
        for n in range(count)
    )
    return [(f"{left[a]} {left[b]}{n}", f"{right[a]} {right[b]}{n}") for a, b, n in numbers]


def _write_archive(
    path: Path, part: str, texts: List[Tuple[Pair, str, List[Tuple[str, str]]]]
) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for pair, split, sentences in texts:
            for side, language in enumerate(pair):
                content = "".join(f"{sentence[side]}\n" for sentence in sentences).encode()
                info = tarfile.TarInfo(
                    str(corpus_file(Path(opus100.ARCHIVE_ROOT), pair, split, language, part))
                )
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing: stderr is for progress."""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder's files; yield their address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@contextlib.contextmanager
def published_at(address: str, files: Dict[str, Tuple[int, str]]) -> Iterator[None]:
    """Replace the published archives by these files."""

    def moved(file: RemoteFile) -> RemoteFile:
        size, digest = files[file.name]
        return replace(file, urls=(address + file.name,), size=size, checksum=f"sha256:{digest}")

    before, zero_shot = dict(opus100.ARCHIVES), opus100.ZERO_SHOT_ARCHIVE
    opus100.ARCHIVES.update({pair: moved(file) for pair, file in before.items()})
    opus100.ZERO_SHOT_ARCHIVE = moved(zero_shot)
    try:
        yield
    finally:
        opus100.ARCHIVES.update(before)
        opus100.ZERO_SHOT_ARCHIVE = zero_shot


if __name__ == "__main__":
    sys.exit(main())

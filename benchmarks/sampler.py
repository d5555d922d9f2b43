"""Time and memory to set up an epoch of OPUS-100: stock fairseq's task against ours.

Each run is a process of its own on generated index files (99 languages with English, both
directions). It measures the task with its dictionaries; epoch 1, from load_dataset("train") through
get_batch_iterator until next_epoch_itr returns; reading and collating the first batch; and epoch 2
in the same way. Stock needs 10 GB at the full size; if that does not fit, --stock-examples runs
both at another size as well. Flags after -- go to both tasks, such as:

    scripts/benchmark.sh sampler -- --sampling-method temperature --sampling-temperature 5
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from fairseq import options, tasks

from benchmarks.index_files import PAIRS, languages, write_corpus
from deepnet_fairseq.training import task as _task  # noqa: F401  (registers the task)

STOCK, OURS = "translation_multi_simple_epoch", "translation_multi_deepnet"
MAX_TOKENS, MAX_POSITIONS, SEED = 4096, 256, 1
GIB = 2**30


def set_up_epochs(name: str, data: str, flags: Sequence[str]) -> Dict[str, float]:
    """Set up the task and two epochs in this process.

    Returns:
        Their seconds, wall-clock and CPU, and the epochs' numbers of batches.
    """
    pairs = ",".join(f"en-{language},{language}-en" for language in languages())
    words = [
        data,
        "--task",
        name,
        "--langs",
        ",".join(["en", *languages()]),
        "--lang-pairs",
        pairs,
        "--encoder-langtok",
        "tgt",
    ]
    parser = options.get_training_parser()
    args = options.parse_args_and_arch(
        parser, [*words, "--max-tokens", str(MAX_TOKENS), "--arch", "transformer", *flags]
    )
    args.max_source_positions = args.max_target_positions = MAX_POSITIONS
    values, start = {}, time.perf_counter()
    task = tasks.setup_task(args)
    values["task"] = time.perf_counter() - start
    for epoch in (1, 2):
        start, cpu_start = time.perf_counter(), time.process_time()
        if epoch == 1:
            task.load_dataset("train", epoch=epoch, combine=True)
        iterator = task.get_batch_iterator(
            task.dataset("train"),
            max_tokens=MAX_TOKENS,
            max_positions=(MAX_POSITIONS, MAX_POSITIONS),
            ignore_invalid_inputs=True,
            required_batch_size_multiple=8,
            seed=SEED,
            epoch=epoch,
        )
        batches = iterator.next_epoch_itr()
        values[f"epoch {epoch}"] = time.perf_counter() - start
        values[f"epoch {epoch} CPU"] = time.process_time() - cpu_start
        start = time.perf_counter()
        next(batches)
        values[f"first batch {epoch}"] = time.perf_counter() - start
        values[f"batches {epoch}"] = len(batches)
        del iterator, batches  # as fairseq-train does at the end of an epoch
    return values


def measure(name: str, data: Path, flags: Sequence[str]) -> Optional[Dict[str, float]]:
    """Return set_up_epochs of a fresh process, with its peak memory in GiB.

    Returns:
        The values, among them `peak` (all memory) and `anonymous` (without pages of files); None if
        the process was killed.
    """
    command = [
        sys.executable,
        "-m",
        "benchmarks.sampler",
        "--process",
        name,
        str(data),
        "--",
        *flags,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
        # If memory runs out, the kernel shall kill this process before any other.
        Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")
        anonymous = _watch(process)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode == -9:
            return None
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed:\n{log.read()[-3000:]}")
    return {
        **json.loads(output),
        "peak": usage.ru_maxrss * 1024 / GIB,
        "anonymous": anonymous / GIB,
    }


def _watch(process: subprocess.Popen) -> int:
    """Return the peak of anonymous memory in bytes, by polling: the kernel keeps the total's."""
    peak = 0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                peak = max(peak, int(line.split()[1]) * 1024)
        time.sleep(0.02)
    return peak


def row(
    name: str, examples: int, runs: List[Optional[Dict[str, float]]]
) -> Tuple[List[str], Dict[str, float]]:
    """Return a row of the table and its medians."""
    done = [run for run in runs if run]
    if not done:
        return [name, f"{examples:,}", "0", "killed: out of memory", "", "", "", "", "", ""], {}
    medians = {key: statistics.median(run[key] for run in done) for key in done[0]}
    values = [
        f"{medians[key]:.1f}"
        for key in ("task", "epoch 1", "epoch 1 CPU", "first batch 1", "epoch 2")
    ]
    memory = [f"{medians[key]:.2f}" for key in ("peak", "anonymous")]
    return [name, f"{examples:,}", str(len(done)), *values, *memory], medians


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Measure, and print a table."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    words, flags = (
        (words[: words.index("--")], words[words.index("--") + 1 :])
        if "--" in words
        else (words, [])
    )
    args = make_parser().parse_args(words)
    if args.process:
        print(json.dumps(set_up_epochs(*args.process, flags)))
        return
    table, medians = [], {}
    with tempfile.TemporaryDirectory() as root:
        for examples in sorted({args.stock_examples, args.examples} - {0}):
            data = Path(root) / str(examples)
            _log(f"writing index files of {examples:,} directed examples")
            directed = 2 * sum(write_corpus(data, examples // 2, args.vocabulary).values())
            plan = [(STOCK, args.stock_repeats)] if examples == args.stock_examples else []
            for name, repeats in [*plan, (OURS, args.repeats)]:
                runs = []
                for number in range(repeats):
                    _log(f"{name}, {directed:,} directed examples, run {number + 1} of {repeats}")
                    runs.append(measure(name, data, flags))
                line, medians[name, examples] = row(name, directed, runs)
                table.append(line)
    _print(table, medians, args.stock_examples, flags)


def _print(
    table: List[List[str]],
    medians: Dict[Tuple[str, int], Dict[str, float]],
    stock_examples: int,
    flags: Sequence[str],
) -> None:
    header = [
        "task",
        "directed examples",
        "runs",
        "task s",
        "epoch 1 s",
        "its CPU s",
        "first batch s",
        "epoch 2 s",
        "peak GiB",
        "anonymous GiB",
    ]
    print(
        f"flags: {' '.join(flags) or '(none)'}; medians; peak: ru_maxrss of the process, "
        "of which anonymous: not pages of files\n"
    )
    for line in [header, ["---"] * len(header), *table]:
        print("| " + " | ".join(line) + " |")
    stock, ours = (medians.get((name, stock_examples)) for name in (STOCK, OURS))
    if stock and ours:
        keys = ("task", "epoch 1", "epoch 1 CPU", "epoch 2", "peak", "anonymous")
        ratios = ", ".join(f"{key} {stock[key] / ours[key]:.1f}" for key in keys)
        print(f"\nstock / ours at {stock_examples:,}: {ratios}")


def make_parser() -> argparse.ArgumentParser:
    """Return the benchmark's parser."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="benchmark.sh sampler", description=__doc__, formatter_class=form, allow_abbrev=False
    )
    parser.add_argument(
        "--examples",
        type=int,
        default=2 * PAIRS,
        help="directed examples for ours (default: %(default)s, OPUS-100)",
    )
    parser.add_argument(
        "--stock-examples",
        type=int,
        default=2 * PAIRS,
        help="the same for stock, with ours beside it (default: %(default)s; 0: no stock)",
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of ours (default: %(default)s)"
    )
    parser.add_argument(
        "--stock-repeats", type=int, default=1, help="runs of stock (default: %(default)s)"
    )
    parser.add_argument(
        "--vocabulary",
        type=int,
        default=64_000,
        help="entries per dictionary (default: %(default)s)",
    )
    parser.add_argument("--process", nargs=2, metavar=("TASK", "DATA"), help=argparse.SUPPRESS)
    return parser


def _log(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

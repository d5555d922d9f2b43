"""The console commands deepnet-prepare, deepnet-train, deepnet-evaluate and deepnet-compare.

They are the commands of scripts/*.sh. If fairseq is missing, they end with the one line that names
the command which installs it.
"""

import importlib
import os
import signal
import sys

# As in scripts/evaluate.sh.
MALLOC_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
MALLOC_THRESHOLD = "2147483647"


def prepare() -> int:
    """Run deepnet-prepare; return its exit status."""
    return run("prepare")


def train() -> int:
    """Run deepnet-train; return its exit status."""
    # It would end what runs before fairseq-train listens to it. What is ignored here is ignored
    # there.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    return run("train")


def evaluate() -> int:
    """Run deepnet-evaluate; return its exit status."""
    if not all(name in os.environ for name in MALLOC_VARIABLES):
        for name in MALLOC_VARIABLES:
            os.environ.setdefault(name, MALLOC_THRESHOLD)
        os.execv(sys.executable, [sys.executable, *sys.argv])  # a process reads them at its start
    return run("evaluate")


def compare() -> int:
    """Run deepnet-compare; return its exit status."""
    return run("compare")


def run(name: str) -> int:
    """Run a command of the package; return its exit status."""
    try:
        command = importlib.import_module(f"deepnet_fairseq.commands.{name}")
    except ImportError as error:
        print(f"deepnet-{name}: {error}", file=sys.stderr)
        return 1
    return command.main(prog=f"deepnet-{name}")

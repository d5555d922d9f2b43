"""Runs fairseq's commands, in the test's own process or in another; tiny training flags."""

import os
import subprocess
import sys
from typing import Any

import pytest

SMALL = (
    "--arch transformer --encoder-layers 2 --decoder-layers 1 "
    "--encoder-embed-dim 16 --decoder-embed-dim 16 "
    "--encoder-ffn-embed-dim 24 --decoder-ffn-embed-dim 24 "
    "--encoder-attention-heads 2 --decoder-attention-heads 2 "
    "--optimizer adam --lr 0.003 --max-tokens 200 "
    "--criterion label_smoothed_cross_entropy --label-smoothing 0.1 --cpu --num-workers 0"
).split()


def run_in_process(module: Any, *words: Any) -> None:
    """Run a module of fairseq_cli in this process, which saves the start of another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fairseq", *map(str, words)])
        module.cli_main()


def run_in_subprocess(name: str, *words: Any) -> subprocess.CompletedProcess:
    """Run a command of fairseq, such as `train`, in a process of its own, as a user does."""
    code = f"from fairseq_cli.{name} import cli_main; cli_main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done

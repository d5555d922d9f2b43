"""Runs the project's scripts, as a user does."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_script(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run one of the scripts in a folder, with this Python and one thread; it must succeed."""
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [ROOT / "scripts" / script, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done

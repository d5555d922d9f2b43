"""evaluate.sh lets its processes keep the memory that they free, unless the user says otherwise."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

ROOT = Path(__file__).parents[2]
VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
STUB = "#!/usr/bin/env bash\nenv | grep ^MALLOC_ >environment\n"
# Page faults of twenty blocks of 64 MiB, each written and freed before the next.
FAULTS = """
import resource
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
for _ in range(20):
    block = bytearray(b"x") * (64 << 20)
    del block
print(faults() - before)
"""


def environment_of_command(folder: Path, **given: str) -> Dict[str, str]:
    stub = folder / "python"
    stub.write_text(STUB)
    stub.chmod(0o755)
    (folder / "config.yaml").touch()
    inherited = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    subprocess.run(
        [ROOT / "scripts" / "evaluate.sh", "config.yaml"],
        cwd=folder,
        env={**inherited, "PYTHON": str(stub), **given},
        check=True,
    )
    lines = (folder / "environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def page_faults(variables: Dict[str, str]) -> int:
    inherited = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_a_value_of_the_users_is_kept(tmp_path: Path) -> None:
    environment = environment_of_command(tmp_path, MALLOC_TRIM_THRESHOLD_="4096")
    assert environment["MALLOC_TRIM_THRESHOLD_"] == "4096"
    assert set(environment) >= set(VARIABLES)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries ignore it")
def test_memory_that_is_freed_is_used_again(tmp_path: Path) -> None:
    variables = environment_of_command(tmp_path)
    assert sorted(variables) == sorted(VARIABLES)
    assert page_faults(variables) < page_faults({}) / 5

"""Fixtures of the tests of fairseq's patches and of the environment they are installed in.

A test of a patch is marked with the patch's name; `test_fairseq_patches.py` checks that none lacks
a test.
"""

import random
import sys
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from support.fairseq_commands import SMALL, run_in_process, run_in_subprocess

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known to --strict-markers."""
    config.addinivalue_line(
        "markers", "patch(name): shows that the defect which this patch of fairseq mends is gone"
    )


@pytest.fixture(scope="session")
def in_process() -> Callable[..., None]:
    """Return `run_in_process`."""
    return run_in_process


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory, in_process: Callable[..., None]) -> Path:
    """Binary data of 60 sentences in aa and bb, over one dictionary."""
    from fairseq_cli import preprocess

    root, draw = tmp_path_factory.mktemp("toy"), random.Random(3)
    for split, size in (("train", 60), ("valid", 9), ("test", 7)):
        sentences = [
            " ".join(draw.choice("klmnop") for _ in range(draw.randint(2, 8))) for _ in range(size)
        ]
        (root / f"{split}.aa").write_text("\n".join(sentences) + "\n")
        (root / f"{split}.bb").write_text(
            "\n".join(sentence[::-1] for sentence in sentences) + "\n"
        )
    prefixes = [f"--{split}pref={root / split}" for split in ("train", "valid", "test")]
    in_process(
        preprocess,
        "-s",
        "aa",
        "-t",
        "bb",
        *prefixes,
        "--destdir",
        root / "bin",
        "--joined-dictionary",
    )
    return root / "bin"


@pytest.fixture(scope="session")
def journey(tmp_path_factory: pytest.TempPathFactory, toy_data: Path) -> Dict[str, Any]:
    """The output of a training of stock `transformer`, of its resumption, and of a translation."""
    folder = tmp_path_factory.mktemp("journey")
    training = [
        toy_data,
        *SMALL,
        "--save-dir",
        folder,
        "--lr-scheduler",
        "inverse_sqrt",
        "--warmup-updates",
        "4",
    ]
    return {
        "folder": folder,
        "train": run_in_subprocess("train", *training, "--max-epoch", 1),
        "resume": run_in_subprocess("train", *training, "--max-epoch", 2),
        "generate": run_in_subprocess(
            "generate",
            toy_data,
            "--path",
            folder / "checkpoint_last.pt",
            "--beam",
            2,
            "--cpu",
            "--num-workers",
            0,
        ),
    }

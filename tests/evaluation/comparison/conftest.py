"""Three runs to compare. Puts the reporting room on the path too: its browser, and its reports of OPUS-100's size."""

import sys
from pathlib import Path

import pytest
from comparison_runs import make_run

sys.path.insert(0, str(Path(__file__).parents[1] / "reporting"))


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs `weak`, `strong` and `middle` on one corpus of ten directions."""
    folder = tmp_path_factory.mktemp("runs")
    for name, quality in (("weak", 0.5), ("strong", 0.8), ("middle", 0.55)):
        make_run(folder, name, quality)
    return folder

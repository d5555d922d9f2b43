"""Three runs to compare."""

from pathlib import Path

import pytest
from support.comparison_runs import make_run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs `weak`, `strong` and `middle` on one corpus of ten directions."""
    folder = tmp_path_factory.mktemp("runs")
    for name, quality in (("weak", 0.5), ("strong", 0.8), ("middle", 0.55)):
        make_run(folder, name, quality)
    return folder

"""Fixtures of the studies' tests."""

from pathlib import Path

import pytest
from support.cldr_toy import toy, write_config  # noqa: F401  (a fixture)

from deepnet_fairseq.config.recipe import Recipe


@pytest.fixture
def toy_config(toy: Recipe, tmp_path: Path) -> Path:  # noqa: F811
    """A config of this test alone on the prepared data."""
    return write_config(tmp_path, toy.data_dir)

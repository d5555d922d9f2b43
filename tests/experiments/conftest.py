"""Fixtures of the stability's tests."""

from pathlib import Path

import pytest
from support.stability_runs import write_config

from deepnet_fairseq.commands.prepare import prepare
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.parallel import Jobs


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The toy config with its data prepared; trainings write elsewhere."""
    folder = tmp_path_factory.mktemp("toy")
    recipe = load_recipe(write_config(folder, folder / "data"))
    prepare(recipe, Downloads(folder), Jobs())
    return recipe


@pytest.fixture
def toy_config(toy: Recipe, tmp_path: Path) -> Path:
    """A config of this test alone on the prepared data."""
    return write_config(tmp_path, toy.data_dir)

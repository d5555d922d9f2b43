"""The wheel: version, requirements, build."""

import configparser
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import fairseq
import fairseq_edits
import pytest
from pip._vendor.packaging.requirements import Requirement


@pytest.mark.edit("version")
def test_version_tells_the_edited_fairseq_from_the_stock_one() -> None:
    assert (
        fairseq.__version__
        == metadata.version("fairseq")
        == fairseq_edits.VERSION
        == "0.12.2+deepnet.1"
    )


@pytest.mark.edit("requirements")
def test_requirements_are_what_text_needs_in_versions_that_pip_can_find() -> None:
    requirements = {r.name: r.specifier for r in map(Requirement, metadata.requires("fairseq"))}
    assert not requirements.keys() & {"torchaudio", "scikit-learn", "cython", "cffi"}
    assert requirements["omegaconf"].contains("2.3.0") and not requirements["omegaconf"].contains(
        "2.0.6"
    )
    assert requirements["hydra-core"].contains("1.3.2") and not requirements["hydra-core"].contains(
        "1.0.7"
    )
    assert requirements["torch"].contains("2.6.0") and not requirements["torch"].contains("2.5.1")
    assert all(str(specifier) for specifier in requirements.values())


@pytest.mark.edit("requirements")
def test_requirements_are_met() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert "fairseq" not in done.stdout


@pytest.mark.edit("parallel-build")
def test_extension_modules_are_compiled_side_by_side(tmp_path: Path) -> None:
    edit = next(edit for edit in fairseq_edits.EDITS if edit.name == "parallel-build")
    (tmp_path / edit.file).write_text("[egg_info]\ntag_date = 0\n")
    edit.apply(tmp_path)
    parsed = configparser.ConfigParser()
    parsed.read(tmp_path / edit.file)
    assert parsed.getint("build_ext", "parallel") == 3  # fairseq has three of them
    assert parsed.getint("egg_info", "tag_date") == 0

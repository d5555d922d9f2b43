"""The wheel: version, requirements, build."""

import configparser
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import fairseq
import fairseq_patches
import pytest
from pip._vendor.packaging.requirements import Requirement


@pytest.mark.patch("version")
def test_version_tells_the_patched_fairseq_from_the_stock_one() -> None:
    assert (
        fairseq.__version__
        == metadata.version("fairseq")
        == fairseq_patches.VERSION
        == "0.12.2+deepnet.2"
    )


@pytest.mark.patch("requirements")
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


@pytest.mark.patch("requirements")
def test_requirements_are_met() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert "fairseq" not in done.stdout


@pytest.mark.patch("parallel-build")
def test_extension_modules_are_compiled_side_by_side(tmp_path: Path) -> None:
    [patch] = [p for p in fairseq_patches.read_series() if p.name == "parallel-build"]
    before = "\n\n[flake8]\nextend-ignore = E203, W503\n"
    before += "extend-exclude = fairseq/model_parallel/megatron\n\n"
    (tmp_path / "setup.cfg").write_text(before + "[egg_info]\ntag_build = \ntag_date = 0\n")
    fairseq_patches.apply(patch, tmp_path, fairseq_patches.find_tool())
    parsed = configparser.ConfigParser()
    parsed.read(tmp_path / "setup.cfg")
    assert parsed.getint("build_ext", "parallel") == 3  # fairseq has three of them
    assert parsed.getint("egg_info", "tag_date") == 0

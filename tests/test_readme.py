"""What the README tells people to type is accepted, and its tables agree with the code."""

import re
import shlex
from pathlib import Path
from typing import List

import pytest
from fairseq import options

from deepnet_fairseq.network.architectures import ARCHITECTURES
from deepnet_fairseq.recipe import load_recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> List[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> List[List[str]]:
    lines = "".join(blocks("bash")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


@pytest.mark.parametrize("words", [c for c in commands() if c[0].startswith("scripts/")], ids=" ".join)
def test_scripts_and_configs_that_are_named_exist(words: List[str]) -> None:
    script = ROOT / words[0]
    assert script.is_file() and script.stat().st_mode & 0o111
    for word in words[1:]:
        if word.startswith("configs/"):
            assert (ROOT / word).is_file()


@pytest.mark.parametrize("name", ["train", "generate"])
def test_bare_fairseq_commands_are_accepted_by_fairseqs_parser(name: str) -> None:
    [words] = [c[1:] for c in commands() if c[0] == f"fairseq-{name}"]
    args = options.parse_args_and_arch(
        getattr(options, f"get_{'training' if name == 'train' else 'generation'}_parser")(), input_args=words
    )
    assert args.user_dir == "deepnet_fairseq"


def test_the_config_for_ones_own_text_is_accepted(tmp_path: Path) -> None:
    [text] = blocks("yaml")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("base.yaml", str(ROOT / "configs/base.yaml")))
    recipe = load_recipe(path)
    assert recipe.supervised_pairs == [("de", "en"), ("en", "fr")]
    assert recipe.zero_shot_pairs == [("de", "fr")]


def test_every_architecture_that_fairseq_can_name_is_in_the_table() -> None:
    listed = set(re.findall(r"^\| `(deepnet_transformer\w*)` \|", README, re.MULTILINE))
    # The two that only hold a family's dropout and sharing are parents of those listed.
    assert set(ARCHITECTURES) - listed == {"deepnet_transformer_wmt17", "deepnet_transformer_opus100"}
    assert listed <= set(ARCHITECTURES)


def test_every_shipped_config_is_listed() -> None:
    assert set(re.findall(r"^\| `(\w+\.yaml)` \|", README, re.MULTILINE)) == {p.name for p in (ROOT / "configs").glob("*.yaml")}

"""What the README tells people to type is accepted, and its tables agree with the code."""

import fnmatch
import importlib
import re
import shlex
from pathlib import Path
from typing import List

import pytest
from fairseq import options

from deepnet_fairseq.commands import train
from deepnet_fairseq.config.recipe import load_recipe
from deepnet_fairseq.data.corpora import CORPORA
from deepnet_fairseq.network.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> List[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> List[List[str]]:
    lines = "".join(blocks("bash")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


@pytest.mark.parametrize(
    "words", [c for c in commands() if c[0].startswith("scripts/")], ids=" ".join
)
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
        getattr(options, f"get_{'training' if name == 'train' else 'generation'}_parser")(),
        input_args=words,
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
    assert set(ARCHITECTURES) - listed == {
        "deepnet_transformer_wmt17",
        "deepnet_transformer_opus100",
    }
    assert listed <= set(ARCHITECTURES)


def test_every_shipped_config_is_listed_once() -> None:
    patterns = re.findall(r"^\| `([\w*]+\.yaml)` \|", README, re.MULTILINE)
    shipped = {path.name for path in (ROOT / "configs").glob("*.yaml")}
    found = [name for pattern in patterns for name in fnmatch.filter(shipped, pattern)]
    assert sorted(found) == sorted(shipped)
    assert all(fnmatch.filter(shipped, pattern) for pattern in patterns)


def test_every_kind_of_corpus_is_listed() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)) >= set(CORPORA)


@pytest.mark.parametrize("words", [c for c in commands() if c[0] == "sbatch"], ids=" ".join)
def test_slurm_scripts_that_are_named_exist(words: List[str]) -> None:
    named = [word for word in words[1:] if not word.startswith("--")]
    assert all((ROOT / word).is_file() for word in named) and len(named) == 2


@pytest.mark.parametrize(
    "words", [c for c in commands() if c[0] == "scripts/benchmark.sh"], ids=" ".join
)
def test_benchmarks_take_the_options_that_are_named(words: List[str]) -> None:
    module = importlib.import_module(f"benchmarks.{words[1]}")
    own = words[2 : words.index("--")] if "--" in words else words[2:]
    module.make_parser().parse_args(own)


@pytest.mark.parametrize(
    "words", [c for c in commands() if c[0] == "scripts/train.sh"], ids=" ".join
)
def test_train_takes_the_flags_that_are_named(
    words: List[str], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert train.main([*words[1:], "--dry-run"]) == 0
    assert "fairseq-train" in capsys.readouterr().out

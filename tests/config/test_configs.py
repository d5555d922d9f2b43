"""Every shipped config: commands that fairseq accepts, equal tokens per update, the paper's values.

The commands are dry runs for 1, 8 and 64 GPUs.
"""

import os
import re
import shlex
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import pytest
import torch
from fairseq.options import get_training_parser
from omegaconf import OmegaConf

from deepnet_fairseq.commands import train
from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.config.yaml_file import find_config, read_config

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
SHIPPED = {path.stem: path for path in sorted(CONFIGS.glob("*/*.yaml"))}
ALL = {**SHIPPED, **{path.stem: path for path in sorted(ROOT.glob("experiments/configs/*.yaml"))}}
GPUS = (1, 8, 64)
PER_MACHINE = 8

# The paper's appendix ("Hyperparameters"), by the names of fairseq-train's options.
EVERYWHERE = dict(
    optimizer="adam",
    adam_betas="(0.9, 0.98)",
    lr_scheduler="inverse_sqrt",
    warmup_init_lr=1e-7,
    criterion="label_smoothed_cross_entropy",
    label_smoothing=0.1,
    fp16=True,  # "mixed precision"
    residual_scheme="deepnorm",
    deepnorm_encoder_gain="paper",
)
BASE_SIZES = dict(encoder_embed_dim=512, encoder_ffn_embed_dim=2048, encoder_attention_heads=8)
LARGE_SIZES = dict(encoder_embed_dim=1024, encoder_ffn_embed_dim=4096, encoder_attention_heads=16)


class Family(NamedTuple):
    """The configs of one column of the appendix.

    Their layers per side, the tokens of an update, and options of fairseq-train.
    """

    layers: Dict[str, int]
    tokens: int
    options: Dict[str, Any]


WMT17 = Family(
    {f"wmt17_en_de_{n}l_{n}l": n for n in (6, 18, 50, 100)},
    128 * 4096,
    dict(
        lr=1.5e-3,
        warmup_updates=4000,
        max_update=100_000,
        adam_eps=1e-8,
        clip_norm=0.0,
        dropout=0.4,
        weight_decay=1e-4,
        **BASE_SIZES,
    ),
)
IWSLT14 = Family(
    {f"iwslt14_de_en_{n}l_{n}l": n for n in range(10, 101, 10)},
    4000,
    dict(
        lr=5e-4,
        warmup_updates=4000,
        max_update=8000,
        adam_eps=1e-8,
        clip_norm=0.0,
        dropout=0.4,
        weight_decay=1e-4,
        **BASE_SIZES,
    ),
)
OPUS100 = Family(
    {f"opus100_{2 * n}l": n for n in (6, 10, 50, 100, 500)},
    128 * 4096,
    dict(
        lr=5e-4,
        warmup_updates=4000,
        max_epoch=4,
        max_update=0,
        adam_eps=1e-8,
        clip_norm=0.0,
        dropout=0.1,
        weight_decay=0.0,
        **BASE_SIZES,
    ),
)
M2M102 = Family(
    {"m2m102_200l": 100},
    256 * 4096,
    dict(
        lr=5e-4,
        warmup_updates=6000,
        max_update=260_000,
        adam_eps=1e-6,
        clip_norm=1.0,
        dropout=0.1,
        weight_decay=0.0,
        **LARGE_SIZES,
    ),
)
FAMILIES = (WMT17, IWSLT14, OPUS100, M2M102)
CELLS = [(name, family) for family in FAMILIES for name in family.layers]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU, and lists of bitexts for the configs that need the user's own."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("M2M_BITEXTS", str(tmp_path))
    pairs = [("de", "en"), ("de", "fr"), ("en", "zh")]
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(
            "".join(f"{a}-{b}\t{split}.{a}\t{split}.{b}\n" for a, b in pairs)
        )


def dry_run(name: str, gpus: int, capsys: pytest.CaptureFixture) -> List[str]:
    """The words of the command that train.sh would run on so many GPUs."""
    assert train.main([str(SHIPPED[name]), "--gpus", str(gpus), "--dry-run"]) == 0
    return shlex.split(capsys.readouterr().out)


def parse(words: List[str]) -> Namespace:
    """Parse a command with fairseq-train's own parser; FlagError if that rejects it."""
    return parse_flags(get_training_parser(), words[words.index("fairseq-train") + 1 :])


def launched(words: List[str]) -> int:
    """How many processes a command starts, on all machines."""
    if words[0] == "fairseq-train":
        return 1

    def value(flag: str, default: str) -> int:
        return int(words[words.index(flag) + 1] if flag in words else default)

    assert words[0] == "torchrun"
    return value("--nnodes", "1") * value("--nproc-per-node", "1")


def test_there_is_a_config_for_every_cell() -> None:
    assert {name for name, _ in CELLS} < set(SHIPPED)
    assert {"cldr_quickstart", "cldr_100_languages", "multi30k"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_update_has_the_same_tokens_on_1_8_and_64_gpus(
    name: str, capsys: pytest.CaptureFixture
) -> None:
    tokens = load_recipe(SHIPPED[name]).tokens_per_update
    assert tokens is not None
    for gpus in GPUS:
        words = dry_run(name, gpus, capsys)
        args = parse(words)
        [update_freq] = args.update_freq
        assert launched(words) == gpus
        total = gpus * args.max_tokens * update_freq
        if tokens % (gpus * update_freq) == 0:
            assert total == tokens
        else:  # no whole number gives it: each part of the update is off by half a token at most
            assert abs(total - tokens) <= gpus * update_freq / 2


@pytest.mark.parametrize(("name", "family"), CELLS, ids=[name for name, _ in CELLS])
def test_the_options_are_the_papers(
    name: str, family: Family, capsys: pytest.CaptureFixture
) -> None:
    args = parse(dry_run(name, 8, capsys))
    expected = {**EVERYWHERE, **family.options, "lr": [family.options["lr"]]}
    expected |= {"encoder_layers": family.layers[name], "decoder_layers": family.layers[name]}
    for side in ("embed_dim", "ffn_embed_dim", "attention_heads"):
        expected[f"decoder_{side}"] = expected[f"encoder_{side}"]
    assert {option: getattr(args, option) for option in expected} == expected
    assert load_recipe(SHIPPED[name]).tokens_per_update == family.tokens


@pytest.mark.parametrize(
    "family", FAMILIES, ids=["WMT-17", "IWSLT-14", "OPUS-100", "102 languages"]
)
def test_depths_share_their_data_and_nothing_else(family: Family) -> None:
    recipes = [load_recipe(SHIPPED[name]) for name in family.layers]
    assert len({recipe.data_dir for recipe in recipes}) == 1
    assert len({recipe.work_dir for recipe in recipes}) == len(recipes)
    for recipe in recipes[1:]:
        assert what_data_depend_on(recipe) == what_data_depend_on(recipes[0])


def what_data_depend_on(recipe: Recipe) -> List[Any]:
    return [recipe.kind, recipe.corpus, recipe.cleaning, recipe.vocabulary, recipe.binarization]


DIRECTIONS = {"wmt17_en_de_6l_6l": ["en-de"], "iwslt14_de_en_10l_10l": ["de-en"]}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_bilingual_models_are_trained_in_the_papers_direction_alone(name: str) -> None:
    recipe = load_recipe(SHIPPED[name])
    assert recipe.directions == DIRECTIONS[name]
    assert {f"{d.source}-{d.target}" for d in recipe.test_directions} == set(DIRECTIONS[name])


def test_opus100_is_trained_in_198_directions_and_tested_in_188_and_30() -> None:
    recipe = load_recipe(SHIPPED["opus100_12l"])
    assert len(recipe.directions) == 198
    directions = recipe.test_directions
    zero_shot = {frozenset(pair) for pair in recipe.zero_shot_pairs}
    assert sum({d.source, d.target} not in zero_shot for d in directions) == 188
    assert sum({d.source, d.target} in zero_shot for d in directions) == 30


@pytest.mark.parametrize("name", SHIPPED)
def test_a_config_opens_with_what_it_is_and_how_to_launch_it(name: str) -> None:
    text = SHIPPED[name].read_text(encoding="utf-8")
    header = re.match(r"(# .*\n)+", text)
    assert header and "Launch:" in header[0]
    assert len(max(text.splitlines(), key=len)) <= 100
    names = {path.name for path in [*SHIPPED.values(), CONFIGS / "base.yaml"]}
    assert set(re.findall(r"\w+\.yaml", text)) <= names
    for config in re.findall(r"configs/[\w/]+\.yaml", text):
        assert (ROOT / config).is_file()


def leaves(config: Dict[str, Any], *parents: str) -> Dict[str, Any]:
    """Return the values of nested mappings by their dotted keys."""
    values: Dict[str, Any] = {}
    for key, value in config.items():
        name = ".".join([*parents, str(key)])
        values |= leaves(value, name) if isinstance(value, dict) else {name: value}
    return values


@pytest.mark.parametrize("name", ALL)
def test_a_config_restates_no_value_of_the_one_it_extends(name: str) -> None:
    path = ALL[name]
    own = OmegaConf.to_container(OmegaConf.load(path))
    parent = read_config(path.parent / own.pop("extends"), seen=[])
    inherited = leaves(OmegaConf.to_container(parent))
    restated = [
        key for key, value in leaves(own).items() if key in inherited and inherited[key] == value
    ]
    assert restated == []


def test_a_name_is_one_config_alone() -> None:
    """A run folder is named after its config."""
    paths = [*CONFIGS.glob("*/*.yaml"), *ROOT.glob("experiments/configs/*.yaml")]
    assert len(paths) == len(ALL) == 25


@pytest.mark.parametrize("name", ALL)
def test_the_old_path_of_a_config_still_works_and_says_the_new_one(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    old = CONFIGS / f"{name}.yaml"
    new = find_config(old)
    assert new.samefile(ALL[name])
    assert caplog.messages == [f"{old} has moved to {new}; use the new path"]
    assert find_config(new) == new


@pytest.mark.parametrize("folder", ["configs", "..", "elsewhere"])
def test_a_config_of_the_users_may_extend_an_old_path(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "project/configs"
    shutil.copytree(CONFIGS, copy)
    users = {"configs": copy, "..": copy.parent, "elsewhere": tmp_path / "a/b"}[folder]
    users.mkdir(parents=True, exist_ok=True)
    parent = Path(os.path.relpath(copy, users)) / "opus100_200l.yaml"
    (users / "mine.yaml").write_text(f"extends: {parent}\nwork_dir: here\n")
    monkeypatch.chdir(users)
    recipe = load_recipe(Path("mine.yaml"))
    assert (recipe.path, recipe.work_dir) == (Path("mine.yaml"), Path("here"))
    assert recipe.training == load_recipe(SHIPPED["opus100_200l"]).training
    [message] = caplog.messages
    assert message.endswith("configs/opus100/opus100_200l.yaml; use the new path") or (
        folder == "configs" and message.endswith(" opus100/opus100_200l.yaml; use the new path")
    )

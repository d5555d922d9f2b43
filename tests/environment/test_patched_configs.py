"""fairseq's configuration on Python 3.11 and hydra 1.3."""

import argparse
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, List

import pytest
from fairseq import options, utils
from fairseq.dataclass.configs import FairseqConfig
from fairseq.dataclass.initialize import hydra_init
from fairseq.dataclass.utils import convert_namespace_to_omegaconf, gen_parser_from_dataclass
from fairseq.models.transformer import TransformerConfig
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig
from support.fairseq_commands import SMALL, run_in_subprocess

GROUPS = (
    "bmuf checkpoint common common_eval dataset distributed_training ema eval_lm generation "
    "interactive optimization"
).split()


def parse(words: List[str]) -> argparse.Namespace:
    """Return what fairseq-train makes of a command line."""
    return options.parse_args_and_arch(options.get_training_parser(), input_args=words)


@pytest.mark.patch("config-default-factories")
def test_each_fairseq_config_has_groups_of_its_own() -> None:
    first, second = FairseqConfig(), FairseqConfig()
    first.common.seed = 1234
    assert second.common.seed == FairseqConfig().common.seed == 1
    assert sorted(f.name for f in fields(FairseqConfig) if f.name in GROUPS) == GROUPS
    assert all(getattr(first, group) is not getattr(second, group) for group in GROUPS)


@pytest.mark.patch("config-default-factories")
def test_each_transformer_config_has_parts_of_its_own() -> None:
    first, second = TransformerConfig(), TransformerConfig()
    first.encoder_layers, first.decoder.layers, first.quant_noise.pq = 12, 14, 0.5
    assert (second.encoder.layers, second.decoder_layers, second.quant_noise.pq) == (6, 6, 0.0)


@pytest.mark.patch("config-default-factories")
def test_stock_transformer_has_its_defaults_on_the_command_line() -> None:
    args = parse(["data", "--arch", "transformer", "--encoder-layers", "3"])
    defaults = (
        args.encoder_layers,
        args.decoder_layers,
        args.encoder_embed_dim,
        args.decoder_ffn_embed_dim,
        args.decoder_attention_heads,
    )
    assert defaults == (3, 6, 512, 2048, 8)


@dataclass
class WiderConfig(TransformerConfig):
    """What a plugin's model does."""

    width: int = field(default=12, metadata={"help": "a field of the plugin's own"})


@pytest.mark.patch("config-default-factories")
def test_dataclass_that_derives_from_transformer_config_reaches_the_command_line() -> None:
    parser = argparse.ArgumentParser()
    gen_parser_from_dataclass(parser, WiderConfig(), with_prefix="")
    args = parser.parse_args(["--decoder-layers", "4", "--quant-noise-pq", "0.25"])
    assert (args.width, args.encoder_layers, args.decoder_layers, args.quant_noise_pq) == (
        12,
        6,
        4,
        0.25,
    )
    config = WiderConfig.from_namespace(args)
    assert (config.width, config.encoder.layers, config.decoder.layers) == (12, 6, 4)


@pytest.mark.patch("config-default-factories")
@pytest.mark.parametrize("group", GROUPS)
def test_hydra_knows_the_defaults_of_every_group(group: str) -> None:
    hydra_init("some_config")
    node = ConfigStore.instance().load(f"{group}.yaml").node
    assert isinstance(node, DictConfig)
    assert set(node) == {f.name for f in fields(type(getattr(FairseqConfig(), group)))}


@pytest.mark.patch("hydra-compose-and-main")
def test_namespace_becomes_a_config_that_takes_new_keys_while_it_is_made() -> None:
    config = convert_namespace_to_omegaconf(parse(["data", *SMALL, "--seed", "77"]))
    assert (config.common.seed, config.optimizer._name, config.model.encoder_layers) == (
        77,
        "adam",
        2,
    )


@pytest.mark.patch("bf16-without-tpu")
@pytest.mark.parametrize(
    ("torch_xla", "tpu"),
    [(None, False), (object(), True)],
    ids=["without-torch-xla", "with-torch-xla"],
)
def test_bf16_asks_for_a_tpu_only_where_there_can_be_one(
    torch_xla: Any, tpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(utils, "xm", torch_xla)
    args = parse(["data", *SMALL, "--bf16"])
    assert (args.bf16, args.tpu) == (True, tpu)


@pytest.mark.patch("bf16-without-tpu")
def test_help_of_bf16_promises_a_tpu_only_with_torch_xla() -> None:
    assert "implies --tpu if torch_xla is there" in " ".join(
        options.get_training_parser().format_help().split()
    )


@pytest.mark.patch("hydra-compose-and-main")
@pytest.mark.patch("hydra-schema-warning")
@pytest.mark.patch("hydra-primary-config")
@pytest.mark.parametrize("step", ["train", "resume", "generate"])
def test_hydra_says_nothing_when_a_command_runs(step: str, journey: Dict[str, Any]) -> None:
    assert "hydra" not in journey[step].stderr.lower()


@pytest.mark.patch("hydra-compose-and-main")
@pytest.mark.patch("hydra-primary-config")
def test_hydra_train_trains_and_says_nothing(
    toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "valid"):
        (tmp_path / split).write_text("k l m n\no p k l\n" * 8)
    run_in_subprocess(
        "preprocess",
        "--only-source",
        "--trainpref",
        "train",
        "--validpref",
        "valid",
        "--destdir",
        "bin",
    )
    done = run_in_subprocess(
        "hydra_train",
        *(
            "task=language_modeling",
            f"task.data={tmp_path}/bin",
            "task.tokens_per_sample=32",
            "dataset.max_tokens=64",
        ),
        *(
            "model=transformer_lm",
            "model.decoder_layers=1",
            "model.decoder_embed_dim=12",
            "model.decoder_ffn_embed_dim=14",
        ),
        *(
            "model.decoder_attention_heads=2",
            "optimizer=adam",
            "optimization.max_update=2",
            "optimization.lr=[0.01]",
        ),
        *("common.cpu=true", f"checkpoint.save_dir={tmp_path}/checkpoints"),
    )
    assert (tmp_path / "checkpoints" / "checkpoint_last.pt").is_file()
    assert "Warning" not in done.stderr
    assert "hydra.cc" not in done.stderr

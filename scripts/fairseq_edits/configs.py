"""Configuration: dataclasses on Python 3.11, hydra 1.3, the option parser (rows 2, 3 and 8)."""

from typing import Tuple

from .edit import Edit, Replace

# field name -> dataclass of FairseqConfig's nested configurations
GROUPS = {
    "common": "CommonConfig",
    "common_eval": "CommonEvalConfig",
    "distributed_training": "DistributedTrainingConfig",
    "dataset": "DatasetConfig",
    "optimization": "OptimizationConfig",
    "checkpoint": "CheckpointConfig",
    "bmuf": "FairseqBMUFConfig",
    "generation": "GenerationConfig",
    "eval_lm": "EvalLMConfig",
    "interactive": "InteractiveConfig",
    "ema": "EMAConfig",
}


QUIET_SCHEMA_MATCHING = """\
# hydra 1.3 still validates a config by the schema of the same name, as fairseq relies on
warnings.filterwarnings(
    "ignore", message=r"\\s*'.*' is validated against ConfigStore schema with the same name"
)
"""


def factory(field_name: str, dataclass_name: str) -> Replace:
    """Return the change that makes one nested dataclass a default factory."""
    return Replace(
        f"    {field_name}: {dataclass_name} = {dataclass_name}()\n",
        f"    {field_name}: {dataclass_name} = field(default_factory={dataclass_name})\n",
    )


EDITS: Tuple[Edit, ...] = (
    Edit(
        name="config-default-factories",
        file="fairseq/dataclass/configs.py",
        why="Python 3.11 refuses a dataclass instance as a default: 'mutable default ... CommonConfig'",
        changes=tuple(
            factory(field_name, dataclass_name) for field_name, dataclass_name in GROUPS.items()
        ),
    ),
    Edit(
        name="transformer-config-default-factories",
        file="fairseq/models/transformer/transformer_config.py",
        why="Python 3.11 refuses a dataclass instance as a default: 'mutable default ... EncDecBaseConfig'",
        changes=(
            factory("encoder", "EncDecBaseConfig"),
            factory("decoder", "DecoderConfig"),
            Replace("field(default=QuantNoiseConfig())", "field(default_factory=QuantNoiseConfig)"),
        ),
    ),
    Edit(
        name="hydra-init-calls-factories",
        file="fairseq/dataclass/initialize.py",
        why="a field with a default factory has no default, and _MISSING_TYPE is no configuration",
        changes=(
            Replace(
                "from hydra.core.config_store import ConfigStore\n",
                "from dataclasses import MISSING\nfrom hydra.core.config_store import ConfigStore\n",
            ),
            Replace(
                "        v = FairseqConfig.__dataclass_fields__[k].default\n",
                "        v = FairseqConfig.__dataclass_fields__[k].default\n"
                "        if v is MISSING:\n"
                "            v = FairseqConfig.__dataclass_fields__[k].default_factory()\n",
            ),
        ),
    ),
    Edit(
        name="hydra-schema-warning",
        file="fairseq/dataclass/initialize.py",
        why="every run opened with hydra's advice to its developers about 'config' and its schema",
        changes=(
            Replace("import logging\n", "import logging\nimport warnings\n"),
            Replace("def hydra_init(", QUIET_SCHEMA_MATCHING + "\n\ndef hydra_init("),
        ),
    ),
    Edit(
        name="hydra-primary-config",
        file="fairseq/config/config.yaml",
        why="every run opened with hydra's warnings about a deprecated package header and an unspecified job.chdir",
        changes=(
            Replace("# @package _group_\n", ""),
            Replace("  run:\n    dir: .\n", "  run:\n    dir: .\n  job:\n    chdir: true\n"),
        ),
    ),
    Edit(
        name="hydra-compose",
        file="fairseq/dataclass/utils.py",
        why="hydra.experimental, strict= and an unspecified version_base are deprecated in hydra 1.3",
        changes=(
            Replace(
                "from hydra.experimental import compose, initialize\n",
                "from hydra import compose, initialize\n",
            ),
            Replace(
                "    with initialize(config_path=config_path):\n",
                '    with initialize(config_path=config_path, version_base="1.3"):\n',
            ),
            Replace(
                '            composed_cfg = compose("config", overrides=overrides, strict=False)\n',
                '            composed_cfg = compose("config", overrides=overrides)\n'
                "            OmegaConf.set_struct(composed_cfg, False)\n",
            ),
        ),
    ),
    Edit(
        name="hydra-main",
        file="fairseq_cli/hydra_train.py",
        why="an unspecified version_base is deprecated in hydra 1.3, and 1.1 announced to go in 1.4",
        changes=(
            Replace(
                '@hydra.main(config_path=os.path.join("..", "fairseq", "config"), config_name="config")\n',
                '@hydra.main(\n    config_path=os.path.join("..", "fairseq", "config"), config_name="config", version_base="1.3"\n)\n',
            ),
        ),
    ),
    Edit(
        name="bf16-without-tpu",
        file="fairseq/options.py",
        why="--bf16 set --tpu with it: 'NoneType' object has no attribute 'xla_device' on every other machine",
        changes=(
            Replace(
                "    if args.bf16:\n        args.tpu = True\n",
                "    if args.bf16 and utils.xm is not None:\n        args.tpu = True\n",
            ),
        ),
    ),
    Edit(
        name="bf16-help",
        file="fairseq/dataclass/configs.py",
        why="the help of --bf16 promised --tpu",
        changes=(
            Replace(
                '"use bfloat16; implies --tpu"',
                '"use bfloat16; implies --tpu if torch_xla is there"',
            ),
        ),
    ),
)

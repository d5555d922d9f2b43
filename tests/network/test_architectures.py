"""Named architectures through fairseq's own parser, their sizes against the paper's."""

from argparse import Namespace
from typing import Any, List

import pytest
import torch
from fairseq import options
from support.tiny_models import make_task
from torch import nn

from deepnet_fairseq.network.architectures import ARCHITECTURES
from deepnet_fairseq.network.model import DeepNetTransformer

# Parameters without embeddings, counted from the layer's formula; the paper reports 863M, 3.8B and
# 3.2B with embeddings.
BODY_PARAMETERS = {
    "deepnet_transformer": 44_138_496,
    "deepnet_transformer_wmt17_18l_18l": 132_415_488,
    "deepnet_transformer_wmt17_50l_50l": 367_820_800,
    "deepnet_transformer_wmt17_100l_100l": 735_641_600,
    "deepnet_transformer_opus100_12l": 44_138_496,
    "deepnet_transformer_tiny": 502_272,
    "deepnet_transformer_opus100_20l": 73_564_160,
    "deepnet_transformer_opus100_100l": 367_820_800,
    "deepnet_transformer_opus100_200l": 735_641_600,
    "deepnet_transformer_opus100_1000l": 3_678_208_000,
    "deepnet_transformer_m2m_200l_3b": 2_939_289_600,
}


def parse(*words: str) -> Namespace:
    task = [
        "data",
        "--task",
        "translation_multi_simple_epoch",
        "--langs",
        "en,de",
        "--lang-pairs",
        "en-de",
    ]
    parser = options.get_training_parser()
    return options.parse_args_and_arch(parser, input_args=[*task, *words])


def body_parameters(model: nn.Module) -> int:
    outside = {
        id(p) for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()
    }
    outside.add(id(model.decoder.output_projection.weight))
    return sum(p.numel() for p in model.parameters() if id(p) not in outside)


@pytest.mark.parametrize("name", BODY_PARAMETERS)
def test_body_parameters_equal_the_table_exactly(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the meta device has no storage to draw into
    monkeypatch.setattr(torch.Tensor, "normal_", lambda self, *_, **__: self)
    with torch.device("meta"):
        model = DeepNetTransformer.build_model(
            parse("--arch", name, "--no-token-positional-embeddings"), make_task()
        )
    assert body_parameters(model) == BODY_PARAMETERS[name]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_parses_and_ends_in_the_base(name: str) -> None:
    args = parse("--arch", name)
    assert args.residual_scheme == "deepnorm"
    assert args.deepnorm_encoder_gain == "paper"
    assert args.decoder_embed_dim == args.encoder_embed_dim
    assert args.decoder_layers == args.encoder_layers
    assert args.activation_fn == "relu"


def test_presets_hold_the_papers_sizes() -> None:
    sizes = (
        "encoder_layers",
        "encoder_embed_dim",
        "encoder_ffn_embed_dim",
        "encoder_attention_heads",
        "dropout",
    )
    expected = {
        "deepnet_transformer": (6, 512, 2048, 8, 0.1),
        "deepnet_transformer_tiny": (6, 64, 128, 2, 0.1),
        "deepnet_transformer_wmt17_50l_50l": (50, 512, 2048, 8, 0.4),
        "deepnet_transformer_opus100_20l": (10, 512, 2048, 8, 0.1),
        "deepnet_transformer_m2m_200l_3b": (100, 1024, 4096, 16, 0.1),
    }
    for name, values in expected.items():
        args = parse("--arch", name)
        assert tuple(getattr(args, size) for size in sizes) == values, name


def test_the_command_line_wins_over_the_preset_and_the_decoder_follows_the_encoder() -> None:
    args = parse(
        "--arch",
        "deepnet_transformer_tiny",
        "--encoder-embed-dim",
        "96",
        "--decoder-layers",
        "9",
        "--share-all-embeddings",
    )
    assert (args.encoder_embed_dim, args.decoder_embed_dim) == (96, 96)
    assert (args.encoder_layers, args.decoder_layers) == (6, 9)
    assert args.share_all_embeddings


REFUSED: List[Any] = [
    ["--offload-activations"],
    ["--adaptive-softmax-cutoff", "100"],
    ["--encoder-normalize-before"],
    ["--quant-noise-pq", "0.1"],
    ["--no-cross-attention"],
    ["--decoder-output-dim", "32"],
    ["--residual-scheme", "rezero-ish"],
    ["--deepnorm-encoder-gain", "1.15"],
]


@pytest.mark.parametrize("words", REFUSED, ids=lambda w: w[0])
def test_options_of_other_transformers_are_refused_not_ignored(
    words: List[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parse("--arch", "deepnet_transformer", *words)
    assert exit_info.value.code == 2
    assert words[0] in capsys.readouterr().err

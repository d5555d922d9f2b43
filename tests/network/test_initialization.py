"""Measured against theoretical standard deviations of every kind of weight, at N != M."""

import math
from typing import Dict, Tuple

import pytest
import torch
from support.tiny_models import make_dictionary
from torch import Tensor

from deepnet_fairseq.network import scaling
from deepnet_fairseq.network.config import DeepNetConfig
from deepnet_fairseq.network.model import build_encoder_decoder, build_stacks

N, M = 4, 3
C, E, FFN = 112, 96, 208  # decoder and encoder width: all distinct, so that swapped ones fail
PAD = 1  # fairseq's
# The smallest matrix has 9,216 entries: the standard error of its deviation is 0.7 %.
RELATIVE_TOLERANCE = 0.03


def config(**options: object) -> DeepNetConfig:
    sizes = dict(
        encoder_embed_dim=E,
        decoder_embed_dim=C,
        encoder_layers=N,
        decoder_layers=M,
        encoder_attention_heads=4,
    )
    return DeepNetConfig(**{**sizes, "encoder_ffn_embed_dim": FFN, **options}).complete()


def weights_and_theory(conf: DeepNetConfig) -> Dict[str, Tuple[Tensor, float]]:
    """Return each projection's weights over all layers and their theoretical deviation."""
    torch.manual_seed(1)
    encoder, decoder = build_stacks(conf)
    (_, beta_e), (_, beta_d) = scaling.encoder_decoder(N, M, conf.deepnorm_encoder_gain)
    if conf.residual_scheme != "deepnorm":
        beta_e = beta_d = 1.0

    def xavier(gain: float, fan_in: int, fan_out: int) -> float:
        return gain * math.sqrt(2 / (fan_in + fan_out))

    table = {}

    def add(name: str, tensors: object, gain: float, fan_in: int, fan_out: int) -> None:
        table[name] = (
            torch.cat([t.detach().flatten() for t in tensors]),
            xavier(gain, fan_in, fan_out),
        )

    for side, stack, beta, width in (
        ("encoder", encoder, beta_e, E),
        ("decoder", decoder, beta_d, C),
    ):
        packed = [layer.self_attn.in_proj_weight for layer in stack.layers]
        for i, (name, gain) in enumerate((("q", 1.0), ("k", 1.0), ("v", beta))):
            add(
                f"{side} self {name}",
                (w[i * width : (i + 1) * width] for w in packed),
                gain,
                width,
                width,
            )
        add(
            f"{side} self out",
            (layer.self_attn.out_proj.weight for layer in stack.layers),
            beta,
            width,
            width,
        )
        add(f"{side} fc1", (layer.ffn.fc1.weight for layer in stack.layers), beta, width, FFN)
        add(f"{side} fc2", (layer.ffn.fc2.weight for layer in stack.layers), beta, FFN, width)
    cross = [layer.encoder_attn for layer in decoder.layers]
    add("cross q", (a.q_proj.weight for a in cross), 1.0, C, C)
    add("cross k", (a.kv_proj_weight[:C] for a in cross), 1.0, E, C)
    add("cross v", (a.kv_proj_weight[C:] for a in cross), beta_d, E, C)
    add("cross out", (a.out_proj.weight for a in cross), beta_d, C, C)
    return table


@pytest.mark.parametrize(
    "options",
    [{}, {"deepnorm_encoder_gain": "torchscale"}, {"residual_scheme": "post-ln"}],
    ids=str,
)
def test_every_kind_of_weight_has_the_standard_deviation_of_its_gain(
    options: Dict[str, str],
) -> None:
    table = weights_and_theory(config(**options))
    assert len(table) == 16
    for name, (weights, theory) in table.items():
        assert weights.std().item() == pytest.approx(theory, rel=RELATIVE_TOLERANCE), name
        assert abs(weights.mean().item()) < 4 * theory / math.sqrt(weights.numel()), name
        # xavier_normal_, not xavier_uniform_: a uniform distribution has kurtosis 1.8
        assert ((weights / theory) ** 4).mean().item() == pytest.approx(3.0, abs=0.35), name


def test_biases_are_zero_and_layer_norms_start_as_identity() -> None:
    for stack in build_stacks(config()):
        seen = set()
        for name, parameter in stack.named_parameters():
            if "layer_norm.weight" in name:
                assert torch.equal(parameter, torch.ones_like(parameter)), name
            elif name.endswith("bias"):
                assert torch.equal(parameter, torch.zeros_like(parameter)), name
                seen.add(name.split(".", 2)[2])
        assert {
            "self_attn.in_proj_bias",
            "self_attn.out_proj.bias",
            "ffn.fc1.bias",
            "ffn.fc2.bias",
        } <= seen


@pytest.mark.parametrize("shared", ["", "share_decoder_input_output_embed", "share_all_embeddings"])
def test_embeddings_have_the_standard_deviation_of_their_width_and_a_zero_padding_row(
    shared: str,
) -> None:
    width = E if shared == "share_all_embeddings" else C
    options = {shared: True} if shared else {}
    options.update(
        encoder_learned_pos=True,
        decoder_learned_pos=True,
        max_source_positions=900,
        max_target_positions=800,
    )
    torch.manual_seed(1)
    encoder, decoder = build_encoder_decoder(
        config(decoder_embed_dim=width, **options), make_dictionary(1500), make_dictionary(1500)
    )
    tables = {
        "source": (encoder.embedding.tokens.weight, E),
        "target": (decoder.embedding.tokens.weight, width),
        "output": (decoder.output_projection.weight, width),
        "source positions": (encoder.embedding.positions.weight, E),
        "target positions": (decoder.embedding.positions.weight, width),
    }
    for name, (weight, columns) in tables.items():
        drawn = weight[[row for row in range(len(weight)) if row != PAD]]
        assert drawn.std().item() == pytest.approx(columns**-0.5, rel=RELATIVE_TOLERANCE), name
        if name != "output" or shared:
            assert weight[PAD].eq(0).all(), name
    assert (tables["output"][0] is tables["target"][0]) == bool(shared)
    assert (tables["source"][0] is tables["target"][0]) == (shared == "share_all_embeddings")

"""DeepNorm's rivals, each by an analytic property of its own."""

import math
from typing import Any, List

import pytest
import torch
from support.vectors import decode, encode
from torch import Tensor, nn

from deepnet_fairseq.network import scaling
from deepnet_fairseq.network.attention import Attention
from deepnet_fairseq.network.config import DeepNetConfig
from deepnet_fairseq.network.layers import FeedForward
from deepnet_fairseq.network.model import build_stacks
from deepnet_fairseq.network.rivals import BranchNorm

N, M, C, FFN = 5, 3, 96, 160


def stacks(scheme: str, **options: Any) -> Any:
    sizes = dict(
        encoder_embed_dim=C,
        encoder_ffn_embed_dim=FFN,
        encoder_layers=N,
        decoder_layers=M,
        encoder_attention_heads=4,
    )
    torch.manual_seed(1)
    return build_stacks(
        DeepNetConfig(residual_scheme=scheme, **{**sizes, "dropout": 0.0, **options}).complete()
    )


def test_rezero_is_the_identity_at_the_start_and_only_its_gains_move_first() -> None:
    encoder, decoder = stacks("rezero")
    x, memory = torch.randn(2, 7, C), torch.randn(2, 6, C)
    assert torch.equal(encode(encoder, x), x)
    out = decode(decoder, x, memory)
    assert torch.equal(out, x)
    out.square().sum().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad.any() == name.endswith("residual.gain"), name
    assert not any(isinstance(module, nn.LayerNorm) for module in decoder.modules())


@pytest.mark.parametrize(
    ("layers", "expected"),
    [((6, 6), (1.5473, 1.7001)), ((18, 6), (1.8581, 1.7001)), ((6, 18), (1.8177, 1.9973))],
)
def test_sub_ln_gains_are_those_of_the_formula(layers: Any, expected: Any) -> None:
    encoder, decoder = scaling.sub_ln(*layers)
    assert (encoder.beta, decoder.beta) == pytest.approx(expected, abs=1e-4)
    assert encoder.beta**2 == pytest.approx(math.log(3 * layers[1]) * math.log(2 * layers[0]) / 3)
    assert encoder.alpha == decoder.alpha == 1.0


def test_sub_ln_normalises_before_the_last_projection_of_every_sub_layer() -> None:
    seen: List[Tensor] = []
    encoder, decoder = stacks("sub-ln")
    assert encoder.final_norm is not None and decoder.final_norm is not None
    for module in (*encoder.modules(), *decoder.modules()):
        if isinstance(module, (Attention, FeedForward)):
            last = module.out_proj if isinstance(module, Attention) else module.fc2
            last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    decode(decoder, torch.randn(2, 7, C), encode(encoder, torch.randn(2, 6, C)))
    assert len(seen) == 2 * N + 3 * M
    for x in seen:
        torch.testing.assert_close(x.mean(-1), torch.zeros(x.shape[:-1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(
            x.var(-1, unbiased=False), torch.ones(x.shape[:-1]), atol=1e-2, rtol=0
        )


def test_sub_ln_draws_with_its_gain() -> None:
    encoder, _ = stacks("sub-ln")
    weights = torch.cat([layer.ffn.fc1.weight.flatten() for layer in encoder.layers])
    assert weights.std().item() == pytest.approx(
        scaling.sub_ln(N, M)[0].beta * math.sqrt(2 / (C + FFN)), rel=0.02
    )


@pytest.mark.parametrize("side", [0, 1], ids=["encoder", "decoder"])
def test_ds_init_makes_all_weights_of_layer_l_smaller_by_its_root(side: int) -> None:
    for number, layer in enumerate(stacks("ds-init")[side].layers, start=1):
        for weight in (
            layer.self_attn.in_proj_weight[:C],
            layer.self_attn.out_proj.weight,
            layer.ffn.fc1.weight,
            layer.ffn.fc2.weight,
        ):
            xavier = math.sqrt(2 / sum(weight.shape))
            assert weight.std().item() == pytest.approx(xavier / math.sqrt(number), rel=0.05)


def test_ds_init_is_post_ln_but_for_its_weights() -> None:
    (plain, _), (scaled, _) = stacks("post-ln"), stacks("ds-init")
    scaled.load_state_dict(plain.state_dict())
    x = torch.randn(2, 7, C)
    assert torch.equal(encode(scaled, x), encode(plain, x))


def test_branchnorm_grows_linearly_to_post_ln() -> None:
    (plain, _), (encoder, _) = stacks("post-ln"), stacks("branchnorm", branchnorm_updates=8)
    encoder.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(2, 7, C)
    residuals = [module for module in encoder.modules() if isinstance(module, BranchNorm)]
    assert len(residuals) == 2 * N
    for finished, expected in ((0, 1 / 8), (1, 2 / 8), (5, 6 / 8), (7, 1.0), (8, 1.0), (1000, 1.0)):
        for residual in residuals:
            residual.set_num_updates(finished)
            assert residual.branch_weight.item() == expected
        assert torch.equal(encode(encoder, x), encode(plain, x)) == (expected == 1.0)


def test_branchnorm_is_almost_layer_norm_at_the_start_and_its_branches_learn() -> None:
    encoder, _ = stacks("branchnorm")
    x = torch.randn(2, 7, C)
    out = encode(encoder, x)
    torch.testing.assert_close(
        out, nn.functional.layer_norm(x, (C,)), atol=2 * N * 2 / 4000, rtol=0
    )
    out[..., 0].sum().backward()
    assert all(
        parameter.grad.any()
        for name, parameter in encoder.named_parameters()
        if name.endswith("weight")
    )


def test_a_branchnorm_checkpoint_evaluates_as_it_was_trained() -> None:
    (trained, _), (loaded, _) = (stacks("branchnorm", branchnorm_updates=7) for _ in range(2))
    trained.half()
    for module in trained.modules():
        if isinstance(module, BranchNorm):
            module.set_num_updates(3)
    loaded.load_state_dict(trained.state_dict())
    x = torch.randn(2, 7, C)
    assert torch.equal(encode(loaded, x), encode(trained.float(), x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scheme", ["branchnorm", "admin"])
def test_buffers_keep_half_precision(scheme: str, dtype: torch.dtype) -> None:
    encoder, _ = stacks(scheme)
    assert encode(encoder.to(dtype), torch.randn(2, 7, C, dtype=dtype)).dtype == dtype

"""Schemes that read the layer's input or carry a second stream are a class and a registry line."""

from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest
import torch
from support.tiny_models import make_model
from support.vectors import decode, encode
from torch import Tensor, nn

from deepnet_fairseq.network.growth import grow_
from deepnet_fairseq.network.residual import PostNorm, Stream, SubLayer
from deepnet_fairseq.network.schemes import RESIDUALS

FP32 = 1e-5
SCALE = 0.5  # s of ResiDual


class B2T(PostNorm):
    """Post-LN whose layers add their input to the last sum (Takase et al. 2022, 2206.00330)."""

    def forward(self, stream: Stream, sub_layer: SubLayer) -> Stream:
        total = stream.x + self.dropout(sub_layer(stream.x))
        if self.ends_layer:
            total = total + stream.layer_input
        return stream._replace(x=self.layer_norm(total))


class ResiDual(PostNorm):
    """Post-LN and a second stream, normalized at its end only (Xie et al. 2023, 2304.14802)."""

    def forward(self, stream: Stream, sub_layer: SubLayer) -> Stream:
        branch = self.dropout(sub_layer(stream.x))
        x = self.layer_norm(stream.x + branch)
        return stream._replace(x=x, second=stream.second + SCALE * branch)

    @classmethod
    def begin(cls, x: Tensor) -> Stream:
        return Stream(x, second=x)

    @classmethod
    def end(cls, stream: Stream, final_norm: Optional[nn.Module]) -> Tensor:
        return stream.x + final_norm(stream.second)

    @classmethod
    def build_final_norm(cls, embed_dim: int) -> nn.Module:
        return nn.LayerNorm(embed_dim)


Layer = List[Tuple[SubLayer, Callable[[Tensor], Tensor]]]  # f and LN of each sub-layer


def b2t_formula(layers: List[Layer], x: Tensor, final_norm: None) -> Tensor:
    for layer in layers:
        layer_input = x
        for f, norm in layer[:-1]:
            x = norm(x + f(x))
        f, norm = layer[-1]
        x = norm(layer_input + x + f(x))
    return x


def residual_formula(layers: List[Layer], x: Tensor, final_norm: nn.Module) -> Tensor:
    r = x
    for f, norm in (sub_layer for layer in layers for sub_layer in layer):
        branch = f(x)
        x, r = norm(x + branch), r + SCALE * branch
    return x + final_norm(r)


FORMULAS = {"b2t": b2t_formula, "residual": residual_formula}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, scheme in {"b2t": B2T, "residual": ResiDual}.items():
        monkeypatch.setitem(RESIDUALS, name, scheme)
    yield


def build(scheme: str, **options: Any) -> nn.Module:
    model = make_model(residual_scheme=scheme, **options)
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return model


@pytest.mark.parametrize("scheme", FORMULAS)
def test_the_output_of_a_new_scheme_is_its_formula(scheme: str) -> None:
    model = build(scheme).eval()
    source, target = torch.randn(2, 7, 16), torch.randn(2, 5, 12)
    encoder, decoder = model.encoder.stack, model.decoder.stack
    layers: List[Layer] = [
        [
            (layer.self_attn, layer.self_attn_residual.layer_norm),
            (layer.ffn, layer.ffn_residual.layer_norm),
        ]
        for layer in encoder.layers
    ]
    memory = FORMULAS[scheme](layers, source, encoder.final_norm)
    torch.testing.assert_close(encode(encoder, source), memory, atol=FP32, rtol=0)

    layers = [
        [
            (lambda x, f=layer.self_attn: f(x, None, True), layer.self_attn_residual.layer_norm),
            (lambda x, f=layer.encoder_attn: f(x, memory), layer.encoder_attn_residual.layer_norm),
            (layer.ffn, layer.ffn_residual.layer_norm),
        ]
        for layer in decoder.layers
    ]
    expected = FORMULAS[scheme](layers, target, decoder.final_norm)
    torch.testing.assert_close(decode(decoder, target, memory), expected, atol=FP32, rtol=0)


@pytest.mark.parametrize("scheme", FORMULAS)
def test_a_new_scheme_decodes_step_by_step(scheme: str, batch: Callable) -> None:
    model, inputs = build(scheme).eval(), batch()
    tokens = inputs["prev_output_tokens"]
    encoder_out = model.encoder(inputs["src_tokens"])
    state: Dict[str, Any] = {}
    steps = [
        model.decoder(tokens[:, : t + 1], encoder_out, incremental_state=state)[0]
        for t in range(tokens.size(1))
    ]
    real = tokens.ne(1)
    full = model.decoder(tokens, encoder_out)[0]
    torch.testing.assert_close(torch.cat(steps, dim=1)[real], full[real], atol=FP32, rtol=0)


@pytest.mark.parametrize("scheme", FORMULAS)
def test_a_new_scheme_trains_with_checkpointed_activations_and_layerdrop(
    scheme: str, batch: Callable
) -> None:
    gradients = []
    for checkpointed in (False, True):
        model = build(
            scheme,
            dropout=0.3,
            encoder_layerdrop=0.4,
            decoder_layerdrop=0.4,
            checkpoint_activations=checkpointed,
        ).train()
        torch.manual_seed(11)
        model(**batch())[0].square().mean().backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    for plain, other in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("scheme", FORMULAS)
def test_a_model_with_a_new_scheme_grows(scheme: str, batch: Callable) -> None:
    shallow = build(scheme).eval()
    deep = make_model(residual_scheme=scheme, encoder_layers=6, decoder_layers=6).eval()
    grow_(deep, shallow)
    difference = (deep(**batch())[0] - shallow(**batch())[0]).abs().max()
    assert difference < 5e-5  # as in test_growth

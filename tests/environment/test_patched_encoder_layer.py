"""Stock fairseq's Transformer encoder layer without its inference fast path."""

from collections import OrderedDict
from typing import Dict, Optional

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models.transformer import TransformerConfig, TransformerEncoderBase
from fairseq.modules.transformer_layer import TransformerEncoderLayerBase
from torch import Tensor, nn

WIDTH, HIDDEN = 12, 14
EXACT = dict(atol=1e-6, rtol=0)


def config() -> TransformerConfig:
    """Return the configuration of a tiny encoder whose dropout is 0."""
    result = TransformerConfig(dropout=0.0)
    (
        result.encoder.embed_dim,
        result.encoder.ffn_embed_dim,
        result.encoder.attention_heads,
        result.encoder.layers,
    ) = WIDTH, HIDDEN, 3, 2
    return result


def reloaded(module: nn.Module) -> nn.Module:
    """Return the module as fairseq 0.12.2 took the fast path: after load, in eval mode."""
    module.load_state_dict(OrderedDict(module.state_dict()), strict=True)
    return module.eval()


@pytest.mark.patch("encoder-fast-path")
@pytest.mark.parametrize("left_pad", [True, False], ids=["padded-left", "padded-right"])
def test_padding_changes_no_sentence_after_a_reload(left_pad: bool) -> None:
    torch.manual_seed(2)
    dictionary = Dictionary()
    for word in "klmnop":
        dictionary.add_symbol(word)
    pad = dictionary.pad()
    encoder = reloaded(
        TransformerEncoderBase(config(), dictionary, nn.Embedding(len(dictionary), WIDTH, pad))
    )
    sentences = [torch.tensor([4, 5, 6, 7, 8, 2]), torch.tensor([9, 4, 2])]
    padding = torch.full((3,), pad)
    short = torch.cat([padding, sentences[1]] if left_pad else [sentences[1], padding])
    with torch.no_grad():
        batch = encoder(torch.stack([sentences[0], short]))["encoder_out"][0]  # (T, B, C)
        alone = [encoder(sentence[None])["encoder_out"][0][:, 0] for sentence in sentences]
    torch.testing.assert_close(batch[:, 0], alone[0], **EXACT)
    torch.testing.assert_close(batch[3:, 1] if left_pad else batch[:3, 1], alone[1], **EXACT)


class ScaledLayer(TransformerEncoderLayerBase):
    """What DeepNorm does to the residual."""

    def residual_connection(self, x: Tensor, residual: Tensor) -> Tensor:
        return 3.0 * residual + x


@pytest.mark.patch("encoder-fast-path")
@pytest.mark.parametrize(
    "mask", [None, torch.tensor([[False] * 5, [False] * 3 + [True] * 2])], ids=["full", "padded"]
)
def test_overridden_residual_connection_is_used_after_a_reload(mask: Optional[Tensor]) -> None:
    torch.manual_seed(2)
    layer, x = ScaledLayer(config()), torch.randn(5, 2, WIDTH)
    with torch.no_grad():
        training = layer.train()(x, mask)
        evaluated = reloaded(layer)(x, mask)
        fresh = ScaledLayer(config())
        fresh.load_state_dict(layer.state_dict())
        never_trained = fresh.eval()(x, mask)
    torch.testing.assert_close(evaluated, training, **EXACT)
    torch.testing.assert_close(never_trained, training, **EXACT)


@pytest.mark.patch("encoder-layer-dead-parameters")
def test_layer_holds_only_parameters_that_learn() -> None:
    layer = TransformerEncoderLayerBase(config())
    attention, feed_forward, norms = (
        4 * (WIDTH * WIDTH + WIDTH),
        2 * WIDTH * HIDDEN + WIDTH + HIDDEN,
        2 * 2 * WIDTH,
    )
    assert (
        sum(parameter.numel() for parameter in layer.parameters())
        == attention + feed_forward + norms
    )
    (layer(torch.randn(5, 2, WIDTH), None) * torch.randn(5, 2, WIDTH)).sum().backward()
    assert [name for name, parameter in layer.named_parameters() if parameter.grad is None] == []


def with_dead_copies(state: Dict[str, Tensor], prefix: str) -> Dict[str, Tensor]:
    """Return the state as fairseq 0.12.2 would have saved it."""
    shapes = {
        "in_proj": (3 * WIDTH, WIDTH),
        "out_proj": (WIDTH, WIDTH),
        "fc1": (HIDDEN, WIDTH),
        "fc2": (WIDTH, HIDDEN),
    }
    copies = {f"{prefix}{name}_weight": torch.zeros(shape) for name, shape in shapes.items()}
    copies.update({f"{prefix}{name}_bias": torch.zeros(shape[0]) for name, shape in shapes.items()})
    return OrderedDict({**state, **copies})


@pytest.mark.patch("encoder-layer-dead-parameters")
@pytest.mark.parametrize("prefix", ["", "layers.1."], ids=["layer", "layer-in-a-stack"])
def test_state_with_dead_copies_loads_strictly(prefix: str) -> None:
    torch.manual_seed(2)
    trained, fresh = (TransformerEncoderLayerBase(config()) for _ in range(2))
    target: nn.Module = fresh
    if prefix:
        trained, target = (
            nn.ModuleDict({"layers": nn.ModuleList([nn.Identity(), layer])})
            for layer in (trained, fresh)
        )
    target.load_state_dict(with_dead_copies(trained.state_dict(), prefix), strict=True)
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(target.state_dict()[name], value, atol=0, rtol=0)


@pytest.mark.patch("encoder-layer-dead-parameters")
def test_state_without_a_weight_is_still_refused() -> None:
    layer = TransformerEncoderLayerBase(config())
    state = OrderedDict(layer.state_dict())
    del state["fc1.weight"]
    with pytest.raises(RuntimeError, match=r"fc1\.weight"):
        layer.load_state_dict(state, strict=True)

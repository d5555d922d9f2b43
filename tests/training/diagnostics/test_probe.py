"""What the probe says of a model: against the model's own forward, and against losses added up by hand."""

import math
from typing import Any, Dict, List, Optional, Sequence

import pytest
import torch
from fairseq.distributed import ModuleProxyWrapper
from support.probe_models import LENGTHS, make_dictionary, make_model, make_sample
from torch import Tensor, nn

from deepnet_fairseq.training.diagnostics.probe import (
    MAX_TOKENS,
    Probe,
    exchange,
    relative_change,
    unwrap,
)

ROUNDING = dict(atol=1e-5, rtol=1e-5)
WORDS = make_dictionary()


def sentence_losses(
    model: nn.Module, sample: Dict[str, Any], order: Optional[Sequence[int]] = None
) -> List[Tensor]:
    """For each sentence the bits of its target's tokens, computed alone, without padding, given the source that order puts there."""
    inputs, found = sample["net_input"], []
    for i, target in enumerate(sample["target"]):
        length = int(target.ne(WORDS.pad()).sum())
        source = inputs["src_tokens"][i if order is None else order[i]]
        source = source[source.ne(WORDS.pad())][None]
        with torch.no_grad():
            logits, _ = model.eval()(
                source,
                torch.tensor([source.size(1)]),
                inputs["prev_output_tokens"][i : i + 1, :length],
            )
        chosen = logits[0].log_softmax(-1).gather(1, target[:length, None])[:, 0]
        found.append(-chosen / math.log(2))
    return found


def mean(losses: Sequence[Tensor]) -> float:
    return torch.cat(list(losses)).mean().item()


def test_features_are_those_of_the_models_forward_without_padding() -> None:
    model, sample = make_model(), make_sample()
    outputs = Probe(sample, WORDS)(model)
    with torch.no_grad():
        logits, _ = model.eval()(**sample["net_input"])
        ours = model.decoder.output_layer(outputs.features)
    assert outputs.features.shape == (sum(t + 1 for _, t in LENGTHS), 12)
    torch.testing.assert_close(ours, logits[sample["target"].ne(WORDS.pad())], **ROUNDING)
    assert outputs.layers == {}


def test_nll_is_the_mean_of_all_tokens_each_sentence_computed_alone() -> None:
    model, sample = make_model(), make_sample()
    outputs = Probe(sample, WORDS)(model)
    assert outputs.nll == pytest.approx(mean(sentence_losses(model, sample)), abs=1e-5)
    assert outputs.shuffled_nll == pytest.approx(
        mean(sentence_losses(model, sample, [1, 2, 3, 0])), abs=1e-5
    )
    assert outputs.source_gap == outputs.shuffled_nll - outputs.nll


def test_a_model_that_says_all_words_equally_often_needs_log2_of_their_number() -> None:
    model = make_model()
    nn.init.zeros_(model.decoder.output_projection.weight)
    outputs = Probe(make_sample(), WORDS)(model)
    assert (outputs.nll, outputs.source_gap) == (pytest.approx(math.log2(len(WORDS)), abs=1e-6), 0)


def test_the_source_is_worth_nothing_where_cross_attention_is_zero() -> None:
    model, probe = make_model(), Probe(make_sample(), WORDS)
    assert abs(probe(model).source_gap) > 1e-4
    for layer in model.decoder.stack.layers:
        for parameter in layer.encoder_attn.out_proj.parameters():
            nn.init.zeros_(parameter)
    assert probe(model).source_gap == pytest.approx(0, abs=1e-6)


EXCHANGES = [
    ("none but one", ["__de__", "__fr__", "__de__", "__nl__"], [2, 1, 0, 3]),
    ("three", ["__de__", "__fr__", "__de__", "__de__"], [2, 1, 3, 0]),
    ("two and two", ["__fr__", "__de__", "__de__", "__fr__"], [3, 2, 1, 0]),
]


@pytest.mark.parametrize(
    ("languages", "order"), [c[1:] for c in EXCHANGES], ids=[c[0] for c in EXCHANGES]
)
def test_the_gap_is_that_of_the_sentences_with_another_of_their_language(
    languages: List[str], order: List[int]
) -> None:
    sample = make_sample(languages)
    model, probe = make_model(), Probe(sample, WORDS)
    assert probe.other is not None and probe.other.tolist() == order
    changed = [i for i, j in enumerate(order) if i != j]
    own_losses, other_losses = (sentence_losses(model, sample, o) for o in (None, order))
    gap = mean([other_losses[i] for i in changed]) - mean([own_losses[i] for i in changed])
    outputs = probe(model)
    assert outputs.nll == pytest.approx(mean(own_losses), abs=1e-5)
    assert outputs.source_gap == pytest.approx(gap, abs=1e-5)
    assert abs(gap) > 1e-4


def test_without_two_sentences_to_exchange_the_gap_is_nan() -> None:
    outputs = Probe(make_sample(["__de__", "__fr__"], LENGTHS[:2]), WORDS)(make_model())
    assert (
        math.isfinite(outputs.nll)
        and math.isnan(outputs.shuffled_nll)
        and math.isnan(outputs.source_gap)
    )


GROUPS = [
    ([0, 0], [1, 0]),
    ([5, 0, 5, 0, 5], [2, 3, 4, 1, 0]),
    ([1, 2, 2], [0, 2, 1]),
    ([1, 2, 3], None),
    ([7], None),
    ([], None),
]


@pytest.mark.parametrize(("groups", "expected"), GROUPS, ids=str)
def test_an_exchange_stays_inside_its_group_and_leaves_none_in_place(
    groups: List[int], expected: Optional[List[int]]
) -> None:
    order = exchange(groups, torch.device("cpu"))
    assert (None if order is None else order.tolist()) == expected
    if order is not None:
        assert sorted(order.tolist()) == list(range(len(groups)))
        for here, there in enumerate(order.tolist()):
            assert groups[here] == groups[there]
            assert (here == there) == (groups.count(groups[here]) == 1)


@pytest.mark.parametrize("scheme", ["deepnorm", "pre-ln"])
def test_layers_are_those_of_return_all_hiddens(scheme: str) -> None:
    model, sample = make_model(residual_scheme=scheme), make_sample()
    layers = Probe(sample, WORDS)(model, layers=True).layers
    assert list(layers) == [("encoder", i) for i in (1, 2, 3)] + [("decoder", i) for i in (1, 2)]
    inputs = sample["net_input"]
    model.eval()
    with torch.no_grad():
        encoded = model.encoder(
            inputs["src_tokens"], inputs["src_lengths"], return_all_hiddens=True
        )
        _, extra = model.decoder(
            inputs["prev_output_tokens"], encoder_out=encoded, return_all_hiddens=True
        )
    for name, states, tokens in (
        ("encoder", encoded["encoder_states"], inputs["src_tokens"]),
        ("decoder", extra["inner_states"], sample["target"]),
    ):
        for number, state in enumerate(states, start=1):
            rows = [
                state[place, i]
                for i, row in enumerate(tokens)
                for place, token in enumerate(row)
                if token != WORDS.pad()
            ]
            torch.testing.assert_close(layers[name, number], torch.stack(rows), atol=0, rtol=0)


SHAPES = [
    ("many", [(6, 8)] * 90, 512 // 9),
    ("a pair of long ones", [(20, 299), (30, 7), (9, 9)], 2),
    ("few", list(LENGTHS), 4),
]


@pytest.mark.parametrize(("lengths", "kept"), [s[1:] for s in SHAPES], ids=[s[0] for s in SHAPES])
def test_of_a_large_batch_it_keeps_the_first_sentences_and_at_least_two(
    lengths: List[Sequence[int]], kept: int
) -> None:
    sample = make_sample(lengths=lengths)
    probe = Probe(sample, WORDS)
    assert torch.equal(probe.source, sample["net_input"]["src_tokens"][:kept])
    assert torch.equal(probe.target, sample["target"][:kept])
    assert probe.target.numel() <= MAX_TOKENS or len(probe.target) == 2
    sample["target"].zero_()
    assert probe.target.ne(0).any()  # a copy


@pytest.mark.parametrize("layers", [False, True])
def test_modes_random_state_and_weights_are_as_before(layers: bool) -> None:
    model = make_model(encoder_layerdrop=0.4, decoder_layerdrop=0.3, dropout=0.2)
    model.train()
    model.decoder.stack.layers[1].eval()
    modes = {name: module.training for name, module in model.named_modules()}
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    state = torch.get_rng_state()
    first, second = (Probe(make_sample(), WORDS)(model, layers) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert len(set(modes.values())) == 2
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name]), name
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(first.features, second.features)  # neither dropout nor LayerDrop
    assert len(first.layers) == (5 if layers else 0)


def test_modes_are_as_before_when_the_model_fails() -> None:
    model = make_model()
    model.train()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="out of memory"):

        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("out of memory")

        patch.setattr(model.decoder, "forward", fail)
        Probe(make_sample(), WORDS)(model)
    assert all(module.training for module in model.modules())


def test_relative_change_is_the_norm_of_the_difference_over_that_of_the_old() -> None:
    old, new = torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.tensor([[3.0, 1.0], [2.0, 2.0]])
    assert relative_change(new, old) == pytest.approx(3 / 5)
    assert relative_change(old, old) == 0


def test_the_model_is_found_inside_the_wrappers_of_distributed_training() -> None:
    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

    model = make_model()
    for wrapped in (
        model,
        Wrapper(model),
        ModuleProxyWrapper(Wrapper(model)),
        Wrapper(Wrapper(model)),
    ):
        assert unwrap(wrapped) is model

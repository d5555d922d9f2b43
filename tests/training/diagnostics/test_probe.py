"""The probe against the model's own forward pass and against losses summed by hand."""

import math
from typing import Any, Dict, List, Optional, Sequence

import pytest
import torch
from fairseq.distributed import ModuleProxyWrapper
from support import tiny_models
from support.tiny_models import pad
from torch import Tensor, nn

from deepnet_fairseq.network.model import DeepNetTransformer
from deepnet_fairseq.training.diagnostics.probe import (
    MAX_TOKENS,
    Probe,
    relative_change,
    rotate_groups,
    token_variance_ratio,
    total_norm,
    unwrap,
)

ROUNDING = dict(atol=1e-5, rtol=1e-5)
LANGUAGES = ("de", "fr", "nl")
WORDS = tiny_models.make_dictionary(languages=LANGUAGES)
LENGTHS = ((9, 5), (4, 7), (6, 2), (3, 4))  # words of each sentence and of its translation


def make_model(**options: Any) -> DeepNetTransformer:
    positions = dict(max_source_positions=600, max_target_positions=600)
    return tiny_models.make_model(LANGUAGES, **{**positions, **options})


def make_sample(
    languages: Sequence[str] = (), lengths: Sequence[Sequence[int]] = LENGTHS
) -> Dict[str, Any]:
    """Return a batch, sources padded on the left, targets on the right.

    Args:
        languages: the token before each source, if any.
        lengths: words of each sentence and of its translation.
    """
    generator = torch.Generator().manual_seed(3)
    words = WORDS.nspecial, WORDS.nspecial + tiny_models.VOCABULARY

    def draw(n: int) -> List[int]:
        return torch.randint(*words, (n,), generator=generator).tolist()

    sources = [draw(length) + [WORDS.eos()] for length, _ in lengths]
    if languages:
        sources = [[WORDS.index(token)] + s for token, s in zip(languages, sources, strict=True)]
    targets = [draw(length) + [WORDS.eos()] for _, length in lengths]
    previous = [[WORDS.eos()] + target[:-1] for target in targets]
    inputs = {
        "src_tokens": pad(sources, WORDS.pad(), left=True),
        "src_lengths": torch.tensor([len(s) for s in sources]),
        "prev_output_tokens": pad(previous, WORDS.pad(), left=False),
    }
    return {"net_input": inputs, "target": pad(targets, WORDS.pad(), left=False)}


def sentence_losses(
    model: nn.Module, sample: Dict[str, Any], order: Optional[Sequence[int]] = None
) -> List[Tensor]:
    """Return the bits of each sentence's target tokens, computed alone and without padding.

    Args:
        model: of fairseq's.
        sample: the batch.
        order: the source that each sentence is given, its own by default.
    """
    inputs, losses = sample["net_input"], []
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
        losses.append(-chosen / math.log(2))
    return losses


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
    assert outputs.shuffled_source_nll_gap == outputs.shuffled_nll - outputs.nll


def test_a_model_that_says_all_words_equally_often_needs_log2_of_their_number() -> None:
    model = make_model()
    nn.init.zeros_(model.decoder.output_projection.weight)
    outputs = Probe(make_sample(), WORDS)(model)
    assert (outputs.nll, outputs.shuffled_source_nll_gap) == (
        pytest.approx(math.log2(len(WORDS)), abs=1e-6),
        0,
    )


def test_the_source_is_worth_nothing_where_cross_attention_is_zero() -> None:
    model, probe = make_model(), Probe(make_sample(), WORDS)
    assert abs(probe(model).shuffled_source_nll_gap) > 1e-4
    for layer in model.decoder.stack.layers:
        for parameter in layer.encoder_attn.out_proj.parameters():
            nn.init.zeros_(parameter)
    assert probe(model).shuffled_source_nll_gap == pytest.approx(0, abs=1e-6)


SWAPS = [
    ("none but one", ["__de__", "__fr__", "__de__", "__nl__"], [2, 1, 0, 3]),
    ("three", ["__de__", "__fr__", "__de__", "__de__"], [2, 1, 3, 0]),
    ("two and two", ["__fr__", "__de__", "__de__", "__fr__"], [3, 2, 1, 0]),
]


@pytest.mark.parametrize(("languages", "order"), [c[1:] for c in SWAPS], ids=[c[0] for c in SWAPS])
def test_the_gap_is_that_of_the_sentences_with_another_of_their_language(
    languages: List[str], order: List[int]
) -> None:
    sample = make_sample(languages)
    model, probe = make_model(), Probe(sample, WORDS)
    assert probe.permutation is not None and probe.permutation.tolist() == order
    changed = [i for i, j in enumerate(order) if i != j]
    own_losses, other_losses = (sentence_losses(model, sample, o) for o in (None, order))
    gap = mean([other_losses[i] for i in changed]) - mean([own_losses[i] for i in changed])
    outputs = probe(model)
    assert outputs.nll == pytest.approx(mean(own_losses), abs=1e-5)
    assert outputs.shuffled_source_nll_gap == pytest.approx(gap, abs=1e-5)
    assert abs(gap) > 1e-4


def test_without_two_sentences_to_swap_the_gap_is_nan() -> None:
    outputs = Probe(make_sample(["__de__", "__fr__"], LENGTHS[:2]), WORDS)(make_model())
    assert (
        math.isfinite(outputs.nll)
        and math.isnan(outputs.shuffled_nll)
        and math.isnan(outputs.shuffled_source_nll_gap)
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
def test_groups_are_rotated(groups: List[int], expected: Optional[List[int]]) -> None:
    order = rotate_groups(groups, torch.device("cpu"))
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


def test_the_token_variance_ratio_is_what_is_left_without_the_mean_over_tokens() -> None:
    assert token_variance_ratio(torch.tensor([[3.0, 0.0], [1.0, 0.0]])) == pytest.approx(2 / 10)
    assert token_variance_ratio(torch.tensor([[3.0, 4.0]] * 5)) == 0
    assert token_variance_ratio(torch.tensor([[3.0, 4.0], [-3.0, -4.0]])) == 1


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_norm_is_taken_in_single_precision(dtype: torch.dtype) -> None:
    tensors = [
        torch.full((64,), 3e4, dtype=dtype),
        torch.full((36,), 3e4, dtype=dtype),
    ]  # norm 3e5: no half-precision number
    assert total_norm(tensors) == pytest.approx(10 * tensors[0][0].item())
    assert total_norm([]) == 0.0

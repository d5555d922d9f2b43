"""A grown model has the function of the trained one, and new layers learn at once."""

from argparse import Namespace
from typing import Any, Callable, Dict, Tuple

import pytest
import torch
from support.tiny_models import SIZES, make_model, make_task
from torch import Tensor, nn

from deepnet_fairseq.network.growth import grow_, last_projections
from deepnet_fairseq.network.model import DeepNetTransformer
from deepnet_fairseq.network.rivals import ReZero
from deepnet_fairseq.network.schemes import RESIDUALS

# Absolute, in logits of size 1: in double precision with nothing added in LayerNorm's denominator
# (3e-15 when measured), and in single precision with LayerNorm's eps of 1e-5 (1.3e-5).
FP64 = 1e-13
EPS = 5e-5
Batch = Callable[..., Dict[str, Tensor]]
DEPTHS = {
    "both sides": (6, 4),
    "encoder": (9, 2),
    "decoder": (3, 10),
    "neither": (3, 2),
}  # from 3-2
AT_THE_END = {"branchnorm": {"branchnorm_updates": 1}}  # of its schedule
BEFORE_THE_SUM = ["pre-ln", "sub-ln", "rezero"]


def trained(**options: Any) -> DeepNetTransformer:
    """Return a 3-2 model with distinct values everywhere; LayerNorms are far from 1 and 0."""
    model = make_model(**AT_THE_END.get(options.get("residual_scheme"), {}), **options)
    generator = torch.Generator().manual_seed(5)
    for module in model.modules():
        spread = 0.4 if isinstance(module, (nn.LayerNorm, ReZero)) else 0.1
        for parameter in module.parameters(recurse=False):
            parameter.data.add_(torch.randn(parameter.shape, generator=generator), alpha=spread)
    return model.eval()


def grown(
    shallow: DeepNetTransformer, layers: Tuple[int, int], **options: Any
) -> DeepNetTransformer:
    scheme = shallow.config.residual_scheme
    same = {"residual_scheme": scheme, **AT_THE_END.get(scheme, {}), **options}
    deep = make_model(**same, encoder_layers=layers[0], decoder_layers=layers[1]).eval()
    grow_(deep, shallow)
    return deep


def difference(
    one: DeepNetTransformer, other: DeepNetTransformer, batch: Dict[str, Tensor]
) -> float:
    return (one(**batch)[0] - other(**batch)[0]).abs().max().item()


def exact_(model: DeepNetTransformer) -> DeepNetTransformer:
    for norm in (module for module in model.modules() if isinstance(module, nn.LayerNorm)):
        norm.eps = 0.0
    return model.double()


@pytest.mark.parametrize("layers", DEPTHS.values(), ids=DEPTHS)
@pytest.mark.parametrize("scheme", RESIDUALS)
def test_the_function_is_the_same_but_for_eps(
    scheme: str, layers: Tuple[int, int], batch: Batch
) -> None:
    shallow = trained(residual_scheme=scheme)
    assert difference(grown(shallow, layers), shallow, batch()) < EPS
    deep = exact_(
        make_model(
            residual_scheme=scheme,
            **AT_THE_END.get(scheme, {}),
            encoder_layers=layers[0],
            decoder_layers=layers[1],
        ).eval()
    )
    grow_(deep, exact_(shallow))
    assert difference(deep, shallow, batch()) < FP64


@pytest.mark.parametrize("scheme", BEFORE_THE_SUM)
def test_without_a_layernorm_behind_the_sum_it_is_the_same_bit_by_bit(
    scheme: str, batch: Batch
) -> None:
    shallow = trained(residual_scheme=scheme)
    assert difference(grown(shallow, (6, 10)), shallow, batch()) == 0


@pytest.mark.parametrize("scheme", RESIDUALS)
def test_eps_does_not_add_up_over_many_layers(scheme: str, batch: Batch) -> None:
    shallow = trained(residual_scheme=scheme)
    assert difference(grown(shallow, (150, 100)), shallow, batch()) < EPS


OPTIONS = [
    {"share_all_embeddings": True, "decoder_embed_dim": 16},
    {"encoder_learned_pos": True, "decoder_learned_pos": True, "layernorm_embedding": True},
    {"residual_scheme": "sub-ln", "share_decoder_input_output_embed": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
def test_embeddings_positions_and_projections_come_along(
    options: Dict[str, Any], batch: Batch
) -> None:
    shallow = trained(**options)
    assert difference(grown(shallow, (6, 4), **options), shallow, batch()) < EPS


def test_without_new_layers_every_tensor_is_the_trained_one() -> None:
    shallow = trained()
    deep = grown(shallow, (3, 2), dropout=0.3, deepnorm_encoder_gain="torchscale")
    for name, tensor in shallow.state_dict().items():
        if "_float_tensor" not in name:  # an uninitialized buffer of fairseq's positions
            assert torch.equal(deep.state_dict()[name], tensor), name


def test_layerdrop_leaves_no_layer_out_of_the_growing(batch: Batch) -> None:
    shallow = trained(encoder_layerdrop=0.5, decoder_layerdrop=0.5).train()
    deep = make_model(
        encoder_layers=6, decoder_layers=4, encoder_layerdrop=0.5, decoder_layerdrop=0.5
    )
    grow_(deep, shallow)
    assert difference(deep.eval(), shallow.eval(), batch()) < EPS


@pytest.mark.parametrize("scheme", RESIDUALS)
def test_new_layers_are_those_of_a_new_model_but_for_their_last_projections(scheme: str) -> None:
    deep = grown(trained(residual_scheme=scheme), (6, 6))
    new = make_model(residual_scheme=scheme, encoder_layers=6, decoder_layers=6)
    for number in (1, 2, 4, 5):
        ours, fresh = deep.decoder.stack.layers[number], new.decoder.stack.layers[number]
        assert torch.equal(ours.self_attn.in_proj_weight, fresh.self_attn.in_proj_weight)
        assert torch.equal(ours.encoder_attn.kv_proj_weight, fresh.encoder_attn.kv_proj_weight)
        assert torch.equal(ours.ffn.fc1.weight, fresh.ffn.fc1.weight)
        silent = [not p.weight.any() and not p.bias.any() for p in last_projections(ours)]
        assert silent == [scheme != "rezero"] * 3


@pytest.mark.parametrize("scheme", RESIDUALS)
def test_new_layers_learn_from_the_first_update(scheme: str, batch: Batch) -> None:
    deep = grown(trained(residual_scheme=scheme), (6, 6))
    deep(**batch())[0].square().sum().backward()
    for stack in (deep.encoder.stack, deep.decoder.stack):
        for layer in stack.layers:
            learning = [module.gain for module in layer.modules() if isinstance(module, ReZero)]
            learning = learning or [
                weight for p in last_projections(layer) for weight in (p.weight, p.bias)
            ]
            assert len(learning) >= 2
            assert all(weight.grad.any() for weight in learning)


REFUSED = [
    (
        {"encoder_layers": 7},
        {},
        "--encoder-layers is 7, and must be a multiple of the trained model's 3",
    ),
    (
        {"decoder_layers": 1},
        {},
        "--decoder-layers is 1, and must be a multiple of the trained model's 2",
    ),
    (
        {"residual_scheme": "pre-ln"},
        {},
        "--residual-scheme is pre-ln, and must be the trained model's deepnorm",
    ),
    (
        {"decoder_embed_dim": 14},
        {},
        "--decoder-embed-dim is 14, and must be the trained model's 12",
    ),
    (
        {"encoder_ffn_embed_dim": 30},
        {},
        "--encoder-ffn-embed-dim is 30, and must be the trained model's 28",
    ),
    (
        {"encoder_attention_heads": 2},
        {},
        "--encoder-attention-heads is 2, and must be the trained model's 4",
    ),
    ({"activation_fn": "gelu"}, {}, "--activation-fn is gelu"),
    (
        {"max_source_positions": 50, "encoder_learned_pos": True},
        {"encoder_learned_pos": True},
        "--max-source-positions is 50",
    ),
]


@pytest.mark.parametrize(
    ("deep", "shallow", "message"), REFUSED, ids=[message.split()[0] for _, _, message in REFUSED]
)
def test_what_cannot_grow_is_refused_by_name(
    deep: Dict[str, Any], shallow: Dict[str, Any], message: str
) -> None:
    model = make_model(**deep)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        grow_(model, make_model(**shallow))
    assert all(
        torch.equal(tensor, before[name])
        for name, tensor in model.state_dict().items()
        if "_float_tensor" not in name
    )


def test_another_vocabulary_is_refused_by_name() -> None:
    task = make_task()
    task.target_dictionary.add_symbol("one-more")
    with pytest.raises(
        ValueError,
        match="the target dictionary has 31 entries, and must have the trained model's 30",
    ):
        grow_(DeepNetTransformer.build_model(Namespace(**SIZES), task), make_model())


def test_admins_profile_comes_along_and_is_not_taken_again(batch: Batch) -> None:
    shallow = make_model(residual_scheme="admin").train()
    shallow(**batch())
    deep = grown(shallow, (6, 4)).train()
    assert deep.profiled == 1 and not deep.needs_profile
    measured = shallow.encoder.stack.layers[1].ffn_residual.profiled_shortcut
    assert measured > 1
    assert [deep.encoder.stack.layers[i].ffn_residual.profiled_shortcut for i in (2, 3)] == [
        measured,
        measured,
    ]
    deep(**batch())
    assert deep.encoder.stack.layers[2].ffn_residual.profiled_shortcut == measured


def test_branchnorm_that_grows_before_the_end_of_its_schedule_keeps_its_function(
    batch: Batch,
) -> None:
    shallow = make_model(residual_scheme="branchnorm", branchnorm_updates=10)
    shallow.set_num_updates(3)
    deep = make_model(
        residual_scheme="branchnorm", branchnorm_updates=1, encoder_layers=6, decoder_layers=4
    )
    grow_(deep, shallow)
    deep.set_num_updates(0)  # as in its first update
    assert shallow.encoder.stack.layers[0].ffn_residual.branch_weight.item() == pytest.approx(0.4)
    assert difference(deep.eval(), shallow.eval(), batch()) < EPS


def test_branchnorms_schedule_must_not_begin_anew() -> None:
    with pytest.raises(
        ValueError, match="--branchnorm-updates is 8, and must be 1 in a model that has grown"
    ):
        grow_(
            make_model(residual_scheme="branchnorm", branchnorm_updates=8),
            make_model(residual_scheme="branchnorm", branchnorm_updates=8),
        )

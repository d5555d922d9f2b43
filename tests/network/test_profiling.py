"""Admin's profile against variances measured by hooks; it is made once, for all ranks."""

from itertools import pairwise
from typing import Any, Callable, Dict, List, NamedTuple

import pytest
import torch
from support.tiny_models import make_model
from torch import Tensor, distributed, nn

from deepnet_fairseq.network.admin import Admin
from deepnet_fairseq.network.model import DeepNetTransformer

WIDE = dict(
    encoder_embed_dim=96,
    encoder_ffn_embed_dim=160,
    decoder_embed_dim=112,
    decoder_ffn_embed_dim=192,
)
Build = Callable[..., DeepNetTransformer]
Batch = Callable[..., Dict[str, Tensor]]


class SubLayer(NamedTuple):
    """Variances over the real positions of a batch, and the shortcut's weight."""

    omega: float
    shortcut: float  # Var[ω x]
    branch: float  # Var[f(x)]
    total: float  # Var[ω x + f(x)]


def admins(side: nn.Module) -> List[Admin]:
    return [module for module in side.modules() if isinstance(module, Admin)]


def shortcuts(model: nn.Module) -> List[float]:
    return [admin.profiled_shortcut.item() for admin in admins(model)]


def measure(
    side: nn.Module, model: nn.Module, inputs: Dict[str, Tensor], real: Tensor
) -> List[SubLayer]:
    """Return the sub-layers of side in the order in which they run."""
    results: List[Dict[str, Tensor]] = []
    handles = []
    for admin in admins(side):
        handles += [
            admin.register_forward_pre_hook(
                lambda admin, args: results.append(
                    {"omega": admin.profiled_shortcut, "x": args[0].x}
                )
            ),
            admin.dropout.register_forward_hook(
                lambda _, args, out: results[-1].update(branch=out)
            ),
            admin.layer_norm.register_forward_pre_hook(
                lambda _, args: results[-1].update(total=args[0])
            ),
        ]
    with torch.no_grad():
        model.eval()(**inputs)
    for handle in handles:
        handle.remove()

    def variance(x: Tensor) -> float:
        return x[real].double().var(correction=0).item()

    return [
        SubLayer(
            s["omega"].item(),
            variance(s["omega"] * s["x"]),
            variance(s["branch"]),
            variance(s["total"]),
        )
        for s in results
    ]


@pytest.mark.parametrize(
    "options",
    [{}, {"dropout": 0.4}, {"checkpoint_activations": True}],
    ids=lambda o: "+".join(o) or "plain",
)
@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_the_profile_is_the_deviation_of_what_came_before(
    build: Build, batch: Batch, side: str, options: Dict[str, Any]
) -> None:
    model, inputs = build(residual_scheme="admin", **WIDE, **options), batch()
    model.train()(**inputs)
    real = inputs["src_tokens" if side == "encoder" else "prev_output_tokens"].ne(1)
    layers = measure(getattr(model, side), model, inputs, real)
    assert len(layers) == 6
    assert layers[0].omega == 1.0
    for before, after in pairwise(layers):
        assert after.omega**2 == pytest.approx(before.shortcut + before.branch, rel=1e-5)
    # LayerNorm makes Var[x_i] = 1, so that every branch has its own share of the stream
    for i, layer in enumerate(layers[1:], start=1):
        assert layer.omega**2 == pytest.approx(
            layers[0].shortcut + sum(earlier.branch for earlier in layers[:i]), rel=1e-3
        )
    for layer in layers:  # shortcut and branch are all but uncorrelated
        assert layer.total == pytest.approx(layer.shortcut + layer.branch, rel=0.15)


def test_padding_is_not_profiled(build: Build, batch: Batch) -> None:
    profiles = []
    for left in (False, True):
        model, inputs = build(residual_scheme="admin").train(), batch(left, left)
        wider = {
            name: nn.functional.pad(inputs[name], (3, 0), value=1)
            for name in ("src_tokens", "prev_output_tokens")
            if left
        }
        model(**{**inputs, **wider})
        profiles.append(shortcuts(model))
    assert profiles[0] == pytest.approx(profiles[1], rel=1e-5)


def test_without_a_profile_evaluation_is_post_ln(build: Build, batch: Batch) -> None:
    plain, model = build(residual_scheme="post-ln").eval(), build(residual_scheme="admin").eval()
    assert torch.equal(model(**batch())[0], plain(**batch())[0])
    assert set(shortcuts(model)) == {1.0}


def test_the_profile_is_made_once_and_kept_in_checkpoints(build: Build, batch: Batch) -> None:
    model, inputs = build(residual_scheme="admin").train(), batch()
    other = {
        **inputs,
        "src_tokens": inputs["src_tokens"].flip(0),
        "prev_output_tokens": inputs["prev_output_tokens"] // 3 + 4,
    }
    unprofiled = {name: value.clone() for name, value in model.state_dict().items()}
    model(**inputs)
    profile = shortcuts(model)
    assert max(profile) > 1
    model(**other)
    assert shortcuts(model) == profile

    loaded = build(residual_scheme="admin").train()
    loaded.load_state_dict(model.state_dict())
    loaded(**other)
    assert shortcuts(loaded) == profile

    loaded.load_state_dict(unprofiled)
    loaded(**other)
    assert 1 < max(shortcuts(loaded)) != max(profile)


def test_profiling_leaves_modes_and_random_numbers_alone(build: Build, batch: Batch) -> None:
    model = build(
        residual_scheme="admin", dropout=0.3, encoder_layerdrop=0.5, decoder_layerdrop=0.5
    ).train()
    model.encoder.stack.layers.eval()
    modes = [module.training for module in model.modules()]
    before = torch.get_rng_state()
    model.profile_(**batch())
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in model.modules()] == modes
    assert all(admin.profile is None for admin in admins(model))
    reference = build(residual_scheme="admin").train()
    reference.profile_(**batch())
    assert shortcuts(model) == shortcuts(reference)


def test_the_first_forward_trains_under_autocast(build: Build, batch: Batch) -> None:
    model = build(residual_scheme="admin").train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(**batch())[0].float().square().sum()
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def profile_of_rank(rank: int, file: str, inputs: Dict[str, Tensor], results: Any) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    model = make_model(residual_scheme="admin").train()
    model(**{name: tensor[rank : rank + 2] for name, tensor in inputs.items()})
    results[rank] = shortcuts(model)
    distributed.destroy_process_group()


def test_every_rank_has_the_profile_of_rank_0(build: Build, batch: Batch, tmp_path: Any) -> None:
    inputs = batch()
    with torch.multiprocessing.Manager() as manager:
        shared = manager.dict()
        torch.multiprocessing.spawn(
            profile_of_rank, (str(tmp_path / "rendezvous"), inputs, shared), nprocs=2
        )
        results = dict(shared)
    model = build(residual_scheme="admin").train()
    model(**{name: tensor[:2] for name, tensor in inputs.items()})
    assert results[0] == results[1]
    assert results[0] == pytest.approx(shortcuts(model), rel=1e-5)


def test_other_schemes_refuse_to_be_profiled(build: Build, batch: Batch) -> None:
    with pytest.raises(ValueError, match="deepnorm has no profile"):
        build().profile_(**batch())

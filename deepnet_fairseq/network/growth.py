"""A deep model that begins as the function a shallower one has learnt: layers that do nothing yet, put between the trained ones.

With k times the layers, trained layer l (from 0) becomes layer k·l, and k−1 new ones follow it. A new layer is drawn as in any model of
the new depth, but the last projection of each of its sub-layers is zero: f(x) = 0, and that projection learns from the first update.
(ReZero's gain does the same.) Three things keep the function:

- DeepNorm's alpha grows to alpha' with the depth. LN(alpha'·x + f'(x)) is LN(alpha·x + f(x)) for f' = (alpha'/alpha)·f: the trained
  layers' last projections are multiplied by that ratio. So they are by the weight that BranchNorm's branches have reached.
- Before the LayerNorm, x + 0 = x: with Pre-LN, Sub-LN and ReZero a new layer is exactly the identity.
- Behind the sum, LN(alpha·x) isn't x if x left a LayerNorm with trained weight and bias; but with weight 1 and bias 0 it is, since x
  is normalised already. So these move with the stream: the last LayerNorm of the trained layer hands its weight and bias to the last one
  of the k−1 new layers, and all between have 1 and 0.

What differs is the rounding, and the eps in LayerNorm's denominator: at most some 1e-5 of the stream's size, whatever the depth.
"""

from dataclasses import fields
from typing import Any, Iterator, Type

import torch
from torch import nn

from deepnet_fairseq.network.attention import Attention
from deepnet_fairseq.network.config import DeepNetConfig
from deepnet_fairseq.network.layers import FeedForward, LayerStack
from deepnet_fairseq.network.model import DeepNetTransformer
from deepnet_fairseq.network.residual import RESIDUALS, Admin, BranchNorm, Residual

SIDES = ("encoder", "decoder")
# What a grown model may have otherwise. All other options shape the weights or the function.
FREE = frozenset(
    "encoder_layers decoder_layers deepnorm_encoder_gain dropout attention_dropout activation_dropout encoder_layerdrop decoder_layerdrop "
    "checkpoint_activations max_source_positions max_target_positions".split()
)


@torch.no_grad()
def grow_(deep: DeepNetTransformer, shallow: DeepNetTransformer) -> None:
    """Give deep, freshly built, the function of shallow. Raises ValueError, naming the option, if shallow cannot grow into it."""
    check_growth(deep, shallow)
    scheme = RESIDUALS[deep.config.residual_scheme]
    for side, new, old in zip(
        SIDES, _scalings(deep.config), _scalings(shallow.config), strict=True
    ):
        grown, trained = getattr(deep, side), getattr(shallow, side)
        grown.embedding.load_state_dict(trained.embedding.state_dict())
        grow_stack_(grown.stack, trained.stack, scheme, new.alpha / old.alpha)
    deep.decoder.output_projection.load_state_dict(shallow.decoder.output_projection.state_dict())
    if scheme.needs_profile:
        deep.recall_profile(bool(shallow.profiled))


def grow_stack_(
    deep: LayerStack, shallow: LayerStack, scheme: Type[Residual], ratio: float
) -> None:
    """Put shallow's layers into deep, and still those between; ratio: by how much alpha grows."""
    factor = len(deep.layers) // len(shallow.layers)
    for number, trained in enumerate(
        shallow.layers[i] for i in range(len(shallow.layers))
    ):  # not iterated: LayerDrop would leave some out
        old, *new = (deep.layers[number * factor + i] for i in range(factor))
        old.load_state_dict(trained.state_dict())
        share = 1.0
        for residual in (module for module in old.modules() if isinstance(module, BranchNorm)):
            share = float(residual.branch_weight)  # the same in all of a model, and 1 from now on
            residual.set_num_updates(0)
        for projection in last_projections(old):
            projection.weight.mul_(ratio * share)
            projection.bias.mul_(ratio * share)
        if not scheme.starts_silent:
            for projection in (p for layer in new for p in last_projections(layer)):
                nn.init.zeros_(projection.weight)
                nn.init.zeros_(projection.bias)
        for residual in (
            module for layer in new for module in layer.modules() if isinstance(module, Admin)
        ):
            residual.profiled_shortcut.copy_(
                old.ffn_residual.profiled_shortcut
            )  # any would do, but a branch that learns is measured by it
        if new and scheme.normalizes_sum:
            norm = old.ffn_residual.layer_norm
            new[-1].ffn_residual.layer_norm.load_state_dict(norm.state_dict())
            norm.reset_parameters()
    if deep.final_norm is not None:
        deep.final_norm.load_state_dict(shallow.final_norm.state_dict())


def last_projections(layer: nn.Module) -> Iterator[nn.Linear]:
    """The projection that ends each sub-layer."""
    for module in layer.modules():
        if isinstance(module, Attention):
            yield module.out_proj
        elif isinstance(module, FeedForward):
            yield module.fc2


def check_growth(deep: DeepNetTransformer, shallow: DeepNetTransformer) -> None:
    """Raise ValueError, naming the option and both values, if shallow cannot grow into deep."""
    for name in (field.name for field in fields(DeepNetConfig) if not field.name.startswith("_")):
        ours, theirs = getattr(deep.config, name), getattr(shallow.config, name)
        if name in ("encoder_layers", "decoder_layers"):
            _require(ours % theirs == 0, name, ours, f"a multiple of the trained model's {theirs}")
        elif name == "branchnorm_updates":
            began_anew = deep.config.residual_scheme == "branchnorm" and ours != 1
            _require(
                not began_anew,
                name,
                ours,
                "1 in a model that has grown: the weight of its branches would begin anew",
            )
        elif name not in FREE or _counts_learned_positions(name, deep.config):
            _require(ours == theirs, name, ours, f"the trained model's {theirs}")
    for side, language in zip(SIDES, ("source", "target"), strict=True):
        ours, theirs = (len(getattr(model, side).dictionary) for model in (deep, shallow))
        if ours != theirs:
            raise ValueError(
                f"the {language} dictionary has {ours} entries, and must have the trained model's {theirs}"
            )


def _counts_learned_positions(name: str, config: DeepNetConfig) -> bool:
    side = {"max_source_positions": "encoder", "max_target_positions": "decoder"}.get(name)
    return side is not None and getattr(config, f"{side}_learned_pos")


def _require(holds: bool, name: str, value: Any, what: str) -> None:
    if not holds:
        raise ValueError(f"--{name.replace('_', '-')} is {value}, and must be {what}")


def _scalings(config: DeepNetConfig) -> Any:
    return RESIDUALS[config.residual_scheme].scaling(
        config.encoder_layers, config.decoder_layers, config.deepnorm_encoder_gain
    )

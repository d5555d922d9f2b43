"""Grow a trained model: identity layers between the trained ones, the same function at the start.

With k times the layers, trained layer l (from 0) becomes layer k·l, and k−1 new ones follow it. A
new layer is initialized as in any model of the new depth, but the last projection of each of its
sub-layers is zero: f(x) = 0, and that projection learns from the first update. (ReZero's gain does
the same.) Three things keep the function; each is a method of the residual scheme:

- DeepNorm's alpha grows to alpha' with the depth. LN(alpha'·x + f'(x)) is LN(alpha·x + f(x)) for
  f' = (alpha'/alpha)·f: the last projections of the trained layers are multiplied by that ratio,
  and with BranchNorm by the weight that the branches have reached (`grow_`).
- Before the LayerNorm, x + 0 = x: with Pre-LN, Sub-LN and ReZero a new layer is the identity.
- After the sum, LN(alpha·x) isn't x if x left a LayerNorm with trained weight and bias; with weight
  1 and bias 0 it is, since x is normalized already. So weight and bias move along the stream: the
  last LayerNorm of the trained layer passes them to the last one of the k−1 new layers, and all
  between have 1 and 0 (`insert_`).

What differs is the rounding, and the eps in LayerNorm's denominator: at most some 1e-5 of the
stream's size, whatever the depth.
"""

from dataclasses import fields
from itertools import pairwise
from typing import Iterator

import torch
from torch import nn

from deepnet_fairseq.errors import UserError
from deepnet_fairseq.network.config import SCHEME_OPTIONS, DeepNetConfig, require
from deepnet_fairseq.network.layers import LayerStack
from deepnet_fairseq.network.model import DeepNetTransformer
from deepnet_fairseq.network.schemes import RESIDUALS

# Options that may differ from the trained model's; all others shape the weights or the function.
# Depths and positions have rules of their own, and so may options of a residual scheme.
FREE_OPTIONS = {
    *SCHEME_OPTIONS,
    "dropout",
    "attention_dropout",
    "activation_dropout",
    "encoder_layerdrop",
    "decoder_layerdrop",
    "checkpoint_activations",
}


@torch.no_grad()
def grow_(deep: DeepNetTransformer, shallow: DeepNetTransformer) -> None:
    """Give deep, freshly built, the function of shallow.

    Raises:
        UserError: shallow cannot grow into deep. The message names the option.
    """
    check_growth(deep, shallow)
    sides = ((deep.encoder, shallow.encoder), (deep.decoder, shallow.decoder))
    for grown, trained in sides:
        grown.embedding.load_state_dict(trained.embedding.state_dict())
        grow_stack_(grown.stack, trained.stack)
    deep.decoder.output_projection.load_state_dict(shallow.decoder.output_projection.state_dict())
    if deep.profile_batch_ is not None:
        deep.set_profiled(bool(shallow.profiled))


def grow_stack_(deep: LayerStack, shallow: LayerStack) -> None:
    """Copy shallow's layers into deep; make those between them identities."""
    factor = len(deep.layers) // len(shallow.layers)
    # by index: LayerDrop would skip some layers of an iteration
    for number in range(len(shallow.layers)):
        trained = shallow.layers[number]
        layer, *new = (deep.layers[number * factor + i] for i in range(factor))
        layer.load_state_dict(trained.state_dict())
        pairs = zip(layer.sub_layers(), trained.sub_layers(), strict=True)
        for (sub_layer, residual), (_, trained_residual) in pairs:
            residual.grow_(trained_residual, sub_layer.last_projection)

        inserted = [pair for new_layer in new for pair in new_layer.sub_layers()]
        for (_, previous), (sub_layer, residual) in pairwise(
            [(None, layer.ffn_residual), *inserted]
        ):
            residual.insert_(previous, sub_layer.last_projection)
    if deep.final_norm is not None:
        deep.final_norm.load_state_dict(shallow.final_norm.state_dict())


def last_projections(layer: nn.Module) -> Iterator[nn.Linear]:
    """Yield the projection that ends each sub-layer."""
    return (sub_layer.last_projection for sub_layer, _ in layer.sub_layers())


def check_growth(deep: DeepNetTransformer, shallow: DeepNetTransformer) -> None:
    """Raise UserError, naming the option and both values, if shallow cannot grow into deep."""
    free = set(FREE_OPTIONS)
    if not deep.config.encoder_learned_pos:
        free.add("max_source_positions")
    if not deep.config.decoder_learned_pos:
        free.add("max_target_positions")
    for name in (field.name for field in fields(DeepNetConfig) if not field.name.startswith("_")):
        value, trained = getattr(deep.config, name), getattr(shallow.config, name)
        if name in ("encoder_layers", "decoder_layers"):
            require(
                value % trained == 0, name, value, f"a multiple of the trained model's {trained}"
            )
        elif name not in free:
            require(value == trained, name, value, f"the trained model's {trained}")
    RESIDUALS[deep.config.residual_scheme].check_growth(deep.config)
    dictionaries = (
        ("source", deep.encoder.dictionary, shallow.encoder.dictionary),
        ("target", deep.decoder.dictionary, shallow.decoder.dictionary),
    )
    for language, dictionary, trained in dictionaries:
        if len(dictionary) != len(trained):
            raise UserError(
                f"the {language} dictionary has {len(dictionary)} entries, and must have the "
                f"trained model's {len(trained)}"
            )

"""What a model does with a fixed batch: its output F(x, θ), every layer's output, and whether the source matters to it."""

import math
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import torch
from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel
from torch import Tensor, nn

# Enough for a stable mean, and little beside an update; of a wide model's layers no more would fit.
MAX_TOKENS = 512

LayerName = Tuple[str, int]  # stack ("encoder", "decoder") and layer, from 1


class Outputs(NamedTuple):
    """What a model gives for the probe."""

    features: (
        Tensor  # F(x, θ): the decoder's output before the projection to the vocabulary [tokens x C]
    )
    layers: Dict[LayerName, Tensor]  # each layer's output [tokens x C]
    encoder_spread: float  # see `spread`, of the encoder's output over all tokens of the source
    nll: float  # of the target given its source, in bits per token
    shuffled_nll: (
        float  # given the source of another sentence; NaN if no two sentences can be exchanged
    )

    @property
    def source_gap(self) -> float:
        """What the source is worth, in bits per token: near 0 for a model that does not look at it."""
        return self.shuffled_nll - self.nll


class Probe:
    """A fixed batch to measure a model with.

    Args: sample: a batch as fairseq's translation tasks collate it; of its sentences as many are kept as have MAX_TOKENS target tokens
    together, and at least two; source: the dictionary, in which language tokens such as __de__ are known by their form.
    """

    def __init__(self, sample: Dict[str, Any], source: Dictionary) -> None:
        inputs = sample["net_input"]
        self.pad = source.pad()
        kept = max(2, MAX_TOKENS // sample["target"].size(1))
        self.source, self.previous, self.target = (
            tokens[:kept].clone()
            for tokens in (inputs["src_tokens"], inputs["prev_output_tokens"], sample["target"])
        )
        self.lengths = inputs["src_lengths"][:kept].clone()
        self.other = exchange(self._first_tokens(source), self.target.device)

    def _first_tokens(self, dictionary: Dictionary) -> List[int]:
        """Per sentence its language token, or 0: a source is exchanged for one that asks for the same language."""
        first = [next(int(token) for token in row if token != self.pad) for row in self.source]
        return [
            token if dictionary[token].startswith("__") and dictionary[token].endswith("__") else 0
            for token in first
        ]

    @torch.no_grad()
    def __call__(self, model: nn.Module, layers: bool = False) -> Outputs:
        """Measure model (an encoder and a decoder of fairseq's), without dropout; layers asks for their outputs, too."""
        with (
            evaluating(model),
            torch.random.fork_rng(devices=[]),
        ):  # LayerDrop draws in evaluation as well
            extra = {"return_all_hiddens": True} if layers else {}
            encoded = model.encoder(self.source, src_lengths=self.lengths, **extra)
            features, inner = model.decoder(
                self.previous, encoder_out=encoded, features_only=True, **extra
            )
            nll = self._nll(model, features)
            shuffled = math.nan
            if self.other is not None:
                exchanged = model.encoder.reorder_encoder_out(
                    {**encoded, "encoder_states": []}, self.other
                )
                other, _ = model.decoder(self.previous, encoder_out=exchanged, features_only=True)
                changed = self.other != torch.arange(len(self.other), device=self.other.device)
                own = nll if bool(changed.all()) else self._nll(model, features, changed)
                shuffled = nll + self._nll(model, other, changed) - own
        source, target = self.source.ne(self.pad), self.target.ne(self.pad)
        states: Dict[LayerName, Tensor] = {}
        if layers:
            for i, x in enumerate(encoded["encoder_states"], start=1):
                states["encoder", i] = x.transpose(0, 1)[source].float()
            for i, x in enumerate(inner["inner_states"], start=1):
                states["decoder", i] = x.transpose(0, 1)[target].float()
        encoded_tokens = encoded["encoder_out"][0].transpose(0, 1)[source].float()
        return Outputs(features[target].float(), states, spread(encoded_tokens), nll, shuffled)

    def _nll(self, model: nn.Module, features: Tensor, sentences: Optional[Tensor] = None) -> float:
        """Bits per target token, over all sentences [B x T x C] or those chosen."""
        logits = model.decoder.output_layer(features)
        target = self.target
        if sentences is not None:
            logits, target = logits[sentences], target[sentences]
        chosen = target.ne(self.pad)
        return nn.functional.cross_entropy(
            logits[chosen].float(), target[chosen]
        ).item() / math.log(2)


def exchange(groups: List[int], device: torch.device) -> Optional[Tensor]:
    """An order of sentences in which each takes the place of another of its group; None if no group has two."""
    order = list(range(len(groups)))
    for group in set(groups):
        members = [i for i, g in enumerate(groups) if g == group]
        for here, there in zip(members, members[1:] + members[:1], strict=True):
            order[here] = there
    return None if order == sorted(order) else torch.tensor(order, device=device)


def spread(x: Tensor) -> float:
    """How much the rows of x [tokens x C] differ: what is left of their squares without their mean, from 0 (all equal) to 1."""
    return ((x - x.mean(0)).square().sum() / x.square().sum()).item()


def relative_change(new: Tensor, old: Tensor) -> float:
    """‖new − old‖ / ‖old‖, Frobenius norms over all tokens; for LayerNorm's outputs the root mean square of a channel's change."""
    return ((new - old).norm() / old.norm()).item()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Model in eval mode, and afterwards every module as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside fairseq's and torch's wrappers for distributed training."""
    # By type: the wrappers pass on the model's attributes, its encoder among them.
    while not isinstance(model, BaseFairseqModel) and hasattr(model, "module"):
        model = model.module
    return model

"""Measures a model on a fixed batch: its output F(x, θ), its layers, its use of the source."""

import math
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import torch
from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel
from torch import Tensor, nn

# Enough for a stable mean, cheap beside an update, and all that fits of a wide model's layers.
MAX_TOKENS = 512

LayerName = Tuple[str, int]  # stack ("encoder", "decoder") and layer, from 1


class Outputs(NamedTuple):
    """What a model computes for the probe."""

    features: Tensor  # F(x, θ): the decoder's output before the projection [tokens x C]
    layers: Dict[LayerName, Tensor]  # the output of each layer [tokens x C]
    token_variance_ratio: float  # of the encoder's output over all source tokens
    nll: float  # of the targets, in bits per token
    shuffled_nll: float  # given other sentences' sources; NaN if none can be swapped

    @property
    def shuffled_source_nll_gap(self) -> float:
        """The shuffled-source NLL gap, bits per token: near 0 if the model ignores the source."""
        return self.shuffled_nll - self.nll


class Probe:
    """A fixed batch on which a model is measured.

    It holds the first sentences of `sample`: as many as have MAX_TOKENS target tokens, and at
    least two.

    Args:
        sample: a batch as collated by fairseq's translation tasks.
        source: the source dictionary; it tells language tokens such as __de__.
    """

    def __init__(self, sample: Dict[str, Any], source: Dictionary) -> None:
        inputs = sample["net_input"]
        self.pad = source.pad()
        size = max(2, MAX_TOKENS // sample["target"].size(1))
        self.source, self.previous, self.target = (
            tokens[:size].clone()
            for tokens in (inputs["src_tokens"], inputs["prev_output_tokens"], sample["target"])
        )
        self.lengths = inputs["src_lengths"][:size].clone()
        self.permutation = rotate_groups(self._language_tokens(source), self.target.device)

    def _language_tokens(self, dictionary: Dictionary) -> List[int]:
        """Return the language token of each source, 0 if it has none.

        A source is swapped only for one that asks for the same language.
        """
        tokens = []
        for row in self.source:
            token = next(int(token) for token in row if token != self.pad)
            word = dictionary[token]
            tokens.append(token if word.startswith("__") and word.endswith("__") else 0)
        return tokens

    @torch.no_grad()
    def __call__(self, model: nn.Module, layers: bool = False) -> Outputs:
        """Measure a model without dropout.

        Args:
            model: any fairseq model with an encoder and a decoder.
            layers: whether to return the output of each layer, too.
        """
        # LayerDrop draws random numbers in evaluation as well.
        with evaluating(model), torch.random.fork_rng(devices=[]):
            options = {"return_all_hiddens": True} if layers else {}
            encoded = model.encoder(self.source, src_lengths=self.lengths, **options)
            features, extra = model.decoder(
                self.previous, encoder_out=encoded, features_only=True, **options
            )
            nll = self._nll(model, features)
            shuffled_nll = self._shuffled_nll(model, encoded, features, nll)
        source, target = self.source.ne(self.pad), self.target.ne(self.pad)
        outputs: Dict[LayerName, Tensor] = {}
        if layers:
            for i, x in enumerate(encoded["encoder_states"], start=1):
                outputs["encoder", i] = x.transpose(0, 1)[source].float()
            for i, x in enumerate(extra["inner_states"], start=1):
                outputs["decoder", i] = x.transpose(0, 1)[target].float()
        encoder_out = encoded["encoder_out"][0].transpose(0, 1)[source].float()
        ratio = token_variance_ratio(encoder_out)
        return Outputs(features[target].float(), outputs, ratio, nll, shuffled_nll)

    def _shuffled_nll(
        self, model: nn.Module, encoded: Dict[str, Any], features: Tensor, nll: float
    ) -> float:
        """Return nll plus what swapping the sources costs the sentences that can be swapped."""
        if self.permutation is None:
            return math.nan
        shuffled = model.encoder.reorder_encoder_out(
            {**encoded, "encoder_states": []}, self.permutation
        )
        other, _ = model.decoder(self.previous, encoder_out=shuffled, features_only=True)
        identity = torch.arange(len(self.permutation), device=self.permutation.device)
        swapped = self.permutation != identity
        own = nll if bool(swapped.all()) else self._nll(model, features, swapped)
        return nll + self._nll(model, other, swapped) - own

    def _nll(self, model: nn.Module, features: Tensor, sentences: Optional[Tensor] = None) -> float:
        """Return bits per target token, over all sentences [B x T x C] or those given."""
        logits = model.decoder.output_layer(features)
        target = self.target
        if sentences is not None:
            logits, target = logits[sentences], target[sentences]
        tokens = target.ne(self.pad)
        nats = nn.functional.cross_entropy(logits[tokens].float(), target[tokens]).item()
        return nats / math.log(2)


def rotate_groups(groups: List[int], device: torch.device) -> Optional[Tensor]:
    """Return a permutation of sentences that rotates each group; None if no group has two."""
    order = list(range(len(groups)))
    for group in set(groups):
        members = [i for i, g in enumerate(groups) if g == group]
        for here, there in zip(members, members[1:] + members[:1], strict=True):
            order[here] = there
    return None if order == sorted(order) else torch.tensor(order, device=device)


def token_variance_ratio(x: Tensor) -> float:
    """Return how much the rows of x [tokens x C] differ, from 0 (all equal) to 1.

    It is the share of their squares that is left without their mean. Near 0 the encoder has
    collapsed: it tells the decoder nothing about the sentence.
    """
    return ((x - x.mean(0)).square().sum() / x.square().sum()).item()


def relative_change(new: Tensor, old: Tensor) -> float:
    """Return ‖new − old‖ / ‖old‖, Frobenius norms over all tokens.

    For outputs of a LayerNorm this is the root mean square of a channel's change.
    """
    return ((new - old).norm() / old.norm()).item()


def total_norm(tensors: List[Tensor]) -> float:
    """Return the L2 norm of all tensors together, in single precision.

    In half precision the norm of a scaled gradient may exceed the largest number.
    """
    if not tensors:
        return 0.0
    norms = [torch.linalg.vector_norm(t, dtype=torch.float32) for t in tensors]
    return torch.stack(norms).norm().item()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and restore the mode of each module afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside fairseq's and torch's wrappers for distributed training."""
    # By type: the wrappers pass on the model's attributes, its encoder among them.
    while not isinstance(model, BaseFairseqModel) and hasattr(model, "module"):
        model = model.module
    return model

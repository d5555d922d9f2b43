"""The paper's table of (alpha, beta) by depth: DeepNet, Section 3 (arXiv 2203.00555).

alpha weights the residual stream in ``LN(alpha * x + f(x))``; beta is the Xavier gain of
feed-forward, value and output projections. N is the number of encoder layers, M the number of
decoder layers. Standard library only.

| architecture             | alpha                | beta                  |
|--------------------------|----------------------|-----------------------|
| encoder-only             | (2N)^(1/4)           | (8N)^(-1/4)           |
| decoder-only             | (2M)^(1/4)           | (8M)^(-1/4)           |
| encoder-decoder, encoder | 0.81 (N^4 M)^(1/16)  | 0.87 (N^4 M)^(-1/16)  |
| encoder-decoder, decoder | (3M)^(1/4)           | (12M)^(-1/4)          |
"""

import math
from typing import NamedTuple, Tuple

# Constants of the encoder's beta in an encoder-decoder model. The paper prints 0.87, which is
# 27^(1/16) / sqrt(2), rounded; torchscale's released code has 1.15 in its place. Which of the two
# the paper's own runs used is not known.
ENCODER_GAINS = {"paper": 0.87, "torchscale": 1.15}


class Scaling(NamedTuple):
    """The two constants of one stack of layers."""

    alpha: float
    beta: float


UNSCALED = Scaling(alpha=1.0, beta=1.0)


def encoder_only(N: int) -> Scaling:
    """Return the constants of an encoder of N layers without a decoder.

    Raises:
        ValueError: N < 1.
    """
    _require_layers("encoder", N)
    return Scaling(alpha=(2 * N) ** (1 / 4), beta=(8 * N) ** (-1 / 4))


def decoder_only(M: int) -> Scaling:
    """Return the constants of a decoder of M layers without an encoder.

    Raises:
        ValueError: M < 1.
    """
    _require_layers("decoder", M)
    return Scaling(alpha=(2 * M) ** (1 / 4), beta=(8 * M) ** (-1 / 4))


def encoder_decoder(N: int, M: int, encoder_gain: str = "paper") -> Tuple[Scaling, Scaling]:
    """Return the constants of the encoder and of the decoder in an encoder-decoder model.

    Args:
        N: Encoder layers.
        M: Decoder layers.
        encoder_gain: A key of ENCODER_GAINS.

    Raises:
        ValueError: N or M < 1, or encoder_gain is unknown.
    """
    _require_layers("encoder", N)
    _require_layers("decoder", M)
    if encoder_gain not in ENCODER_GAINS:
        raise ValueError(
            f"encoder gain {encoder_gain!r} is unknown: use one of {', '.join(ENCODER_GAINS)}"
        )
    # (N^4 M)^(1/16) in two factors, so that no depth overflows
    depth = N ** (1 / 4) * M ** (1 / 16)
    encoder = Scaling(alpha=0.81 * depth, beta=ENCODER_GAINS[encoder_gain] / depth)
    decoder = Scaling(alpha=(3 * M) ** (1 / 4), beta=(12 * M) ** (-1 / 4))
    return encoder, decoder


def sub_ln(N: int, M: int) -> Tuple[Scaling, Scaling]:
    """Return Magneto's constants for N encoder and M decoder layers: alpha is 1, beta its gain γ.

    Wang et al. 2022 (arXiv 2210.06423), for an encoder and a decoder together: γ is
    √(log 3M · log 2N / 3) in the encoder and √(log 3M) in the decoder, as in torchscale's code.

    Raises:
        ValueError: N or M < 1.
    """
    _require_layers("encoder", N)
    _require_layers("decoder", M)
    encoder = (math.log(3 * M) * math.log(2 * N) / 3) ** 0.5
    decoder = math.log(3 * M) ** 0.5
    return Scaling(alpha=1.0, beta=encoder), Scaling(alpha=1.0, beta=decoder)


def _require_layers(stack: str, layers: int) -> None:
    if layers < 1:
        raise ValueError(f"{layers} {stack} layers: DeepNorm's constants need at least 1")

"""alpha and beta against the paper's table (Section 3) and the formulas' exact constants."""

import pytest

from deepnet_fairseq.network import scaling

# n-n: alpha_e, beta_e, alpha_d, beta_d, to four decimals
PAPER_TABLE = {
    6: (1.4179, 0.4970, 2.0598, 0.3433),
    12: (1.7609, 0.4002, 2.4495, 0.2887),
    18: (1.9987, 0.3526, 2.7108, 0.2608),
    50: (2.7505, 0.2562, 3.4996, 0.2021),
    100: (3.4157, 0.2063, 4.1618, 0.1699),
    500: (5.6482, 0.1248, 6.2233, 0.1136),
}


@pytest.mark.parametrize("layers", PAPER_TABLE)
def test_encoder_decoder_constants_equal_the_papers_table(layers: int) -> None:
    encoder, decoder = scaling.encoder_decoder(layers, layers)
    assert (*encoder, *decoder) == pytest.approx(PAPER_TABLE[layers], abs=5e-5)


def test_unequal_depths_follow_the_formulas() -> None:
    N, M = 12, 3
    encoder, decoder = scaling.encoder_decoder(N, M)
    assert encoder == pytest.approx((0.81 * (N**4 * M) ** (1 / 16), 0.87 * (N**4 * M) ** (-1 / 16)))
    assert decoder == pytest.approx(((3 * M) ** 0.25, (12 * M) ** -0.25))


def test_encoder_only_and_decoder_only_follow_the_formulas() -> None:
    assert scaling.encoder_only(8) == pytest.approx((2.0, 64**-0.25))
    assert scaling.decoder_only(8) == pytest.approx((2.0, 64**-0.25))
    assert scaling.encoder_only(18).alpha == pytest.approx(36**0.25)


def test_rounded_constants_are_the_exact_ones_of_the_derivation() -> None:
    encoder, _ = scaling.encoder_decoder(1, 1)
    assert encoder.alpha == pytest.approx(27 ** (-1 / 16), abs=5e-3)
    assert encoder.beta == pytest.approx(27 ** (1 / 16) / 2**0.5, abs=5e-3)


def test_torchscale_gain_changes_the_encoders_beta_only() -> None:
    (paper_encoder, paper_decoder), (encoder, decoder) = (
        scaling.encoder_decoder(18, 6, g) for g in ("paper", "torchscale")
    )
    assert encoder.alpha == paper_encoder.alpha
    assert decoder == paper_decoder
    assert encoder.beta / paper_encoder.beta == pytest.approx(1.15 / 0.87)


@pytest.mark.parametrize(
    "constants",
    [scaling.encoder_only, scaling.decoder_only, lambda n: scaling.encoder_decoder(n, 6)],
)
def test_no_layers_is_an_error_that_names_the_number(constants: object) -> None:
    with pytest.raises(ValueError, match="0 .*layers"):
        constants(0)


def test_an_unknown_gain_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'fairseq'.*paper, torchscale"):
        scaling.encoder_decoder(6, 6, "fairseq")

"""The largest values against torch's topk."""

import math

import pytest
import torch

from deepnet_fairseq.evaluation.decode.search import BLOCK, MINIMUM_ROW, topk


@pytest.mark.parametrize("k", [1, 4, 10])
@pytest.mark.parametrize(
    "length", [7, MINIMUM_ROW - 1, MINIMUM_ROW, MINIMUM_ROW + 1, MINIMUM_ROW + BLOCK - 1]
)
def test_values_and_places_are_those_of_topk(length: int, k: int) -> None:
    torch.manual_seed(length)
    values = torch.randn(3, 2, length)
    k = min(k, length)
    for ours, expected in zip(topk(values, k), values.topk(k), strict=True):
        assert torch.equal(ours, expected)


def test_those_behind_the_last_whole_block_are_in_the_result() -> None:
    values = torch.arange(MINIMUM_ROW + 5.0)[None]
    assert topk(values, 7)[1].tolist() == [[MINIMUM_ROW + 4 - i for i in range(7)]]


def test_a_row_with_fewer_than_k_possible_values_names_them() -> None:
    values = torch.full((1, MINIMUM_ROW), -math.inf)
    values[0, 2], values[0, 3000] = -1.0, -2.0
    best, places = topk(values, 4)
    assert places[0, :2].tolist() == [2, 3000] and best.tolist() == [
        [-1.0, -2.0, -math.inf, -math.inf]
    ]
    assert len(set(places[0].tolist())) == 4

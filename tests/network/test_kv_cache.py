"""The cache of keys and values against concatenating and copying all of it at each step."""

from typing import List, Optional

import pytest
import torch
from torch import Tensor

from deepnet_fairseq.network import kv_cache

HEADS, WIDTH = 2, 3


def order_of(rows: int, moved: int) -> Tensor:
    """Return an order of rows in which `moved` of them change."""
    order = torch.arange(rows)
    order[:moved] = (order[:moved] + 1) % max(moved, 1)
    return order


ORDERS = {
    "none move": [order_of(12, 0)] * 40,
    "few move": [order_of(12, 2 + step % 3) for step in range(40)],
    "most move": [order_of(12, 11)] * 40,
    "rows are repeated": [torch.tensor([0, 0, 2, 2, 4, 5, 6, 7, 8, 8, 10, 11])] * 40,
    "sentences leave": [torch.arange(rows) + 1 for rows in range(11, 1, -1)]
    + [order_of(2, 2)] * 30,
}


@pytest.mark.parametrize("orders", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_each_step_equals_concatenating_and_copying(
    orders: List[Tensor], dtype: torch.dtype
) -> None:
    torch.manual_seed(3)
    state: Optional[kv_cache.State] = None
    expected: Optional[List[Tensor]] = None
    rows = 12
    for order in orders:
        new = [torch.randn(rows, HEADS, 1, WIDTH).to(dtype) for _ in range(2)]
        state = kv_cache.append(state, *new)
        expected = (
            new
            if expected is None
            else [torch.cat(pair, dim=2) for pair in zip(expected, new, strict=True)]
        )
        check(state, expected)
        state = kv_cache.reorder(state, order)
        expected = [tensor.index_select(0, order) for tensor in expected]
        check(state, expected)
        rows = len(order)
    assert state["prev_key"].size(2) == len(orders) > kv_cache.INITIAL_CAPACITY


def check(state: kv_cache.State, expected: List[Tensor]) -> None:
    assert torch.equal(state["prev_key"], expected[0]) and torch.equal(
        state["prev_value"], expected[1]
    )


def test_the_capacity_grows_in_few_steps() -> None:
    state: Optional[kv_cache.State] = None
    capacities = set()
    for _ in range(200):
        state = kv_cache.append(
            state, torch.zeros(1, HEADS, 1, WIDTH), torch.zeros(1, HEADS, 1, WIDTH)
        )
        capacities.add(state["key_buffer"].size(2))
    assert len(capacities) < 10 and max(capacities) < 200 * kv_cache.GROWTH * 1.1

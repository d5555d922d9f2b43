"""Keys and values of the positions decoded so far, in buffers larger than they need to be.

Concatenating the cache with each new position, and copying all of it whenever the beam moves, would
take about half the time of a decoding step on a CPU.
"""

from typing import Dict, Optional

import torch
from torch import Tensor

State = Dict[str, Optional[Tensor]]
INITIAL_CAPACITY = 16  # positions
GROWTH = 1.5  # of the capacity when it is exceeded: few copies, little memory unused


def append(past: Optional[State], k: Tensor, v: Tensor) -> State:
    """Return the cache with k and v [B x H x 1 x D] after the positions of past.

    past shares its buffers with the result and must not be used any more.

    Returns:
        "prev_key" and "prev_value" [B x H x S x D], views of the S positions so far, and
        "key_buffer" and "value_buffer" [B x H x capacity x D], which hold them.
    """
    if past is None:
        length, key_buffer, value_buffer = 0, None, None
    else:
        length = past["prev_key"].size(2)
        key_buffer, value_buffer = past["key_buffer"], past["value_buffer"]
    keys = _write(key_buffer, length, k)
    values = _write(value_buffer, length, v)
    return _views(keys, values, length + k.size(2))


def reorder(past: State, order: Tensor) -> State:
    """Return the cache in which row i is row order[i] of past.

    past shares its buffers with the result and must not be used any more.
    """
    keys, values = past["key_buffer"], past["value_buffer"]
    length = past["prev_key"].size(2)
    moved = _moved(order, keys.size(0))
    if moved is None:
        keys, values = keys.index_select(0, order), values.index_select(0, order)
    elif moved.numel() > 0:
        for buffer in (keys, values):
            buffer[moved, :, :length] = buffer[order[moved], :, :length]
    return _views(keys, values, length)


def _write(buffer: Optional[Tensor], length: int, new: Tensor) -> Tensor:
    """Return the buffer, a larger one if need be, with new from position length on."""
    end = length + new.size(2)
    if buffer is None or buffer.size(2) < end:
        capacity = max(INITIAL_CAPACITY, end, int(end * GROWTH))
        larger = new.new_empty(*new.shape[:2], capacity, new.size(3))
        if buffer is not None:
            larger[:, :, :length] = buffer[:, :, :length]
        buffer = larger
    buffer[:, :, length:end] = new
    return buffer


def _views(keys: Tensor, values: Tensor, length: int) -> State:
    return {
        "prev_key": keys[:, :, :length],
        "prev_value": values[:, :, :length],
        "key_buffer": keys,
        "value_buffer": values,
    }


def _moved(order: Tensor, rows: int) -> Optional[Tensor]:
    """Return the rows that change, or None to copy all: too many of them, or not as many rows.

    Also None on a GPU, which would have to wait for the answer.
    """
    if order.device.type != "cpu" or order.size(0) != rows:
        return None
    moved = (order != torch.arange(rows)).nonzero().squeeze(1)
    return moved if 2 * moved.numel() <= rows else None

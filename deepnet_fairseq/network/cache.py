"""Keys and values of the positions decoded so far, in room that is made ahead of need.

Joining a cache with each new position, and copying all of it whenever the beam moves, would take about half of the time of a step on a CPU.
"""

from typing import Dict, Optional, Tuple

import torch
from torch import Tensor

State = Dict[str, Optional[Tensor]]
FIRST_ROOM = 16  # positions
GROWTH = 1.5  # of the room when it is full; what is copied beyond need stays small


def append(past: Optional[State], k: Tensor, v: Tensor) -> State:
    """Return the cache with k and v [B x H x 1 x D] behind the positions of past, which must not be used any more.

    "prev_key" and "prev_value" [B x H x S x D] are views of what is filled, "key_room" and "value_room" of the whole.
    """
    length = 0 if past is None else past["prev_key"].size(2)
    rooms = (None, None) if past is None else (past["key_room"], past["value_room"])
    keys, values = (_put(room, length, new) for room, new in zip(rooms, (k, v), strict=True))
    return _views(keys, values, length + k.size(2))


def reorder(past: State, order: Tensor) -> State:
    """Return the cache in which row i is row order[i] of past, which must not be used any more."""
    keys, values = past["key_room"], past["value_room"]
    length = past["prev_key"].size(2)
    moved = _moved(order, keys.size(0))
    if moved is None:
        keys, values = keys.index_select(0, order), values.index_select(0, order)
    elif moved.numel() > 0:
        for room in (keys, values):
            room[moved, :, :length] = room[order[moved], :, :length]
    return _views(keys, values, length)


def _put(room: Optional[Tensor], length: int, new: Tensor) -> Tensor:
    end = length + new.size(2)
    if room is None or room.size(2) < end:
        larger = new.new_empty(*new.shape[:2], max(FIRST_ROOM, end, int(end * GROWTH)), new.size(3))
        if room is not None:
            larger[:, :, :length] = room[:, :, :length]
        room = larger
    room[:, :, length:end] = new
    return room


def _views(keys: Tensor, values: Tensor, length: int) -> State:
    filled: Tuple[Tensor, Tensor] = (keys[:, :, :length], values[:, :, :length])
    return {"prev_key": filled[0], "prev_value": filled[1], "key_room": keys, "value_room": values}


def _moved(order: Tensor, rows: int) -> Optional[Tensor]:
    """The rows that change, if they are few and rows stay as many; None: copy all. Finding out would make a GPU wait."""
    if order.device.type != "cpu" or order.size(0) != rows:
        return None
    moved = (order != torch.arange(rows)).nonzero().squeeze(1)
    return moved if 2 * moved.numel() <= rows else None

"""A function mapped over a row of arguments in threads or processes, with little in memory at any time."""

import os
from collections import deque
from concurrent.futures import Executor, Future
from itertools import islice
from typing import Callable, Deque, Iterable, Iterator, Optional, TypeVar

Argument, Result = TypeVar("Argument"), TypeVar("Result")


def map_ahead(
    pool: Optional[Executor], function: Callable[[Argument], Result], arguments: Iterable[Argument], ahead: int
) -> Iterator[Result]:
    """Yield the function's results in the order of the arguments; in a pool, at most so many are computed ahead of the one that is used."""
    if pool is None:
        yield from map(function, arguments)
        return
    remaining = iter(arguments)
    running: Deque[Future] = deque(pool.submit(function, argument) for argument in islice(remaining, ahead))
    while running:
        result = running.popleft().result()
        running.extend(pool.submit(function, argument) for argument in islice(remaining, 1))
        yield result


def usable_cores() -> int:
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

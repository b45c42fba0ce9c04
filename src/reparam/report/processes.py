"""Several items at once, in forked processes that find in their memory what the parent had in its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_work: tuple[Callable[[Any], Any], Sequence[Any]]


def each(function: Callable[[Item], Result], items: Sequence[Item], processes: int) -> list[Result]:
    """`function` of every item, in their order; only what it returns has to be picklable."""
    if processes == 1:
        return [function(item) for item in items]
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(
        processes, mp_context=fork, initializer=_receive, initargs=(function, items)
    ) as pool:
        return list(pool.map(_nth, range(len(items))))


def _receive(function: Callable[[Any], Any], items: Sequence[Any]) -> None:
    global _work
    _work = function, items


def _nth(number: int) -> Any:
    function, items = _work
    return function(items[number])

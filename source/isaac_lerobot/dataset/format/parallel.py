"""Parallel: the same for many files, in several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor


def in_threads[Item, Result](
    do: Callable[[Item], Result], items: Iterable[Item], most: int | None = None
) -> list[Result]:
    """Do something for each of the items, several at a time; one by one where the system gives no more threads.

    Args:
        do: Called with an item; may be called twice for one.
        items: The items.
        most: Number of threads at most.
    """
    items = list(items)
    try:
        with ThreadPoolExecutor(most) as pool:
            return list(pool.map(do, items))
    except RuntimeError:  # "can't start new thread"
        return [do(item) for item in items]

"""Episode names: what Isaac Lab calls an episode (``demo_7``), which a LeRobot dataset has no place for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

NAME = "name"
"""The attribute of an episode that keeps its name."""


def episode_names(attributes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a name for each episode, none twice.

    Args:
        attributes: What is kept of each episode, in their order. The first of several with one name has it; those
            without one are numbered by their index, or by the next number that is free.
    """
    kept = [found.get(NAME) for found in attributes]
    taken: set[str] = set()
    names: dict[int, str] = {}
    for index, name in enumerate(kept):
        if isinstance(name, str) and name not in taken:
            names[index] = name
            taken.add(name)
    free = itertools.count(len(kept))
    for index in range(len(kept)):
        if index not in names:
            numbers = itertools.chain([index], free)
            names[index] = next(name for name in map("demo_{}".format, numbers) if name not in taken)
            taken.add(names[index])
    return [names[index] for index in range(len(kept))]

"""Which environments: Isaac Lab says it with tensors, sequences, slices and None."""

from __future__ import annotations

from typing import Any


def listed(env_ids: Any, num_envs: int) -> list[int]:
    """Return the ids as a list; None stands for all environments."""
    if env_ids is None:
        return list(range(num_envs))
    if isinstance(env_ids, slice):
        return list(range(num_envs)[env_ids])
    return [int(env_id) for env_id in env_ids]

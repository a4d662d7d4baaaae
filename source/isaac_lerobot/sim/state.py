"""The scene's state as flat arrays, and back: what playing an episode back starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.sim.tensors import to_torch


def scene_state(env: Any) -> dict[str, NDArray[Any]]:
    """Return the state of the scene's assets relative to each environment's origin.

    Names are Isaac Lab's path, ``"articulation/robot/joint_position"``; shape ``(num_envs, …)``; units are Isaac
    Lab's: poses [m, quaternion], velocities [m/s, rad/s], joints [rad or m, rad/s or m/s].
    """
    return dict(_flat("", env.scene.get_state(is_relative=True)))


def nested(state: Mapping[str, Any]) -> dict[str, Any]:
    """Undo the flattening of :func:`scene_state`."""
    tree: dict[str, Any] = {}
    for path, value in state.items():
        *parents, leaf = path.split("/")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree


def _flat(prefix: str, value: Any) -> list[tuple[str, NDArray[Any]]]:
    if isinstance(value, Mapping):
        return [item for name, part in value.items() for item in _flat(f"{prefix}/{name}" if prefix else name, part)]
    return [(prefix, np.asarray(to_torch(value).detach().cpu().numpy()))]

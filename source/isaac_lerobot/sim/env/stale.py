"""What still shows the previous episode in the first frame after a reset: frame sensors on Newton, pictures of RTX.

On Newton, Isaac Lab's ``FrameTransformer`` takes its poses from the last physics step, and a reset makes none: the
first observation of an episode holds the poses in which the one before it ended (zeros, in the first one of a process).
It is in what the environment gives to everybody, so it is recorded as it is, and said.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from isaac_lerobot.episode_data.tensors import to_torch
from isaac_lerobot.recording import Selection
from isaac_lerobot.sim.env.environment import Environment, ObservationManager
from isaac_lerobot.sim.env.frames import scene_tensors

_RESETS = 3
"""Resets to look at: a sensor that has followed that many follows the others too."""


class StaleSensors:
    """Compares what frame sensors show before a reset and after it, in one environment and at the first resets only.

    Args:
        env: The unwrapped environment.
        selection: What is recorded of it; sensors of which no recorded term makes use do not matter.
    """

    def __init__(self, env: Environment, selection: Selection) -> None:
        self._env = env
        self._terms = _terms_by_sensor(env, selection)
        self._resets = _RESETS
        self._ended: tuple[int, dict[str, Any], dict[str, Any]] | None = None
        self._is_first = True

    def ending(self, env_ids: Sequence[int]) -> None:
        """Remember what the sensors show; environments are about to be reset, their last state still there."""
        if self._terms and self._resets and env_ids:
            env_id = env_ids[0]
            self._ended = (env_id, self._poses(env_id), self._state(env_id))

    def found(self) -> str:
        """Say what is wrong with the observation at hand, once; empty where nothing is.

        To be called from within ``env.step``, before physics.
        """
        ended, self._ended = self._ended, None
        is_first, self._is_first = self._is_first, False
        if not self._terms or not (ended or is_first):
            return ""
        stale = self._stale_since(*ended) if ended else self._never_measured()
        if not stale:
            self._resets -= ended is not None
            return ""
        terms = sorted({term for sensor in stale for term in self._terms[sensor]})
        self._terms = {}
        return (
            f"In the first frame of an episode, {', '.join(terms)} still {'shows' if len(terms) == 1 else 'show'} the "
            f"previous episode, or nothing: Isaac Lab's frame sensor {' and '.join(stale)} is measured by physics "
            "steps only. It is recorded as it is; leave that frame out when training, or observe the body's own pose."
        )

    def _stale_since(self, env_id: int, poses: dict[str, Any], state: dict[str, Any]) -> list[str]:
        now, moved = self._poses(env_id), self._state(env_id)
        if all(moved[path].equal(value) for path, value in state.items()):
            return []
        return [sensor for sensor, pose in poses.items() if now[sensor].equal(pose)]

    def _never_measured(self) -> list[str]:
        """Return the sensors whose orientations are none."""
        return [sensor for sensor, pose in self._poses(0).items() if not pose[..., 3:].any()]

    def _poses(self, env_id: int) -> dict[str, Any]:
        import torch

        poses = {}
        for sensor in self._terms:
            data = self._env.scene.sensors[sensor].data
            pose = (to_torch(data.target_pos_w)[env_id], to_torch(data.target_quat_w)[env_id])
            poses[sensor] = torch.cat(pose, dim=-1)
        return poses

    def _state(self, env_id: int) -> dict[str, Any]:
        return {path: value[env_id].clone() for path, value in scene_tensors(self._env).items()}


def late_pictures(env: Environment, selection: Selection) -> str:
    """Say that the first pictures after a reset will still show the previous episode; empty where they will not.

    Args:
        env: The unwrapped environment.
        selection: What is recorded of it.
    """
    is_rendered_late = getattr(env, "has_rtx_sensors", False) and not getattr(env.cfg, "num_rerenders_on_reset", 0)
    if not (selection.cameras or selection.pictures) or not is_rendered_late:
        return ""
    return (
        "The first picture of each episode still shows the previous one: RTX has drawn it before the reset. Set "
        "num_rerenders_on_reset = 1 in the environment's configuration."
    )


def _terms_by_sensor(env: Environment, selection: Selection) -> dict[str, list[str]]:
    """Return the recorded terms that make use of a frame sensor, by the sensor's name."""
    manager: ObservationManager | None = getattr(env, "observation_manager", None)
    if manager is None:
        return {}
    from isaaclab.sensors import FrameTransformerCfg

    sensors = {name for name, sensor in env.scene.sensors.items() if isinstance(sensor.cfg, FrameTransformerCfg)}
    found: dict[str, list[str]] = {}
    for term in (*selection.state, *selection.observations.values()) if sensors else ():
        for name in _entities(manager, term.key):
            if name in sensors:
                found.setdefault(name, []).append(term.key)
    return found


def _entities(manager: ObservationManager, key: str) -> Iterable[str]:
    """Yield the names of the scene's entities that an observation term is given."""
    group, _, term = key.partition("/")
    cfg = manager._group_obs_term_cfgs[group][manager.active_terms[group].index(term)]
    defaults = {name: parameter.default for name, parameter in inspect.signature(cfg.func).parameters.items()}
    for value in {**defaults, **cfg.params}.values():
        if isinstance(name := getattr(value, "name", None), str):
            yield name

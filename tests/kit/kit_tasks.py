"""Tasks that only tests in Kit need; importing this module registers them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from isaaclab.app.settings_manager import get_settings_manager
from isaaclab.managers import EventTermCfg
from isaaclab.utils import configclass

from sim import counter_task


def fails_to_start(env: Any, env_ids: Any) -> None:
    raise ValueError("there is no such joint")


def has_rtx_cameras(env: Any, env_ids: Any) -> None:
    """Say what Isaac Lab's RTX camera says when it is initialized."""
    get_settings_manager().set("/isaaclab/render/rtx_sensors", True)


@configclass
class BrokenCfg(counter_task.CounterEnvCfg):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.events.broken = EventTermCfg(func=fails_to_start, mode="startup")


@configclass
class CamerasCfg(counter_task.CounterEnvCfg):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.events.cameras = EventTermCfg(func=has_rtx_cameras, mode="startup")


for name, cfg in (("CounterBroken-v0", BrokenCfg), ("CounterCameras-v0", CamerasCfg)):
    if name not in gym.registry:
        gym.register(
            id=name,
            entry_point="isaaclab.envs:ManagerBasedRLEnv",
            disable_env_checker=True,
            kwargs={
                "env_cfg_entry_point": f"{__name__}:{cfg.__name__}",
                "scripted_operator_entry_point": "sim.counter_task:CounterSource",
            },
        )

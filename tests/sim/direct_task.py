"""A tiny ``DirectRLEnv`` that counts its steps. Importing this module registers it and a variant."""

from __future__ import annotations

import gymnasium as gym
import torch
from isaaclab.envs import DirectRLEnv, DirectRLEnvCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass

from sim.counter_task import CounterEnvCfg, CounterSceneCfg

TASK_ID = "Direct-Counter-v0"
MASKED_TASK_ID = "Masked-Counter-v0"
TIME_OUT_STEPS = 6


class DirectCounterEnv(DirectRLEnv):
    """Observes its step and its env; episodes time out after 6 steps."""

    def _pre_physics_step(self, actions: torch.Tensor) -> None:
        self.actions = actions.clone()

    def _apply_action(self) -> None:
        pass

    def _get_observations(self) -> dict[str, torch.Tensor]:
        env_ids = torch.arange(self.num_envs, device=self.device)
        return {"policy": torch.stack((self.episode_length_buf.float(), env_ids.float()), dim=-1)}

    def _get_rewards(self) -> torch.Tensor:
        return torch.zeros(self.num_envs, device=self.device)

    def _get_dones(self) -> tuple[torch.Tensor, torch.Tensor]:
        time_out = self.episode_length_buf >= TIME_OUT_STEPS
        return torch.zeros_like(time_out), time_out


class MaskedCounterEnv(DirectCounterEnv):
    """Resets by a mask, as Isaac Lab allows where the simulation can: no list of environments, no ``_reset_idx``."""

    def _reset_envs_from_buffer(self) -> None:
        self.episode_length_buf[self.reset_buf] = 0


@configclass
class DirectCounterEnvCfg(DirectRLEnvCfg):
    scene: CounterSceneCfg = CounterSceneCfg(num_envs=2, env_spacing=2.0)
    sim: SimulationCfg = CounterEnvCfg().sim
    decimation: int = 1
    episode_length_s: float = 100.0
    observation_space: int = 2
    action_space: int = 2


for task, env in ((TASK_ID, DirectCounterEnv), (MASKED_TASK_ID, MaskedCounterEnv)):
    if task not in gym.registry:
        gym.register(
            id=task,
            entry_point=f"{__name__}:{env.__name__}",
            disable_env_checker=True,
            kwargs={"env_cfg_entry_point": f"{__name__}:DirectCounterEnvCfg"},
        )

"""A source of zeros."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from isaac_lerobot.sim.drive.devices.source import TeleopEvent
from isaac_lerobot.sim.env.environment import ManagerBasedEnvironment


class ZeroSource:
    """Gives an action of zeros at each step."""

    def __init__(self, env: ManagerBasedEnvironment) -> None:
        self._action = torch.zeros(env.num_envs, env.action_manager.total_action_dim, device=env.device)

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Nothing to begin."""

    def advance(self) -> torch.Tensor:
        """Return zeros. Shape is (num_envs, action_dim)."""
        return self._action.clone()

    def events(self) -> list[TeleopEvent]:
        """None."""
        return []

    def close(self) -> None:
        """Nothing is held."""

"""A source of random actions that a robot can follow."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from isaac_lerobot.sim.drive.devices.action_range import action_range
from isaac_lerobot.sim.drive.devices.source import TeleopEvent
from isaac_lerobot.sim.env.environment import ManagerBasedEnvironment

LEG_STEPS = 30
"""Steps from one random action to the next; in between the action moves in a straight line."""


class RandomSource:
    """Wanders within the action's limits: in a straight line from one random action to the next.

    The random actions are drawn evenly between the limits of :func:`.action_range.action_range`; an episode
    begins at rest. The same seed and the same sequence of calls give the same actions on the same kind of device.

    Args:
        env: The env to give actions to.
        seed: Seed of the random numbers; None for a new one each time.
    """

    def __init__(self, env: ManagerBasedEnvironment, seed: int | None = None) -> None:
        self._range = action_range(env)
        self._generator = torch.Generator(env.device)
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)
        self._step = torch.zeros(env.num_envs, 1, device=env.device)
        self._from = self._range.rest.clone()
        self._to = self._range.rest.clone()
        self.reset()

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Go back to rest in these envs, and set out for a new random action."""
        chosen = torch.zeros_like(self._step, dtype=torch.bool)
        chosen[slice(None) if env_ids is None else torch.tensor(list(env_ids), dtype=torch.long)] = True
        self._from = torch.where(chosen, self._range.rest, self._from)
        self._to = torch.where(chosen, self._draw(), self._to)
        self._step = torch.where(chosen, 0.0, self._step)

    def advance(self) -> torch.Tensor:
        """Return the next point on the way. Shape is (num_envs, action_dim)."""
        self._step += 1.0
        action = torch.lerp(self._from, self._to, self._step / LEG_STEPS)
        arrived = self._step >= LEG_STEPS  # never asked for here: that would wait for the device
        self._from = torch.where(arrived, self._to, self._from)
        self._to = torch.where(arrived, self._draw(), self._to)
        self._step = torch.where(arrived, 0.0, self._step)
        # Rounding may carry a point a hair over the limit that it is on.
        return torch.minimum(torch.maximum(action, self._range.low), self._range.high)

    def events(self) -> list[TeleopEvent]:
        """None."""
        return []

    def close(self) -> None:
        """Nothing is held."""

    def _draw(self) -> torch.Tensor:
        share = torch.rand(self._range.low.shape, generator=self._generator, device=self._generator.device)
        return torch.lerp(self._range.low, self._range.high, share)

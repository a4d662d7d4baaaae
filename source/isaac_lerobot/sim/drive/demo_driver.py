"""``DemoDriver``: begins each episode with a simulation as new, as Isaac Lab's ``record_demos.py`` does."""

from __future__ import annotations

from collections.abc import Sequence

from isaac_lerobot.sim.drive.driver import Driver


class DemoDriver(Driver):
    """Resets the simulation with its buffers, and not only the scene; see :class:`.Driver`. For one environment."""

    def reset(self, env_ids: Sequence[int]) -> None:
        """Reset the simulation, then these environments."""
        if self.env is not None and len(env_ids) > 0:
            self.env.sim.reset()
        super().reset(env_ids)

    def _episodes_ended(self, env_ids: Sequence[int]) -> None:
        self.reset(env_ids)

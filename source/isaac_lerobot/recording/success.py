"""The success rule: a task's success term has to hold for a number of steps in a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class SuccessCounter:
    """Counts, per environment, the consecutive steps for which the success term has held."""

    def __init__(self, num_envs: int, num_steps: int) -> None:
        self.num_steps = num_steps
        self._steps = np.zeros(num_envs, dtype=np.int64)

    @property
    def steps(self) -> NDArray[np.int64]:
        """Consecutive steps so far, shape ``(num_envs,)``."""
        return self._steps

    def update(self, holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Count one step.

        Args:
            holds: Whether the term holds now, shape ``(num_envs,)``.

        Returns:
            Which environments have succeeded: the term has held for ``num_steps`` in a row. Shape ``(num_envs,)``.
        """
        self._steps = np.where(holds, self._steps + 1, 0)
        return self._steps >= self.num_steps

    def reset(self, env_id: int) -> None:
        """Start again for an environment whose episode has ended."""
        self._steps[env_id] = 0

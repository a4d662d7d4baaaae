"""``StepTap``: hears of an environment's steps and resets from within, without changing them.

Isaac Lab calls its recorder manager at exactly the two instants a recorder needs: after the action was processed and
before physics (``env.obs_buf`` and ``action_manager.action`` are then the pair of the same t), and before a finished
environment is reset. The tap wraps these bound methods on the manager's instance, so that neither the environment's
code nor its own recorders change, and calls from within the manager are heard as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class StepTap:
    """Calls back from within ``env.step`` and ``env.reset``.

    Args:
        env: The unwrapped manager-based environment.
        on_step: Called when the observation and the action of one step stand together.
        on_reset: Called with the ids of the environments that are about to be reset, their last state still there.
    """

    def __init__(self, env: Any, on_step: Callable[[], None], on_reset: Callable[[list[int]], None]) -> None:
        self._manager = env.recorder_manager
        self._num_envs = env.num_envs
        self._on_step = on_step
        self._on_reset = on_reset
        self._pre_step = self._manager.record_pre_step
        self._pre_reset = self._manager.record_pre_reset
        self._manager.record_pre_step = self._record_pre_step
        self._manager.record_pre_reset = self._record_pre_reset

    def remove(self) -> None:
        """Leave the environment as it was found."""
        for name in ("record_pre_step", "record_pre_reset"):
            self._manager.__dict__.pop(name, None)

    def _record_pre_step(self) -> None:
        self._on_step()
        self._pre_step()

    def _record_pre_reset(self, env_ids: Any, *args: Any, **kwargs: Any) -> None:
        self._on_reset(self._listed(env_ids))
        self._pre_reset(env_ids, *args, **kwargs)

    def _listed(self, env_ids: Any) -> list[int]:
        if env_ids is None:
            return list(range(self._num_envs))
        if isinstance(env_ids, slice):
            return list(range(self._num_envs)[env_ids])
        return [int(env_id) for env_id in env_ids]

"""``StepTap``: hears of an environment's steps and resets from within, without changing them.

Isaac Lab calls its recorder manager at exactly the two instants a recorder needs: after the action was processed and
before physics (``env.obs_buf`` and ``action_manager.action`` are then the pair of the same t), and before a finished
environment is reset. The tap hooks these bound methods on the manager's instance, so that neither the environment's
code nor its own recorders change, and calls from within the manager are heard as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isaac_lerobot.sim.env.hooks import MethodHooks, listed


class StepTap:
    """Calls back from within ``env.step`` and ``env.reset``.

    Args:
        env: The unwrapped manager-based environment.
        on_step: Called when the observation and the action of one step stand together.
        on_reset: Called with the ids of the environments that are about to be reset, their last state still there.
    """

    def __init__(self, env: Any, on_step: Callable[[], None], on_reset: Callable[[list[int]], None]) -> None:
        num_envs = env.num_envs

        def before_reset(env_ids: Any, *_: Any, **__: Any) -> None:
            on_reset(listed(env_ids, num_envs))

        self._hooks = MethodHooks()
        self._hooks.before(env.recorder_manager, "record_pre_step", on_step)
        self._hooks.before(env.recorder_manager, "record_pre_reset", before_reset)

    def remove(self) -> None:
        """Leave the environment as it was found."""
        self._hooks.remove()

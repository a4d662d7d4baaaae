"""``TaskClock``: what a task does because time has passed, and holding that while a person drives."""

from __future__ import annotations

import math
from typing import Any

from isaac_lerobot.sim.env.environment import ManagerBasedRLEnvironment

_NEVER_S = 1.0e6
"""When the next command is drawn [s]: far behind the end of any demonstration, and finite as Isaac Lab wants it."""


class TaskClock:
    """Holds a task's time-outs, and the drawing of new commands, and lets them go on.

    A task's episodes are as long as a policy needs. A person at a keyboard takes many times longer, and would have the
    scene reset under the hands.

    Args:
        env: The unwrapped manager-based RL environment.
    """

    def __init__(self, env: ManagerBasedRLEnvironment) -> None:
        self._time_outs = [_TimeOut(cfg) for cfg in _time_out_cfgs(env)]
        commands = [env.command_manager.get_term(name) for name in env.command_manager.active_terms]
        self._commands = [_Command(term) for term in commands if math.isfinite(term.cfg.resampling_time_range[1])]

    def hold(self, held: bool) -> None:
        """Hold the clock, or let it go on."""
        for time_out in self._time_outs:
            time_out.hold(held)
        for command in self._commands:
            command.hold(held)


class _TimeOut:
    """A termination term that ends episodes by the clock."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg
        self._says = cfg.func
        self._held = False

    def hold(self, held: bool) -> None:
        if held != self._held:
            self._held = held
            self._cfg.func = self if held else self._says

    def __call__(self, env: Any, **params: Any) -> Any:
        import torch

        return torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)

    def reset(self, env_ids: Any = None) -> None:
        """Pass a reset on to a term that keeps state between steps."""
        if callable(reset := getattr(self._says, "reset", None)):
            reset(env_ids=env_ids)


class _Command:
    """A command term, which draws another command from time to time."""

    def __init__(self, term: Any) -> None:
        self._term = term
        self._period = term.cfg.resampling_time_range
        self._held = False

    def hold(self, held: bool) -> None:
        if held == self._held:
            return
        self._held = held
        self._term.cfg.resampling_time_range = (_NEVER_S, _NEVER_S) if held else self._period
        self._term.time_left[:] = _NEVER_S if held else self._period[0]


def _time_out_cfgs(env: ManagerBasedRLEnvironment) -> list[Any]:
    manager = env.termination_manager
    cfgs = [manager.get_term_cfg(name) for name in manager.active_terms]
    return [cfg for cfg in cfgs if cfg.time_out]

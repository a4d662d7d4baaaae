"""The demo task with an operator who resets at the wrong moments. Importing this module registers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from isaac_lerobot.app.demo_task import TASK_ID as DEMO_TASK
from isaac_lerobot.app.demo_task.operator import PickCubeOperator
from isaac_lerobot.sim.drive.devices import TeleopEvent

TASK_ID = "Impatient-Pick-Cube-v0"


class ImpatientOperator(PickCubeOperator):
    """Does the task; resets once in the middle of it, and again and again when it has just succeeded."""

    def __init__(self, env: Any, *, seed: int = 0, fail: bool = False) -> None:
        super().__init__(env, seed=seed, fail=fail)
        self._terminations = env.termination_manager
        self._steps = 0
        self._has_reset = False

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        super().reset(env_ids)
        self._steps = 0

    def advance(self) -> Any:
        self._steps += 1
        return super().advance()

    def events(self) -> list[TeleopEvent]:
        if self._steps == 20 and not self._has_reset:
            self._has_reset = True
            return [TeleopEvent.RESET]
        # While recording, the success term is the patient one, which counts for how many steps it has held.
        steps = getattr(self._terminations.get_term_cfg("success").func, "steps", np.zeros(1))
        return [TeleopEvent.RESET] if steps[0] > 0 else []


if TASK_ID not in gym.registry:
    gym.register(
        id=TASK_ID,
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={**gym.spec(DEMO_TASK).kwargs, "scripted_operator_entry_point": f"{__name__}:ImpatientOperator"},
    )

"""The scripted operator that a task may bring along, named where the task is registered with gymnasium."""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium as gym

from isaac_lerobot.errors import DeviceError
from isaac_lerobot.sim.drive.devices.source import TeleopSource
from isaac_lerobot.sim.env.environment import ManagerBasedEnvironment

SCRIPTED = "scripted"
SCRIPTED_FAIL = "scripted-fail"

ENTRY_POINT = "scripted_operator_entry_point"
"""The keyword argument of ``gym.register`` that names a task's operator, as ``"module:Class"``.

The class is called as ``Class(env, seed=seed, fail=fail)`` and is a :class:`.source.TeleopSource`; told to fail,
it must not solve the task.
"""


def missing_operator(task_id: str) -> str:
    """Return why the task has no scripted operator; empty where it has one."""
    spec = gym.registry.get(task_id)
    if spec is not None and ENTRY_POINT in spec.kwargs:
        return ""
    return f"is not offered by this task (it is registered without {ENTRY_POINT!r})"


def make_operator(env: ManagerBasedEnvironment, *, task_id: str, seed: int | None, fail: bool) -> TeleopSource:
    """Create the task's scripted operator.

    Raises:
        DeviceError: Its class cannot be found.
    """
    entry_point = str(gym.spec(task_id).kwargs[ENTRY_POINT])
    module_name, _, class_name = entry_point.partition(":")
    try:
        operator_type: Any = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise DeviceError(f"The scripted operator of {task_id}, {entry_point}, cannot be loaded: {error}") from error
    operator: TeleopSource = operator_type(env, seed=0 if seed is None else seed, fail=fail)
    return operator

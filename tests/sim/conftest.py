"""Real Isaac Lab environments for tests: Newton on the CPU, without Kit.

Isaac Lab has one simulation per process. ``env.close()`` gives it back, and the next environment can be made;
one that could not be built leaves its simulation behind, which ``SimulationContext.clear_instance()`` removes.
Without a running Kit, ``gymnasium.make(task_id, cfg=cfg)`` is all that is needed: nothing is launched for Newton.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import isaac_lerobot.app.demo_task  # noqa: F401 (registers the demo task)

MakeEnv = Callable[..., Any]

_open_envs: list[Any] = []


@pytest.fixture
def make_env() -> Iterator[MakeEnv]:
    """``make_env(task_id, num_envs=1, **overrides)`` returns an unwrapped env, which is closed after the test.

    An override's name is a dotted path into the configuration: ``make_env(TASK_ID, **{"terminations.success": None})``.
    Making an env closes the one before, whichever fixture made it.
    """
    yield _make
    _close()


@pytest.fixture(scope="module")
def make_module_env() -> Iterator[MakeEnv]:
    """As ``make_env``, but what it makes may live until the end of the module."""
    yield _make
    _close()


def _make(task_id: str, num_envs: int = 1, **overrides: Any) -> Any:
    _close()
    _open_envs.append(_build(task_id, num_envs, overrides))
    return _open_envs[-1]


def _close() -> None:
    while _open_envs:
        _open_envs.pop().close()


def _build(task_id: str, num_envs: int, overrides: dict[str, Any]) -> Any:
    import gymnasium as gym
    from isaaclab.sim import SimulationContext
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

    cfg: Any = load_cfg_from_registry(task_id, "env_cfg_entry_point")
    cfg.scene.num_envs = num_envs
    cfg.seed = 0
    for path, value in overrides.items():
        *parents, name = path.split(".")
        place = cfg
        for parent in parents:
            place = getattr(place, parent)
        setattr(place, name, value)
    try:
        return gym.make(task_id, cfg=cfg).unwrapped
    except Exception:
        SimulationContext.clear_instance()
        raise

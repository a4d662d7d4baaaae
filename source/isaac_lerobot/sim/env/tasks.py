"""Tasks: which ones there are, and the configuration of one."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Sequence
from typing import Any

from isaac_lerobot.errors import ConfigError, TaskError, nearest
from isaac_lerobot.recording import RecordingConfig

DEMO_TASK = "Isaac-LeRobot-Pick-Cube-v0"
_DEMO_PACKAGE = "isaac_lerobot.app.demo_task"


def list_tasks(packages: Sequence[str]) -> list[str]:
    """Return the ids of all tasks that Isaac Lab could build, sorted.

    Args:
        packages: Further modules to import first, because they register tasks.

    Raises:
        ConfigError: One of the packages cannot be imported.
    """
    import gymnasium

    # The demo task and Isaac Lab's own come with the house; `isaaclab_tasks` may be left out of an installation.
    importlib.import_module(_DEMO_PACKAGE)
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("isaaclab_tasks")
    for package in packages:
        try:
            importlib.import_module(package)
        except Exception as error:  # somebody else's code
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"task_packages: {package} cannot be imported: {type(error).__name__}: {reason}."
            ) from error
    return sorted(name for name, spec in gymnasium.registry.items() if "env_cfg_entry_point" in spec.kwargs)


def load_env_cfg(config: RecordingConfig) -> Any:
    """Return the environment configuration of ``config.task``, with device, number of environments and seed set.

    Raises:
        TaskError: There is no such task (the nearest ones are named), or its configuration cannot be loaded.
    """
    known = list_tasks(config.task_packages)
    if config.task not in known:
        raise TaskError(f"There is no task '{config.task}'. {nearest(config.task, known)}")
    from isaaclab_tasks.utils.parse_cfg import parse_env_cfg

    try:
        env_cfg = parse_env_cfg(config.task, device=config.device, num_envs=config.num_envs)
    except Exception as error:  # a task's configuration is somebody else's code
        raise TaskError(f"The configuration of {config.task} cannot be loaded: {error}") from error
    env_cfg.seed = config.seed if config.seed is not None else env_cfg.seed
    # Without a re-render the first picture after a reset would still show the previous episode.
    env_cfg.num_rerenders_on_reset = max(1, getattr(env_cfg, "num_rerenders_on_reset", 0))
    return env_cfg


def task_kwargs(task: str) -> dict[str, Any]:
    """Return the keyword arguments with which ``task`` was registered."""
    import gymnasium

    return dict(gymnasium.spec(task).kwargs)

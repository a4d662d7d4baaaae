"""How many frames per second a dataset has, from what a file handler is told."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isaac_lerobot.sim.env.offer import frames_per_second

logger = logging.getLogger(__name__)

DEFAULT_FPS = 30
"""Frame rate of a dataset whose rate nothing tells [1/s]; used with a warning."""


def rate_of(env_args: Mapping[str, Any]) -> int | None:
    """Return the rate that Isaac Lab's facts about the environment tell [1/s], None where they do not.

    Raises:
        TaskError: It is no whole number.
    """
    sim_args = env_args.get("sim_args") or {}
    if "dt" in sim_args and "decimation" in sim_args:
        return frames_per_second(sim_args["dt"] * sim_args["decimation"])
    return None


def guessed_rate(env_name: str | None, root: Path) -> int:
    """Return the rate of the registered task of a name [1/s]; where there is none, :data:`DEFAULT_FPS`."""
    step_dt = _step_dt_of_task(env_name)
    if step_dt is not None:
        return frames_per_second(step_dt)
    logger.warning(
        "Nothing tells how many frames per second %s has; %d are assumed. Set the handler's `fps`, or call "
        "add_env_args({'sim_args': {'dt': …, 'decimation': …}}) before the first episode.", root, DEFAULT_FPS,
    )  # fmt: skip
    return DEFAULT_FPS


def _step_dt_of_task(env_name: str | None) -> float | None:
    """Return the step [s] of a registered task, None where there is none of that name."""
    if not env_name:
        return None
    # Loading a task's configuration runs somebody else's code; not knowing the rate is no reason to fail.
    with contextlib.suppress(Exception):
        from isaac_lerobot.recording import RecordingConfig
        from isaac_lerobot.sim.env.tasks import load_env_cfg

        cfg = load_env_cfg(RecordingConfig(task=env_name))
        return float(cfg.sim.dt * cfg.decimation)
    return None

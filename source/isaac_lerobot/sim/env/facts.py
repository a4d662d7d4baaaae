"""Facts about an environment besides its frames, to be kept with the dataset."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any

from isaac_lerobot.sim.env.environment import Environment

_PACKAGES = ("isaaclab", "isaacsim", "isaac-lerobot", "torch", "numpy")


def environment_facts(env: Environment, task: str) -> dict[str, Any]:
    """Return what there is to know of an environment besides its frames, as JSON-able values."""
    sim_args: Mapping[str, Any] = {
        "dt": env.cfg.sim.dt,
        "decimation": env.cfg.decimation,
        "render_interval": env.cfg.sim.render_interval,
        "num_envs": env.cfg.scene.num_envs,
    }
    return {
        "env_name": task,
        "env_args": {"sim_args": sim_args},
        "device": str(env.device),
        "versions": package_versions(),
    }


def package_versions() -> dict[str, str]:
    """Return the version of each package that is installed, by its name."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions

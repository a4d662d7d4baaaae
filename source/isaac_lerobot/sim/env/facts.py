"""Facts about an environment besides its frames, to be kept with the dataset."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any

from isaac_lerobot.episode_data.tensors import to_torch
from isaac_lerobot.recording import Selection, TermOffer
from isaac_lerobot.sim.env.environment import Environment

TERMS = "terms"
"""Name under which :func:`term_facts` are kept with a dataset."""

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


def term_facts(env: Environment, selection: Selection) -> dict[str, dict[str, Any]]:
    """Return what the names of the recorded terms do not say, by key, as JSON-able values.

    For each term the ``function`` that computes it and the ``entity`` of the scene that it is about, where they are
    known. A term that holds joint positions or velocities less their defaults has ``relative_to`` as well: the defaults
    by joint [m or rad, or per s], which are to be added to get absolute values; null where they differ between the
    environments.
    """
    facts: dict[str, dict[str, Any]] = {}
    for term in (*selection.state, *selection.observations.values()):
        if term.function:
            facts[term.key] = {"function": term.function, "entity": term.entity or None}
        if term.is_relative:
            facts[term.key]["relative_to"] = _defaults(env, term)
    return facts


def _defaults(env: Environment, term: TermOffer) -> dict[str, float] | None:
    articulation = env.scene.articulations.get(term.entity)
    if articulation is None or term.names is None or not set(term.names) <= set(articulation.joint_names):
        return None
    data = articulation.data
    values = to_torch(data.default_joint_vel if "vel" in term.function else data.default_joint_pos)
    if not bool((values == values[0]).all()):
        return None
    by_joint = dict(zip(articulation.joint_names, values[0].tolist(), strict=True))
    return {name: by_joint[name] for name in term.names}


def package_versions() -> dict[str, str]:
    """Return the version of each package that is installed, by its name."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions

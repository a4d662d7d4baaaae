"""From a built environment to what it offers a recording."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any

from isaac_lerobot.episode_data.tensors import to_torch
from isaac_lerobot.errors import TaskError
from isaac_lerobot.recording import CameraOffer, DeviceOffer, TaskOffer, TermOffer
from isaac_lerobot.recording.offer import find_success_term

COLOUR_OUTPUTS = ("rgb", "rgba")
"""Camera outputs that are colour pictures, in the order in which they are looked for."""


_WHOLE = "obs"
"""Term name of a group that is one tensor: direct environments do not name their terms."""


def inspect_env(env: Any, task: str, devices: Iterable[DeviceOffer] = (), success_term: str | None = None) -> TaskOffer:
    """Return what a (reset) manager-based environment offers.

    Args:
        env: The unwrapped environment.
        task: Its id.
        devices: The devices that could drive it.
        success_term: The termination term that means success, see :func:`.find_success_term`.

    Raises:
        TaskError: It has no such success term, or its rate is no whole number of frames per second, which the format
            cannot hold.
    """
    robot = main_robot(env)
    return TaskOffer(
        task=task,
        fps=frames_per_second(env.step_dt),
        num_envs=env.num_envs,
        action_names=tuple(_action_names(env)),
        cameras=tuple(camera_offers(env)),
        terms=tuple(_terms(env)),
        devices=tuple(devices),
        success_term=find_success_term(task, _terminations(env), success_term),
        robot_type=robot,
        description=_description(env),
    )


def inspect_direct_env(env: Any, task: str, success_term: str | None = None) -> TaskOffer:
    """Return what a (reset) direct environment offers: its groups as ``policy/obs``, or ``group/term``.

    Args:
        env: The unwrapped environment.
        task: Its id.
        success_term: The termination term that was asked for; direct environments have none.

    Raises:
        TaskError: A success term was asked for, or its rate is no whole number of frames per second.
    """
    size = int(env.single_action_space.shape[0])
    return TaskOffer(
        task=task,
        fps=frames_per_second(env.step_dt),
        num_envs=env.num_envs,
        action_names=("action",) if size == 1 else tuple(f"action.{index}" for index in range(size)),
        cameras=tuple(camera_offers(env)),
        terms=tuple(_terms_of_groups(env.obs_buf)),
        success_term=find_success_term(task, (), success_term),
        robot_type=main_robot(env),
        description=str(getattr(env.cfg, "task_description", "") or ""),
    )


def frames_per_second(step_dt: float) -> int:
    """Return 1 / ``step_dt`` [1/s], which has to be whole: a LeRobot dataset's fps is an integer.

    Raises:
        TaskError: It is not.
    """
    fps = round(1.0 / step_dt)
    if fps < 1 or not math.isclose(fps * step_dt, 1.0, rel_tol=1e-6):
        raise TaskError(
            f"The task steps every {step_dt:.6g} s, which is {1.0 / step_dt:.6g} frames per second; a LeRobot dataset "
            f"needs a whole number. Set sim.dt to {1.0 / max(fps, 1):.6g} / decimation s in the task's configuration."
        )
    return fps


def colour_output(sensor: Any) -> Any | None:
    """Return a camera's colour picture, shape ``(num_envs, H, W, 3 or 4)``, uint8, or None if it makes none."""
    output = sensor.data.output
    for name in COLOUR_OUTPUTS:
        if name in output:
            return to_torch(output[name])
    return None


def camera_offers(env: Any) -> Iterable[CameraOffer]:
    """Yield the scene's cameras that make colour pictures."""
    from isaaclab.sensors import Camera

    for name, sensor in env.scene.sensors.items():
        if isinstance(sensor, Camera):
            picture = colour_output(sensor)
            if picture is not None:
                yield CameraOffer(name, height=picture.shape[1], width=picture.shape[2])


def _terms(env: Any) -> Iterable[TermOffer]:
    manager = env.observation_manager
    for group, terms in manager.active_terms.items():
        observation = env.obs_buf[group]
        shapes = manager.group_obs_term_dim[group]
        for index, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
            values = to_torch(observation[term] if isinstance(observation, dict) else observation)
            names = _joint_names_of_term(env, group, index)
            fits = names is not None and len(names) == math.prod(shape)
            dtype = str(values.dtype).removeprefix("torch.")
            yield TermOffer(f"{group}/{term}", tuple(shape), dtype, tuple(names) if names and fits else None)


def _joint_names_of_term(env: Any, group: str, index: int) -> list[str] | None:
    """Return the joint names of a term that is about an articulation's joints, else None.

    Isaac Lab's terms say which joints in a ``SceneEntityCfg``; that a term is about joints is told by its function's
    name. (Its IO descriptors would know better; they are deprecated and gone in Isaac Lab 3.2.)
    """
    term = env.observation_manager._group_obs_term_cfgs[group][index]
    if "joint" not in getattr(term.func, "__name__", ""):
        return None
    default = inspect.signature(term.func).parameters.get("asset_cfg")
    asset_cfg = term.params.get("asset_cfg", default.default if default is not None else None)
    articulation = env.scene.articulations.get(getattr(asset_cfg, "name", ""))
    if articulation is None:
        return None
    names, chosen = list(articulation.joint_names), asset_cfg.joint_ids
    return names[chosen] if isinstance(chosen, slice) else [names[joint] for joint in chosen]


def _action_names(env: Any) -> Iterable[str]:
    manager = env.action_manager
    for name, size in zip(manager.active_terms, manager.action_term_dim, strict=True):
        # Isaac Lab's joint actions keep the names of their joints; other actions have none to tell.
        joints = list(getattr(manager.get_term(name), "_joint_names", ()))
        if size == 1:
            yield name
        elif len(joints) == size:
            yield from (f"{name}.{joint}" for joint in joints)
        else:
            yield from (f"{name}.{index}" for index in range(size))


def main_robot(env: Any) -> str | None:
    """Return the robot's name: what the task calls it, else the asset of the scene's robot."""
    named = getattr(env.cfg, "robot_type", None)
    articulations = list(env.scene.articulations)
    if named or not articulations:
        return named or None
    key = "robot" if "robot" in articulations else articulations[0]
    usd_path = getattr(env.scene[key].cfg.spawn, "usd_path", None)
    return usd_path.rsplit("/", 1)[-1].split(".")[0].lower() if isinstance(usd_path, str) else key


def _terminations(env: Any) -> list[str]:
    # A ManagerBasedEnv without rewards has no terminations either.
    terminations = getattr(env, "termination_manager", None)
    return [] if terminations is None else list(terminations.active_terms)


def _description(env: Any) -> str:
    return str(getattr(env.cfg, "task_description", "") or "")


def _terms_of_groups(observation: Mapping[str, Any]) -> Iterable[TermOffer]:
    for group, values in observation.items():
        terms = values if isinstance(values, Mapping) else {_WHOLE: values}
        for term, value in terms.items():
            tensor = to_torch(value)
            yield TermOffer(f"{group}/{term}", tuple(tensor.shape[1:]), str(tensor.dtype).removeprefix("torch."))

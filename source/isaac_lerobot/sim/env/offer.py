"""From a built environment to what it offers a recording."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any

from isaac_lerobot.episode_data.tensors import to_torch
from isaac_lerobot.errors import TaskError
from isaac_lerobot.recording import CameraOffer, DeviceOffer, LeftOut, TaskOffer, TermOffer
from isaac_lerobot.recording.offer import find_success_term, whole_fps
from isaac_lerobot.sim.env.environment import DirectEnvironment, Environment, ManagerBasedEnvironment

COLOUR_OUTPUTS = ("rgb", "rgba")
"""Camera outputs that are colour pictures, in the order in which they are looked for."""

_WHOLE = "obs"
"""Term name of a group that is one tensor: direct environments do not name their terms."""

_ENTITY_PARAMETERS = ("asset_cfg", "robot_cfg", "sensor_cfg")
"""What Isaac Lab's observation functions call the ``SceneEntityCfg`` of what they are about."""


def inspect_env(
    env: ManagerBasedEnvironment, task: str, devices: Iterable[DeviceOffer] = (), success_term: str | None = None
) -> TaskOffer:
    """Return what a (reset) manager-based environment offers.

    Args:
        env: The unwrapped environment.
        task: Its id.
        devices: The devices that could drive it.
        success_term: The termination term that means success, see :func:`.find_success_term`.

    Raises:
        TaskError: It has no such success term, it was not reset, or its rate is no whole number of frames per second,
            which the format cannot hold.
    """
    return _offer(
        env,
        task,
        action_names=tuple(_action_names(env)),
        terms=list(_terms(env, _observation(env, task))),
        devices=tuple(devices),
        robots=tuple(_robots(env)),
        success_term=find_success_term(task, _terminations(env), success_term),
    )


def inspect_direct_env(env: DirectEnvironment, task: str, success_term: str | None = None) -> TaskOffer:
    """Return what a (reset) direct environment offers: its groups as ``policy/obs``, or ``group/term``.

    Args:
        env: The unwrapped environment.
        task: Its id.
        success_term: The termination term that was asked for; direct environments have none.

    Raises:
        TaskError: A success term was asked for, the environment was not reset, its actions are no vector, or its rate
            is no whole number of frames per second.
    """
    size = _direct_action_size(env, task)
    return _offer(
        env,
        task,
        action_names=("action",) if size == 1 else tuple(f"action.{index}" for index in range(size)),
        terms=list(_terms_of_groups(_observation(env, task))),
        success_term=find_success_term(task, (), success_term),
    )


def frames_per_second(step_dt: float) -> int:
    """Return 1 / ``step_dt`` [1/s], which has to be whole: a LeRobot dataset's fps is an integer.

    Raises:
        TaskError: It is not.
    """
    fps = whole_fps(step_dt)
    if fps is None:
        nearest_dt = 1.0 / max(round(1.0 / step_dt), 1)
        raise TaskError(
            f"The task steps every {step_dt:.6g} s, which is {1.0 / step_dt:.6g} frames per second; a LeRobot dataset "
            f"needs a whole number. Set sim.dt to {nearest_dt:.6g} / decimation s in the task's configuration."
        )
    return fps


def colour_output(sensor: Any) -> Any | None:
    """Return a camera's colour picture, shape ``(num_envs, H, W, 3 or 4)``, uint8, or None if it makes none."""
    output = sensor.data.output
    for name in COLOUR_OUTPUTS:
        if name in output:
            return to_torch(output[name])
    return None


def function_name(cfg: Any) -> str:
    """Return the name of a term's function; the class's, where an instance computes it."""
    name = getattr(cfg.func, "__name__", None)
    return str(name or type(cfg.func).__name__)


def main_robot(env: Environment) -> str | None:
    """Return the robot's name: what the task calls it, else the asset of the scene's robot."""
    named = getattr(env.cfg, "robot_type", None)
    articulations = list(env.scene.articulations)
    if named or not articulations:
        return named or None
    key = "robot" if "robot" in articulations else articulations[0]
    usd_path = getattr(env.scene[key].cfg.spawn, "usd_path", None)
    return usd_path.rsplit("/", 1)[-1].split(".")[0].lower() if isinstance(usd_path, str) else key


def _offer(env: Environment, task: str, *, terms: list[TermOffer], **others: Any) -> TaskOffer:
    cameras, left_out = _cameras(env)
    left_out += [LeftOut(term.key, term.obstacle) for term in terms if term.obstacle]
    return TaskOffer(
        task=task,
        fps=frames_per_second(env.step_dt),
        num_envs=env.num_envs,
        cameras=tuple(cameras),
        terms=tuple(term for term in terms if not term.obstacle),
        left_out=tuple(left_out),
        robot_type=main_robot(env),
        description=str(getattr(env.cfg, "task_description", "") or ""),
        **others,
    )


def _observation(env: Environment, task: str) -> Mapping[str, Any]:
    observation = getattr(env, "obs_buf", None)
    if not isinstance(observation, Mapping) or not observation:
        raise TaskError(f"{task} was not reset, so its observations are not known. Call env.reset() before env.step().")
    return observation


def _cameras(env: Environment) -> tuple[list[CameraOffer], list[LeftOut]]:
    from isaaclab.sensors import Camera

    offered, left_out = [], []
    for name, sensor in env.scene.sensors.items():
        if not isinstance(sensor, Camera):
            continue
        picture = colour_output(sensor)
        if picture is None:
            made = ", ".join(sensor.data.output) or "nothing"
            left_out.append(LeftOut(name, f"makes {made} and no colour picture: add 'rgb' to its data_types"))
        else:
            offered.append(CameraOffer(name, height=picture.shape[1], width=picture.shape[2]))
    return offered, left_out


def _terms(env: ManagerBasedEnvironment, observations: Mapping[str, Any]) -> Iterable[TermOffer]:
    manager = env.observation_manager
    for group, terms in manager.active_terms.items():
        shapes, cfgs = manager.group_obs_term_dim[group], manager._group_obs_term_cfgs[group]
        for term, shape, cfg in zip(terms, shapes, cfgs, strict=True):
            observation = observations[group]
            values = to_torch(observation[term] if isinstance(observation, Mapping) else observation)
            names = _with_history(_joint_names(env, cfg) or (), cfg.history_length)
            yield TermOffer(
                f"{group}/{term}",
                # Isaac Lab gives the shape of one number per environment as ().
                tuple(shape) or (1,),
                _dtype(values),
                names=names if len(names) == math.prod(shape) else None,
                function=function_name(cfg),
                entity=_entity(cfg),
                is_scalar=not shape,
            )


def _terms_of_groups(observations: Mapping[str, Any]) -> Iterable[TermOffer]:
    for group, values in observations.items():
        terms = values if isinstance(values, Mapping) else {_WHOLE: values}
        for term, value in terms.items():
            tensor = to_torch(value)
            shape = tuple(tensor.shape[1:])
            yield TermOffer(f"{group}/{term}", shape or (1,), _dtype(tensor), is_scalar=not shape)


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _entity(cfg: Any) -> str:
    """Return what of the scene a term is about, as its parameters or their defaults say; empty where they do not."""
    for name in _ENTITY_PARAMETERS:
        entity = getattr(_parameter(cfg, name), "name", None)
        if isinstance(entity, str):
            return entity
    return ""


def _parameter(cfg: Any, name: str) -> Any:
    """Return a parameter of a term's function: as configured, else its default, else None."""
    parameter = inspect.signature(cfg.func).parameters.get(name)
    default = None if parameter is None or parameter.default is inspect.Parameter.empty else parameter.default
    return cfg.params.get(name, default)


def _joint_names(env: ManagerBasedEnvironment, cfg: Any) -> tuple[str, ...] | None:
    """Return the joint names of a term that is about an articulation's joints, else None.

    Isaac Lab's terms say which joints in a ``SceneEntityCfg``, or in ``joint_names`` of the robot; that a term is
    about joints is told by its function's name. (Its IO descriptors would know better; they are deprecated and gone
    in Isaac Lab 3.2.)
    """
    if "joint" not in function_name(cfg):
        return None
    asset_cfg, patterns = _parameter(cfg, "asset_cfg"), cfg.params.get("joint_names")
    articulation = env.scene.articulations.get(getattr(asset_cfg, "name", "robot"))
    if articulation is None or (asset_cfg is None and not patterns):
        return None
    if asset_cfg is None:
        return tuple(articulation.find_joints(patterns)[1])
    names, chosen = tuple(articulation.joint_names), asset_cfg.joint_ids
    return names[chosen] if isinstance(chosen, slice) else tuple(names[joint] for joint in chosen)


def _with_history(names: tuple[str, ...], steps: int) -> tuple[str, ...]:
    """Return a name per element of values of several steps, the oldest first: ``joint.t-1``, …, ``joint.t``."""
    if not steps:
        return names
    return tuple(f"{name}.t{f'-{back}' if back else ''}" for back in range(steps - 1, -1, -1) for name in names)


def _action_names(env: ManagerBasedEnvironment) -> Iterable[str]:
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


def _direct_action_size(env: DirectEnvironment, task: str) -> int:
    """Return the number of elements of a direct environment's action; that of a discrete one is its number.

    Raises:
        TaskError: Actions are made of parts (a dict or a tuple of spaces).
    """
    shape = env.single_action_space.shape
    if shape is None:
        kind = type(env.single_action_space).__name__
        raise TaskError(f"The actions of {task} are a {kind} of spaces; those of one vector or number can be recorded.")
    return math.prod(shape)


def _robots(env: ManagerBasedEnvironment) -> Iterable[str]:
    manager = env.action_manager
    driven = {getattr(manager.get_term(name).cfg, "asset_name", None) for name in manager.active_terms}
    return (name for name in env.scene.articulations if name in driven)


def _terminations(env: Environment) -> list[str]:
    # A ManagerBasedEnv without rewards has no terminations either.
    terminations = getattr(env, "termination_manager", None)
    return [] if terminations is None else list(terminations.active_terms)

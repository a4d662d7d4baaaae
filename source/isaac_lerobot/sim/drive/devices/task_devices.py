"""The devices that a task brings along: ``env_cfg.teleop_devices`` and ``env_cfg.isaac_teleop``."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

from isaac_lerobot.errors import DeviceError
from isaac_lerobot.sim.drive.devices.device_source import DeviceSource
from isaac_lerobot.sim.drive.devices.keyboard import HandKeyboard
from isaac_lerobot.sim.drive.devices.se3 import SE3_DEVICES, missing_se3
from isaac_lerobot.sim.drive.devices.spacemouse import SpaceMouse
from isaac_lerobot.sim.env.environment import ManagerBasedEnvironment

HAND_TRACKING = "handtracking"
ISAAC_TELEOP = "isaac_teleop"


def task_devices(env_cfg: Any) -> dict[str, Any]:
    """Return the configurations of the devices that the task names in ``teleop_devices``, by name."""
    devices = getattr(getattr(env_cfg, "teleop_devices", None), "devices", None)
    return dict(devices) if devices else {}


def missing_task_device(name: str, env_cfg: Any, window_comes: bool, xr_comes: bool) -> str:
    """Return why a device that the task names cannot be used here; empty where it can.

    Args:
        name: Its name.
        env_cfg: The task's configuration.
        window_comes: Whether Kit's window will be there in time.
        xr_comes: Whether a headset's session will be.
    """
    kind = str(getattr(task_devices(env_cfg)[name], "class_type", "")).lower()
    for se3 in SE3_DEVICES:
        if se3 in kind:
            return missing_se3(se3, window_comes)
    if "openxr" in kind or "manus" in kind:
        return "" if xr_comes else _missing_xr()
    return ""


def make_task_device(name: str, env: ManagerBasedEnvironment) -> DeviceSource:
    """Open a device as the task configures it.

    Raises:
        DeviceError: It cannot be opened.
    """
    try:
        return DeviceSource(name, _open(name, env.cfg), env)
    except Exception as error:  # the device's own libraries raise what they like
        raise DeviceError(f"The teleop device '{name}' of the task cannot be opened: {error}") from error


def missing_isaac_teleop(env_cfg: Any) -> str:
    """Return why Isaac Teleop (headsets, gloves, leader arms) cannot be used; empty where it can."""
    if getattr(env_cfg, "isaac_teleop", None) is None:
        return "is not configured by this task (it has no env_cfg.isaac_teleop)"
    if importlib.util.find_spec("isaacteleop") is None:
        return "needs the Python package 'isaacteleop', which is not installed"
    return ""


def make_isaac_teleop(name: str, env: ManagerBasedEnvironment) -> DeviceSource:
    """Open an Isaac Teleop session as the task configures it; through Kit's XR bridge where Kit runs with XR.

    Raises:
        DeviceError: It cannot be opened.
    """
    from isaaclab_teleop import create_isaac_teleop_device

    try:
        device = create_isaac_teleop_device(
            env.cfg.isaac_teleop,
            sim_device=str(env.device),
            use_kit_xr_bridge=bool(env.sim.get_setting("/isaaclab/xr/enabled")),
        )
        return DeviceSource(name, device, env)
    except Exception as error:  # the device's own libraries raise what they like
        raise DeviceError(f"The teleop device '{name}' cannot be opened: {error}") from error


def _open(name: str, env_cfg: Any) -> Any:
    cfg = task_devices(env_cfg)[name]
    if _is_plain(cfg, "Se3KeyboardCfg"):
        return HandKeyboard(cfg.gripper_term, cfg.pos_sensitivity, cfg.rot_sensitivity)
    if _is_plain(cfg, "Se3SpaceMouseCfg"):
        return SpaceMouse(cfg)
    from isaaclab.devices import create_teleop_device

    with warnings.catch_warnings():
        # Deprecated in 3.0 for tasks that move to isaac_teleop; these tasks have not.
        warnings.simplefilter("ignore", DeprecationWarning)
        return create_teleop_device(name, task_devices(env_cfg))


def _is_plain(cfg: Any, kind: str) -> bool:
    """Whether a configuration is Isaac Lab's own for Isaac Lab's own class: ours then takes its place."""
    return type(cfg).__name__ == kind and cfg.class_type == type(cfg)().class_type


def _missing_xr() -> str:
    from isaaclab.app.settings_manager import get_settings_manager

    if get_settings_manager().get("/isaaclab/xr/enabled"):
        return ""
    return "needs a headset, and this app was started without XR (Isaac Lab's --xr)"

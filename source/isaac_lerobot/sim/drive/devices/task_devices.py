"""The devices that a task brings along: ``env_cfg.teleop_devices`` and ``env_cfg.isaac_teleop``."""

from __future__ import annotations

import importlib.util
import warnings
from typing import TYPE_CHECKING, Any

from isaac_lerobot.errors import DeviceError
from isaac_lerobot.sim.drive.devices.device_source import DeviceSource
from isaac_lerobot.sim.drive.devices.se3 import SE3_DEVICES, missing_se3

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedEnv

HAND_TRACKING = "handtracking"
ISAAC_TELEOP = "isaac_teleop"


def task_devices(env_cfg: Any) -> dict[str, Any]:
    """Return the configurations of the devices that the task names in ``teleop_devices``, by name."""
    devices = getattr(getattr(env_cfg, "teleop_devices", None), "devices", None)
    return dict(devices) if devices else {}


def missing_task_device(name: str, env_cfg: Any) -> str:
    """Return why a device that the task names cannot be used here; empty where it can."""
    kind = str(getattr(task_devices(env_cfg)[name], "class_type", "")).lower()
    for se3 in SE3_DEVICES:
        if se3 in kind:
            return missing_se3(se3)
    if "openxr" in kind or "manus" in kind:
        return _missing_xr()
    return ""


def make_task_device(name: str, env: ManagerBasedEnv) -> DeviceSource:
    """Open a device as the task configures it.

    Raises:
        DeviceError: It cannot be opened.
    """
    from isaaclab.devices import create_teleop_device

    try:
        with warnings.catch_warnings():
            # Deprecated in 3.0 for tasks that move to isaac_teleop; these tasks have not.
            warnings.simplefilter("ignore", DeprecationWarning)
            device = create_teleop_device(name, task_devices(env.cfg))
    except Exception as error:  # the device's own libraries raise what they like
        raise DeviceError(f"The teleop device '{name}' of the task cannot be opened: {error}") from error
    return DeviceSource(name, device, env)


def missing_isaac_teleop(env_cfg: Any) -> str:
    """Return why Isaac Teleop (headsets, gloves, leader arms) cannot be used; empty where it can."""
    if getattr(env_cfg, "isaac_teleop", None) is None:
        return "is not configured by this task (it has no env_cfg.isaac_teleop)"
    if importlib.util.find_spec("isaacteleop") is None:
        return "needs the Python package 'isaacteleop', which is not installed"
    return ""


def make_isaac_teleop(name: str, env: ManagerBasedEnv) -> DeviceSource:
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


def _missing_xr() -> str:
    from isaaclab.app.settings_manager import get_settings_manager

    if get_settings_manager().get("/isaaclab/xr/enabled"):
        return ""
    return "needs a headset, and this app was started without XR (Isaac Lab's --xr)"

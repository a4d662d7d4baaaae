"""Isaac Lab's own keyboard, SpaceMouse and gamepad, for any task whose action is a hand movement."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from isaac_lerobot.errors import DeviceError
from isaac_lerobot.sim.drive.devices.device_source import DeviceSource, check_width
from isaac_lerobot.sim.drive.devices.window import missing_window

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedEnv

SE3_DEVICES = {"keyboard": "Keyboard", "spacemouse": "SpaceMouse", "gamepad": "Gamepad"}
"""Names and labels of the devices."""

# Six numbers move and turn the hand, a seventh opens or closes the gripper.
_HAND, _HAND_AND_GRIPPER = 6, 7

# As in Isaac Lab's recording script: larger values throw the hand out of a camera's sight.
_POSITION_SENSITIVITY = 0.2
_ROTATION_SENSITIVITY = 0.5


def missing_se3(name: str) -> str:
    """Return why a device of :data:`SE3_DEVICES` cannot be used here; empty where it can."""
    return _missing_spacemouse() if name == "spacemouse" else missing_window()


def make_se3(name: str, env: ManagerBasedEnv) -> DeviceSource:
    """Open a device of :data:`SE3_DEVICES`, with the gripper where the task's action has room for it.

    Raises:
        DeviceError: The task's action is no hand movement, or the device cannot be opened.
    """
    gripper = env.action_manager.total_action_dim != _HAND
    check_width(name, _HAND_AND_GRIPPER if gripper else _HAND, env)
    try:
        device = _open(name, gripper, str(env.device))
    except Exception as error:  # the device's own libraries raise what they like
        raise DeviceError(f"The teleop device '{name}' cannot be opened: {error}") from error
    return DeviceSource(name, device, env)


def _open(name: str, gripper: bool, sim_device: str) -> Any:
    from isaaclab import devices

    device_type, cfg_type = {
        "keyboard": ("Se3Keyboard", "Se3KeyboardCfg"),
        "spacemouse": ("Se3SpaceMouse", "Se3SpaceMouseCfg"),
        "gamepad": ("Se3Gamepad", "Se3GamepadCfg"),
    }[name]
    cfg = getattr(devices, cfg_type)(
        gripper_term=gripper,
        pos_sensitivity=_POSITION_SENSITIVITY,
        rot_sensitivity=_ROTATION_SENSITIVITY,
        sim_device=sim_device,
    )
    return getattr(devices, device_type)(cfg)


def _missing_spacemouse() -> str:
    try:
        hid = importlib.import_module("hid")
    except ImportError:
        return "needs the Python package 'hidapi', which is not installed"
    from isaaclab.devices.spacemouse.se3_spacemouse import Se3SpaceMouse
    from isaaclab.devices.spacemouse.utils import resolve_device_name

    # Looked for here first: Isaac Lab itself waits five seconds before it says that there is none.
    supported = Se3SpaceMouse.SUPPORTED_DEVICES
    if any(resolve_device_name(device, supported) is not None for device in hid.enumerate()):
        return ""
    return "is not plugged in, or may not be read (see the udev rules in Isaac Lab's documentation)"

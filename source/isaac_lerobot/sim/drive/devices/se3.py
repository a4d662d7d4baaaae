"""The keyboard, the SpaceMouse and the gamepad, for any task whose action is a hand movement."""

from __future__ import annotations

import importlib
from typing import Any

from isaac_lerobot.errors import DeviceError
from isaac_lerobot.sim.drive.devices.device_source import DeviceSource, check_width
from isaac_lerobot.sim.drive.devices.keyboard import HandKeyboard
from isaac_lerobot.sim.drive.devices.spacemouse import SpaceMouse
from isaac_lerobot.sim.drive.devices.window import missing_keyboard, missing_window
from isaac_lerobot.sim.env.environment import ManagerBasedEnvironment

SE3_DEVICES = {"keyboard": "Keyboard", "spacemouse": "SpaceMouse", "gamepad": "Gamepad"}
"""Names and labels of the devices."""

# Six numbers move and turn the hand, a seventh opens or closes the gripper.
_HAND, _HAND_AND_GRIPPER = 6, 7

# As in Isaac Lab's recording script: larger values throw the hand out of a camera's sight.
_SENSITIVITY = {"pos_sensitivity": 0.2, "rot_sensitivity": 0.5}


def missing_se3(name: str, window_comes: bool) -> str:
    """Return why a device of :data:`SE3_DEVICES` cannot be used here; empty where it can.

    Args:
        name: The device.
        window_comes: Whether Kit's window will be there in time.
    """
    if name == "spacemouse":
        return _missing_spacemouse()
    if window_comes:
        return ""
    return missing_keyboard() if name == "keyboard" else missing_window()


def make_se3(name: str, env: ManagerBasedEnvironment) -> DeviceSource:
    """Open a device of :data:`SE3_DEVICES`, with the gripper where the task's action has room for it.

    Raises:
        DeviceError: The task's action has another width, or the device cannot be opened.
    """
    gripper = env.action_manager.total_action_dim != _HAND
    check_width(name, _HAND_AND_GRIPPER if gripper else _HAND, env)
    try:
        device = _open(name, gripper, str(env.device))
    except Exception as error:  # the device's own libraries raise what they like
        raise DeviceError(f"The teleop device '{name}' cannot be opened: {error}") from error
    return DeviceSource(name, device, env)


def _open(name: str, gripper: bool, sim_device: str) -> Any:
    if name == "keyboard":
        return HandKeyboard(gripper, **_SENSITIVITY)
    from isaaclab import devices

    settings = {"gripper_term": gripper, "sim_device": sim_device, **_SENSITIVITY}
    if name == "spacemouse":
        return SpaceMouse(devices.Se3SpaceMouseCfg(**settings))
    return devices.Se3Gamepad(devices.Se3GamepadCfg(**settings))


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

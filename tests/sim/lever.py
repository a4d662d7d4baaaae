"""The double of a teleop device: a real Isaac Lab device, as a task configures it, whose hardware is this file."""

from __future__ import annotations

from typing import Any

from isaaclab.devices import DeviceBase, DeviceCfg, DevicesCfg
from isaaclab.utils import configclass


class Lever(DeviceBase):
    """Gives the command that a test put into it.

    Attributes:
        made: The last one made.
        command: What :meth:`advance` returns, or the error that it raises.
        button: A button that is heard at the next :meth:`advance`, as Isaac Teleop hears a headset's.
        running: What the device was last told, as Isaac Teleop's is by ``request_start`` and ``request_stop``.
    """

    made: Lever

    def __init__(self, cfg: LeverCfg) -> None:
        super().__init__()
        Lever.made = self
        self.command: Any = None
        self.callbacks: dict[Any, Any] = {}
        self.resets = 0
        self.button = ""
        self.running: bool | None = None

    def reset(self):
        self.resets += 1

    def add_callback(self, key, func):
        self.callbacks[key] = func

    def request_start(self):
        self.running = True

    def request_stop(self):
        self.running = False

    def advance(self):
        if self.button:
            button, self.button = self.button, ""
            self.callbacks[button]()
        if isinstance(self.command, Exception):
            raise self.command
        return self.command


@configclass
class LeverCfg(DeviceCfg):
    """How a task configures the lever."""

    class_type: type = Lever


def add_lever(env_cfg: Any) -> None:
    """Have a task name the lever among its devices."""
    if getattr(env_cfg, "teleop_devices", None) is None:
        env_cfg.teleop_devices = DevicesCfg()
    env_cfg.teleop_devices.devices["lever"] = LeverCfg()

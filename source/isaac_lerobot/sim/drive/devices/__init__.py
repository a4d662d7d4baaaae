"""Teleop sources: where actions come from. Scripts, a person's devices, and what a task brings along."""

from isaac_lerobot.sim.drive.devices.registry import available_devices, make_source
from isaac_lerobot.sim.drive.devices.source import EventQueue, TeleopEvent, TeleopSource
from isaac_lerobot.sim.drive.devices.text_input import text_input
from isaac_lerobot.sim.drive.devices.window import own_windows

__all__ = [
    "EventQueue",
    "TeleopEvent",
    "TeleopSource",
    "available_devices",
    "make_source",
    "own_windows",
    "text_input",
]

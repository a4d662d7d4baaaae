"""Teleop sources: where actions come from. Scripts, Isaac Lab's devices, and what a task brings along."""

from isaac_lerobot.sim.drive.devices.registry import available_devices, make_source
from isaac_lerobot.sim.drive.devices.source import EventQueue, TeleopEvent, TeleopSource

__all__ = ["EventQueue", "TeleopEvent", "TeleopSource", "available_devices", "make_source"]

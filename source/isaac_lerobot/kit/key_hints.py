"""Which key of the chosen device does what a button does."""

from __future__ import annotations

from isaac_lerobot.sim.teleop import bindings
from isaac_lerobot.sim.teleop.source import TeleopEvent

__all__ = ["TeleopEvent", "key_hints"]

_BINDINGS = {"keyboard": bindings.KEYBOARD, "gamepad": bindings.GAMEPAD}
_SPOKEN = {"BACKSPACE": "Bksp", "MENU1": "View", "MENU2": "Menu"}


def key_hints(device: str) -> dict[TeleopEvent, str]:
    """Return, by what it asks for, the key of a teleop device as a person calls it; empty where keys mean nothing."""
    return {event: _SPOKEN.get(key, key) for key, event in _BINDINGS.get(device, {}).items()}

"""Isaac Lab's SpaceMouse, of which a process can open one, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_opened: Any = None
"""The device once it was opened. Its thread reads it as long as the process lives, so it cannot be opened again."""


class SpaceMouse:
    """Isaac Lab's ``Se3SpaceMouse``, opened at the first time and borrowed from then on.

    Args:
        cfg: Isaac Lab's ``Se3SpaceMouseCfg``.

    Raises:
        OSError: There is none, or it cannot be opened.
    """

    def __init__(self, cfg: Any) -> None:
        self._device = _open(cfg)
        for setting in ("gripper_term", "pos_sensitivity", "rot_sensitivity"):
            setattr(self._device, setting, getattr(cfg, setting))

    def add_callback(self, key: str, function: Callable[[], None]) -> None:
        """Have ``function`` called, on the device's thread, when the button ``"L"`` or ``"R"`` is pressed."""
        self._device.add_callback(key, function)

    def reset(self) -> None:
        """Stand still with an open gripper."""
        self._device.reset()

    def advance(self) -> Any:
        """Return the hand's movement; see Isaac Lab.

        Raises:
            OSError: It is not read any more, and would go on giving its last movement for ever.
        """
        if not _is_read(self._device):
            raise OSError("it can no longer be read")
        return self._device.advance()

    def close(self) -> None:
        """Call back no more, and let the next one have it."""
        for key in ("L", "R"):
            self._device.add_callback(key, _nothing)


def _open(cfg: Any) -> Any:
    global _opened
    if _opened is None or not _is_read(_opened):
        from isaaclab.devices import Se3SpaceMouse

        _opened = Se3SpaceMouse(cfg)
    return _opened


def _is_read(device: Any) -> bool:
    """Whether the device's thread still runs: it ends with an error when the device is unplugged."""
    return bool(device._thread.is_alive())


def _nothing() -> None:
    pass

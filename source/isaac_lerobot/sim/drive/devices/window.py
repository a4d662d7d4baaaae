"""What needs Kit's window: the one place in this package that imports carb and omni, and only when asked."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def missing_window() -> str:
    """Return why there is no window to read keys and gamepads from; empty where there is one."""
    try:
        appwindow = importlib.import_module("omni.appwindow")
    except ImportError:
        return "needs Isaac Sim's window, and this process has no Kit window (it runs headless or without Kit)"
    if appwindow.get_default_app_window() is None:
        return "needs Isaac Sim's window, and this app was started without one"
    return ""


def gamepad_buttons(device: Any, callbacks: dict[str, Callable[[], None]]) -> dict[Any, Callable[[], None]]:
    """Return callbacks for Isaac Lab's gamepad device, by its own key type.

    Isaac Lab calls back at every change of a button, when it is let go too; these pass on the press alone.

    Args:
        device: Isaac Lab's ``Se3Gamepad`` or ``Se2Gamepad``.
        callbacks: What to call, by the button's name in ``carb.input.GamepadInput``.
    """
    carb_input = importlib.import_module("carb.input")

    def on_press(button: Any, callback: Callable[[], None]) -> Callable[[], None]:
        def changed() -> None:
            if device._input.get_gamepad_value(device._gamepad, button) > 0.5:
                callback()

        return changed

    buttons = {name: getattr(carb_input.GamepadInput, name) for name in callbacks}
    return {buttons[name]: on_press(buttons[name], callback) for name, callback in callbacks.items()}

"""What needs a window: the one place in this package that imports carb and omni, and only when asked.

Keys come from Kit's app window where there is one. In an app that has none, and draws omni.ui by itself, they come from
those of our own windows that pass on theirs (:data:`own_windows`).
"""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable
from typing import Any

KeyListener = Callable[[str, bool], None]
"""Called with a key's name in ``carb.input.KeyboardInput``, and whether it went down or up."""


class OwnWindows:
    """The windows that pass on the keys pressed in them."""

    def __init__(self) -> None:
        self._windows: weakref.WeakSet[object] = weakref.WeakSet()
        self._listeners: list[KeyListener] = []
        self._down: set[str] = set()

    @property
    def any(self) -> bool:
        """Whether there is such a window."""
        return bool(self._windows)

    def add(self, window: object) -> None:
        """Note that ``window`` passes on its keys, as long as it lives."""
        self._windows.add(window)

    def remove(self, window: object) -> None:
        """Note that ``window`` passes on no more keys."""
        self._windows.discard(window)

    def key(self, name: str, down: bool) -> None:
        """Pass on a key; see :data:`KeyListener`. The repetitions of a key that is held are left out."""
        if down == (name in self._down):
            return
        (self._down.add if down else self._down.discard)(name)
        for listener in list(self._listeners):
            listener(name, down)

    def let_go(self) -> None:
        """Let go of every key: the windows have lost the focus, and will not hear when one comes up."""
        for name in list(self._down):
            self.key(name, False)

    def listen(self, listener: KeyListener) -> Callable[[], None]:
        """Have ``listener`` called for each key; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


own_windows = OwnWindows()
"""Those of this process."""


def missing_window() -> str:
    """Return why Kit has no window to read keys and gamepads from; empty where there is one."""
    try:
        appwindow = importlib.import_module("omni.appwindow")
    except ImportError:
        return "needs Isaac Sim's window, and this process has no Kit window (it runs headless or without Kit)"
    window = appwindow.get_default_app_window()
    if window is None or window.get_keyboard() is None or not (_is_on_a_screen() or _is_streamed()):
        return "needs Isaac Sim's window, and this app was started without one"
    return ""


def missing_keyboard() -> str:
    """Return why there is no window to read keys from, Kit's or ours; empty where there is one."""
    return "" if own_windows.any else missing_window()


def listen_to_keys(listener: KeyListener) -> Callable[[], None]:
    """Have ``listener`` called for each key that is pressed without Ctrl, Alt and Super; return what ends that."""
    if missing_window():
        return own_windows.listen(listener)
    carb_input = importlib.import_module("carb.input")
    keyboard = importlib.import_module("omni.appwindow").get_default_app_window().get_keyboard()
    held = (
        carb_input.KEYBOARD_MODIFIER_FLAG_CONTROL
        | carb_input.KEYBOARD_MODIFIER_FLAG_ALT
        | carb_input.KEYBOARD_MODIFIER_FLAG_SUPER
    )
    kinds = carb_input.KeyboardEventType

    def on_event(event: Any, *_: Any) -> bool:
        if event.type == kinds.KEY_RELEASE:
            listener(event.input.name, False)
        elif event.type == kinds.KEY_PRESS and not event.modifiers & held:
            listener(event.input.name, True)
        return True  # others may want the key as well

    interface = carb_input.acquire_input_interface()
    subscription = interface.subscribe_to_keyboard_events(keyboard, on_event)
    return lambda: interface.unsubscribe_to_keyboard_events(keyboard, subscription)


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


def _is_on_a_screen() -> bool:
    """Whether the app window is shown: with ``--no-window`` there may be the object, and nothing to be seen of it."""
    carb_settings = importlib.import_module("carb.settings")
    return carb_settings.get_settings().get("/app/window/enabled") is not False


def _is_streamed() -> bool:
    """Whether the app window's picture and keys go over the net, which needs no screen."""
    kit_app = importlib.import_module("omni.kit.app")
    manager = kit_app.get_app().get_extension_manager()
    return bool(manager.is_extension_enabled("omni.kit.livestream.app"))

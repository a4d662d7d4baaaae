"""A double of Kit's ``omni.appwindow``: the application window, of which only the input devices matter here.

Follows the extension's stub ``omni/appwindow/_appwindow.pyi`` (``IAppWindow``, ``get_default_app_window``). The devices
are real: Carbonite's own ``carb.input`` keeps them, and whoever subscribed hears of what is buffered for them. As the
real window does, it hands buffered events out once per update.
"""

from __future__ import annotations

import carb
import carb.eventdispatcher
import carb.input
import carb.tokens
import omni.ext
import omni.kit.app

_window: IAppWindow | None = None


def get_default_app_window() -> IAppWindow | None:
    """Return the application's window."""
    return _window


class IAppWindow:
    """The application's window."""

    def __init__(self) -> None:
        self._input = carb.input.acquire_input_interface()
        self._provider = carb.input.acquire_input_provider()
        self._keyboard = self._provider.create_keyboard("Keyboard")
        self._mouse = self._provider.create_mouse("Mouse")
        self._gamepads: list[carb.input.Gamepad] = []

    def get_title(self) -> str:
        return "Isaac Sim"

    def get_keyboard(self) -> carb.input.Keyboard:
        return self._keyboard

    def get_mouse(self) -> carb.input.Mouse:
        return self._mouse

    def get_gamepad(self, index: int) -> carb.input.Gamepad | None:
        return self._gamepads[index] if index < len(self._gamepads) else None

    # ---- not in the real one ------------------------------------------------------------------------------------

    def connect_gamepad(self) -> carb.input.Gamepad:
        """Plug a gamepad in."""
        gamepad = self._provider.create_gamepad("Gamepad", "test host")
        self._provider.set_gamepad_connected(gamepad, True)
        self._gamepads.append(gamepad)
        return gamepad

    def update(self) -> None:
        self._input.distribute_buffered_events()

    def close(self) -> None:
        self._provider.destroy_keyboard(self._keyboard)
        self._provider.destroy_mouse(self._mouse)
        for gamepad in self._gamepads:
            self._provider.destroy_gamepad(gamepad)


class AppWindowExtension(omni.ext.IExt):
    """Opens the window with the extension."""

    def on_startup(self, ext_id: str) -> None:
        global _window
        plugins = carb.tokens.get_tokens_interface().resolve("${kit}/kernel/plugins")
        # The kernel brings the plugin along and loads it for nobody; its own window plugin would.
        carb.get_framework().load_plugins(loaded_file_wildcards=["*carb.input.plugin*"], search_paths=[plugins])
        window = _window = IAppWindow()
        self._subscription = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="omni.appwindow host",
            event_name=omni.kit.app.GLOBAL_EVENT_PRE_UPDATE,
            on_event=lambda _event: window.update(),
        )

    def on_shutdown(self) -> None:
        global _window
        self._subscription = None
        window, _window = _window, None
        if window is not None:
            window.close()

"""Keys on the panel: those of its window drive the robot where Kit has no app window, never while somebody types."""

from __future__ import annotations

from typing import Any

from isaac_lerobot.sim.drive.devices import own_windows, text_input
from isaac_lerobot.sim.drive.devices.window import missing_window

# An omni.ui that runs without Kit's window gives GLFW's key codes, of which letters and digits are their characters.
_NAMED = {32: "SPACE", 256: "ESCAPE", 257: "ENTER", 258: "TAB", 259: "BACKSPACE", 261: "DEL"}
_CTRL, _ALT, _SUPER = 2, 4, 8


class WindowKeys:
    """Lets the keys pressed in a window drive the robot, in an app without Kit's app window; elsewhere that one does.

    Args:
        window: An ``omni.ui.Window``.
    """

    def __init__(self, window: Any) -> None:
        self._window = window
        if missing_window():
            window.set_key_pressed_fn(_on_key)
            window.set_focused_changed_fn(_on_focus)
            own_windows.add(window)

    def close(self) -> None:
        """Let them drive nothing any more; nobody types into the window either."""
        own_windows.remove(self._window)
        own_windows.let_go()
        text_input.clear()


class EditedField:
    """Has the keyboard drive nothing while a text field is being edited.

    Args:
        model: The field's model.
    """

    def __init__(self, model: Any) -> None:
        self._subscriptions = [
            model.subscribe_begin_edit_fn(lambda _model: text_input.begin(self)),
            model.subscribe_end_edit_fn(lambda _model: text_input.end(self)),
        ]


def _on_key(key: int, modifiers: int, down: bool) -> None:
    from omni.ui import standalone

    name = _NAMED.get(key) or (chr(key) if ord("0") <= key <= ord("Z") else "")
    is_meant_for_another = standalone.is_text_input_active() or bool(modifiers & (_CTRL | _ALT | _SUPER))
    if name and not (down and is_meant_for_another):
        own_windows.key(name, down)


def _on_focus(focused: bool) -> None:
    if not focused:
        own_windows.let_go()

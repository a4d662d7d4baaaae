"""A double of Kit's ``omni.kit.widget.toolbar``: play and stop buttons, which are there to be hidden.

Follows what Isaac Lab's ``isaaclab_physx/app/kit_launcher.py`` takes out of the real one
(``get_instance()._builtin_tools._play_button_group``). Nothing is drawn.
"""

from __future__ import annotations


class Button:
    """A button of the toolbar."""

    def __init__(self) -> None:
        self.visible = True
        self.enabled = True


class PlayButtonGroup:
    """The buttons of the timeline."""

    def __init__(self) -> None:
        self._play_button: Button | None = Button()
        self._stop_button: Button | None = Button()


class BuiltinTools:
    """The tools that the toolbar has of its own."""

    def __init__(self) -> None:
        self._play_button_group = PlayButtonGroup()


class Toolbar:
    """The toolbar."""

    def __init__(self) -> None:
        self._builtin_tools = BuiltinTools()


_toolbar = Toolbar()


def get_instance() -> Toolbar:
    """Return the app's toolbar."""
    return _toolbar

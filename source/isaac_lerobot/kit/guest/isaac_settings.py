"""``IsaacSettings``: what Isaac Lab's launcher sets, in an app that it has not launched.

Its launcher returns at once where Kit runs already, and then Isaac Lab's settings never reach Kit: they stay in a
dictionary of Isaac Lab's own, the physics devices, the renderer and the guards against double stepping among them.
"""

from __future__ import annotations

from typing import Any

import carb.settings

from isaac_lerobot.kit.guest import host_app

_HAS_GUI = "/isaaclab/has_gui"
_FIXED_TIME_STEPPING = "/app/player/useFixedTimeStepping"


class IsaacSettings:
    """Follows ``isaaclab_physx``'s ``KitLauncher``: its backend for settings, and those of its ``_load_extensions``."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}
        self._launched_elsewhere: bool | None = None

    def prepare(self) -> None:
        """Set them. Where Isaac Lab's launcher has started the app, they are as they should be and stay so."""
        from isaaclab.app.settings_manager import get_settings_manager

        settings = carb.settings.get_settings()
        if self._launched_elsewhere is None:
            self._launched_elsewhere = settings.get(_HAS_GUI) is not None
        if self._launched_elsewhere:
            return
        get_settings_manager().set_backend(settings)
        for path in ("render/offscreen", "render/deterministic", "video/enabled", "xr/enabled", "xr/auto_start"):
            self._set_for_now(f"/isaaclab/{path}", False)
        # Given back as well: what is left of it would tell the next recorder in this app that a launcher was here.
        self._set_for_now(_HAS_GUI, host_app.shows_viewport())
        self._set_for_now(_FIXED_TIME_STEPPING, False)

    def restore(self) -> None:
        """Give the app its settings back as they were found."""
        settings = carb.settings.get_settings()
        while self._found:
            path, value = self._found.popitem()
            if value is None:
                settings.destroy_item(path)
            else:
                settings.set(path, value)

    def _set_for_now(self, path: str, value: Any) -> None:
        settings = carb.settings.get_settings()
        self._found.setdefault(path, settings.get(path))
        settings.set(path, value)

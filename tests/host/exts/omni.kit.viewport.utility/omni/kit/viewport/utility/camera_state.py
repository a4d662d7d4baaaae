"""A double of ``omni.kit.viewport.utility.camera_state``: where the viewport's cameras stand and look."""

from __future__ import annotations

from typing import Any

views: dict[str, dict[str, Any]] = {}
"""Position and target [m], by the camera's path."""


class ViewportCameraState:
    """Moves a camera."""

    def __init__(self, camera_path: str | None = None, viewport: Any = None) -> None:
        self._view = views.setdefault(str(camera_path or viewport.get_active_camera()), {})

    def set_position_world(self, position: Any, rotate: bool) -> None:
        self._view["position"] = tuple(position)

    def set_target_world(self, target: Any, rotate: bool) -> None:
        self._view["target"] = tuple(target)

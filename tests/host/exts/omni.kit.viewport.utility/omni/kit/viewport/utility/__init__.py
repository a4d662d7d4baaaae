"""A double of Kit's ``omni.kit.viewport.utility``: the one viewport of the app, which draws nothing.

Follows the extension's public API (``get_active_viewport``, ``get_active_viewport_window``), as far as Isaac Lab's Kit
visualizer uses it. What moves in a viewport comes from Fabric: see ``host.fabric``.
"""

from __future__ import annotations


class ViewportAPI:
    """What a viewport shows."""

    def __init__(self) -> None:
        self.render_product_path = "/Render/OmniverseKit/HydraTextures/omni_kit_widget_viewport_ViewportTexture_0"
        self.frame_info = {"viewport_handle": 0}  # of the last frame, so there has been one
        self.updates_enabled = True
        self._camera = "/OmniverseKit_Persp"

    def get_active_camera(self) -> str:
        return self._camera

    def set_active_camera(self, path: str) -> None:
        self._camera = str(path)


class ViewportWindow:
    """The window of a viewport."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.visible = True
        self.viewport_api = ViewportAPI()

    def focus(self) -> None:
        pass


_window = ViewportWindow("Viewport")


def get_active_viewport_window(
    window_name: str | None = None, usd_context_name: str = "", **_legacy: object
) -> ViewportWindow | None:
    """Return the window of that title, or the one there is."""
    return _window if window_name in (None, _window.title) else None


def get_active_viewport(usd_context_name: str = "") -> ViewportAPI:
    """Return what the app's viewport shows."""
    return _window.viewport_api

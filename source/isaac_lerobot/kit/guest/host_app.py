"""What the app has that the recorder is a guest in."""

from __future__ import annotations

import carb.settings
import omni.kit.app

_WAITS_FOR_RENDERER = {
    "/app/renderer/waitIdle": True,
    "/app/hydraEngine/waitIdle": True,
    "/app/updateOrder/checkForHydraRenderComplete": 1000,
}
"""What Isaac Lab's rendering app sets "to avoid the frame offset issue"."""

_RTX_CAMERAS = "/isaaclab/render/rtx_sensors"
_SCENE_PARTITIONS = "/renderer/scenePartitioning/enabled"


def has_extension(extension: str) -> bool:
    """Return whether an extension is running in this app, by its id without the version."""
    return bool(omni.kit.app.get_app().get_extension_manager().is_extension_enabled(extension))


def shows_viewport() -> bool:
    """Return whether somebody could look at a viewport: in the app's window, or in a livestream of it."""
    if not has_extension("omni.kit.viewport.utility"):
        return False
    has_window = carb.settings.get_settings().get("/app/window/enabled") is not False
    return has_window or has_extension("omni.kit.livestream.app")


def picture_warnings(num_envs: int) -> tuple[str, ...]:
    """Return what is wrong with the pictures that RTX cameras give in this app; nothing where a task has none.

    Args:
        num_envs: Environments of the task.
    """
    settings = carb.settings.get_settings()
    if not settings.get(_RTX_CAMERAS):
        return ()
    warnings = []
    if any(settings.get(path) != wanted for path, wanted in _WAITS_FOR_RENDERER.items()):
        warnings.append(
            "Pictures may be older than the numbers recorded with them: this app does not wait for its renderer."
        )
    if num_envs > 1 and not settings.get(_SCENE_PARTITIONS):
        warnings.append("Cameras may see the neighbouring environments: this app does not part the scene.")
    return (*warnings, "Record with 'isaac-lerobot panel' instead, which starts Isaac Lab's app.") if warnings else ()

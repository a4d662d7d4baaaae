"""omni.ui in the bare Kit kernel: the one room of the test host that knows how ovui is woken there.

In Isaac Sim none of this exists: there `omni.ui` is Kit's own extension. Here the same widgets come from the `ovui`
package and are drawn once per Kit update, into a window where there is a display and offscreen otherwise.
"""

from __future__ import annotations

import ctypes
import importlib.util
from typing import Any

import carb.eventdispatcher
import carb.settings
import omni.ext
import omni.kit.app

_SETTINGS = "/exts/omni.ui/"
_KIT_MODULES = ("carb", "omni.kit.app")


class OmniUiExtension(omni.ext.IExt):
    """Starts ovui and draws one of its frames per Kit update."""

    def on_startup(self, ext_id: str) -> None:
        self._standalone = _import_omni_ui().standalone
        settings = carb.settings.get_settings()
        title, width, height = (settings.get(_SETTINGS + key) for key in ("title", "width", "height"))
        self._standalone.init(title, width, height)
        self._drawing = False
        self._subscription = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="omni.ui host",
            event_name=omni.kit.app.GLOBAL_EVENT_UPDATE,
            on_event=lambda _event: self._draw(),
        )

    def on_shutdown(self) -> None:
        self._subscription = None
        self._standalone.shutdown()

    def _draw(self) -> None:
        # Who steps an environment from an update may pump further updates; Dear ImGui cannot begin a frame twice.
        if self._drawing:
            return
        self._drawing = True
        try:
            self._standalone._tick_one_frame()
            if self._standalone._ui._standalone_should_close():
                _ask_to_quit()
        finally:
            self._drawing = False


def _ask_to_quit() -> None:
    """Have the app ended because its window is to be closed.

    GLFW keeps such a wish until it is taken back, and so it is: whoever is asked may stay, and close the window later.
    ovui has no call for that, and where OpenGL does not draw the window it cannot be found: then nobody is asked.
    """
    app = omni.kit.app.get_app()
    try:
        glfw = ctypes.CDLL("libomniui_standalone.so.3")  # loaded already: found by its name
        glfw.glfwGetCurrentContext.restype = ctypes.c_void_p
        glfw.glfwSetWindowShouldClose.argtypes = (ctypes.c_void_p, ctypes.c_int)
        window = glfw.glfwGetCurrentContext()
    except (OSError, AttributeError):
        window = None
    if window is None:
        app.post_uncancellable_quit(0)
        return
    glfw.glfwSetWindowShouldClose(window, 0)
    app.post_quit(0)


def _import_omni_ui() -> Any:
    """Import ovui's `omni.ui` as it is outside Kit.

    It looks for the specs of `carb` and `omni.kit.app` to decide where it runs, and inside Kit wants modules that only
    Kit's own extension has. Both are hidden while it is imported.
    """
    find_spec = importlib.util.find_spec
    importlib.util.find_spec = lambda name, package=None: None if name in _KIT_MODULES else find_spec(name, package)
    try:
        import omni.ui
        import omni.ui.standalone
    finally:
        importlib.util.find_spec = find_spec
    return omni.ui

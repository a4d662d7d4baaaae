"""``StartFailure``: says in a window why the recorder could not start, and what mends it.

Imports nothing but Python's own modules and Kit's: whatever else there is may be what is missing.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import omni.kit.app

REQUIREMENTS = {
    "numpy": "numpy>=2.0",
    "pyarrow": "pyarrow>=21",
    "imageio_ffmpeg": "imageio[ffmpeg]>=2.37",
    "av": "av>=15.1",
    "PIL": "pillow>=10.1",
    "pydantic": "pydantic>=2.10",
}
"""What pip calls the packages that the recorder cannot do without, by module."""

TITLE = "LeRobot Recorder could not start"


class StartFailure:
    """A window with the reason, in apps that have windows.

    Args:
        reason: As :func:`explain` gives it.
        again: Called when somebody presses the button to try again.
    """

    def __init__(self, reason: str, again: Callable[[], None]) -> None:
        self.reason = reason
        self._window: Any = None
        if not omni.kit.app.get_app().get_extension_manager().is_extension_enabled("omni.ui"):
            return
        import omni.ui as ui

        text, _, command = reason.partition("\n")
        self._window = ui.Window(TITLE, width=640, height=210)
        with self._window.frame, ui.HStack():
            ui.Spacer(width=12)
            with ui.VStack(spacing=10):
                ui.Spacer(height=4)
                ui.Label(text, word_wrap=True, height=0, identifier="recorder.start_failure")
                if command:
                    field = ui.StringField(height=26, identifier="recorder.start_command")
                    field.model.set_value(command)  # a field, so that it can be marked and copied
                ui.Label("It is tried again every few seconds. Kit's log has the details.", word_wrap=True, height=0)
                ui.Button("Try again", height=30, clicked_fn=again, identifier="recorder.start_again")
                ui.Spacer()
            ui.Spacer(width=12)

    def close(self) -> None:
        """Take the window away."""
        window, self._window = self._window, None
        if window is not None:
            window.visible = False
            window.destroy()


def explain(error: Exception) -> str:
    """Return why the recorder could not start, in one line, and below it the command that mends it, if one does."""
    importlib.invalidate_caches()  # what was installed since is found by the next try
    if isinstance(error, ImportError):
        missing = [module for module in REQUIREMENTS if _is_missing(module)]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            return (
                f"{', '.join(missing)} {verb} not installed in this app's Python. Run this in a terminal:\n"
                f"{_python()} -m pip install {' '.join(_quoted(REQUIREMENTS[module]) for module in missing)}"
            )
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _is_missing(module: str) -> bool:
    try:
        return module not in sys.modules and importlib.util.find_spec(module) is None
    except (ImportError, ValueError):
        return True


def _python() -> str:
    """Return how a terminal calls this app's Python.

    Isaac Sim's binary package has a script for it; in an app started from a Python environment it is the environment's.
    """
    executable = Path(sys.executable)
    if executable.name.lower().startswith("python") and executable.exists():
        return _quoted(str(executable))
    isaac = os.environ.get("ISAAC_PATH")
    script = Path(isaac) / ("python.bat" if sys.platform == "win32" else "python.sh") if isaac else None
    return _quoted(str(script)) if script is not None and script.exists() else "python"


def _quoted(word: str) -> str:
    quote = '"' if sys.platform == "win32" else "'"
    return f"{quote}{word}{quote}" if any(sign in word for sign in " <>[]&") else word

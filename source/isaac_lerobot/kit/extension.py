"""The entry point that Kit calls.

Nothing heavy is imported before the app stands: while Isaac Sim starts, importing numpy or torch can crash Kit's fork,
and Isaac Lab's launchers take modules away and put them back.
"""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import carb.eventdispatcher
import omni.ext
import omni.kit.app

if TYPE_CHECKING:
    from isaac_lerobot.kit.app import Recorder


class RecorderExtension(omni.ext.IExt):  # type: ignore[misc]
    """LeRobot Recorder as a Kit extension."""

    def on_startup(self, ext_id: str) -> None:
        """Wait for the app to stand, then open the recorder."""
        manager = omni.kit.app.get_app().get_extension_manager()
        self._folder = Path(manager.get_extension_path(ext_id))
        self._recorder: Recorder | None = None
        self._waiting = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="LeRobot Recorder waits for the app",
            event_name=omni.kit.app.GLOBAL_EVENT_POST_UPDATE,
            on_event=lambda _event: self._open_when_ready(),
        )

    def on_shutdown(self) -> None:
        """Complete the dataset and take the window away."""
        self._waiting = None
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()

    def _open_when_ready(self) -> None:
        if self._waiting is None or not _app_stands():
            return
        self._waiting = None
        from isaac_lerobot.kit.app import Recorder

        self._recorder = Recorder(self._folder)


def _app_stands() -> bool:
    # A script's SimulationApp says when it is done; an app started by itself is ready when Kit says so.
    if any(name.startswith("isaacsim.simulation_app") for name in list(sys.modules)):
        return bool(getattr(builtins, "ISAACSIM_APP_LAUNCHED", False))
    return bool(omni.kit.app.get_app().is_app_ready())

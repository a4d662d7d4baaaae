"""The entry point that Kit calls.

Nothing heavy is imported before the app stands: while Isaac Sim starts, importing numpy or torch can crash Kit's fork,
and Isaac Lab's launchers take modules away and put them back.
"""

from __future__ import annotations

import builtins
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import carb
import carb.eventdispatcher
import carb.settings
import omni.ext
import omni.kit.app

from isaac_lerobot.kit.start_failure import StartFailure, explain

if TYPE_CHECKING:
    from isaac_lerobot.kit.app import RecorderApp

_RETRY_PERIOD = 3.0
"""How often a start that failed is tried again [s]: a package may have been installed since."""

_AUTOSTART = "/exts/isaac.lerobot.recorder/autostart"


class RecorderExtension(omni.ext.IExt):  # type: ignore[misc]
    """LeRobot Recorder as a Kit extension."""

    def on_startup(self, ext_id: str) -> None:
        """Wait for the app to stand, then open the recorder."""
        manager = omni.kit.app.get_app().get_extension_manager()
        self._folder = Path(manager.get_extension_path(ext_id))
        self._recorder: RecorderApp | None = None
        self._failure: StartFailure | None = None
        self._next_try = 0.0
        self._waiting = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="LeRobot Recorder waits for the app",
            event_name=omni.kit.app.GLOBAL_EVENT_POST_UPDATE,
            on_event=lambda _event: self._open_when_ready(),
        )

    def on_shutdown(self) -> None:
        """Complete the dataset and take the window away."""
        self._waiting = None
        self._forget_failure()
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()

    def _open_when_ready(self) -> None:
        if self._waiting is None or time.monotonic() < self._next_try or not _app_stands():
            return
        try:
            from isaac_lerobot.kit.app import RecorderApp

            self._recorder = RecorderApp(self._folder)
        except Exception as error:  # noqa: BLE001 - whatever it is, Kit would only log it and nobody would see a window
            self._next_try = time.monotonic() + _RETRY_PERIOD
            self._tell(error)
        else:
            self._waiting = None
            self._forget_failure()

    def _tell(self, error: Exception) -> None:
        reason = explain(error)
        if self._failure is not None and self._failure.reason == reason:
            return
        carb.log_error(f"LeRobot Recorder could not start. {reason}\n{''.join(traceback.format_exception(error))}")
        self._forget_failure()
        self._failure = StartFailure(reason, self._try_at_once)
        if carb.settings.get_settings().get(_AUTOSTART):  # nobody is there to mend it
            self._waiting = None
            omni.kit.app.get_app().post_quit(1)

    def _try_at_once(self) -> None:
        self._next_try = 0.0

    def _forget_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            failure.close()


def _app_stands() -> bool:
    """Return whether the app has come up, with all that a script which starts it wants to do before.

    A script's ``SimulationApp`` first says that a script owns the app, and that it has been launched at last. Whether
    its module is loaded says nothing: every Isaac Sim app loads it.
    """
    owned_by_script = getattr(builtins, "ISAAC_LAUNCHED_FROM_TERMINAL", True) is False
    if owned_by_script and not getattr(builtins, "ISAACSIM_APP_LAUNCHED", False):
        return False
    return bool(omni.kit.app.get_app().is_app_ready())

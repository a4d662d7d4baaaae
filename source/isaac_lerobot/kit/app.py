"""``Recorder``: the recorder in a running Kit app, put together from session, engine, host and panel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import carb
import omni.kit.app

from isaac_lerobot.errors import ConfigError
from isaac_lerobot.kit import settings
from isaac_lerobot.kit.engine import AttachingEngine, DrivingEngine, Engine, register_with_isaac_lab
from isaac_lerobot.kit.optional import enabled
from isaac_lerobot.kit.update_loop import UpdateHost
from isaac_lerobot.recording import RecordingConfig, Session
from isaac_lerobot.recording.automatic import AutomaticRecording
from isaac_lerobot.recording.progress import ProgressLine

if TYPE_CHECKING:
    from isaac_lerobot.kit.panel.menu import WindowMenu
    from isaac_lerobot.kit.panel.panel import Panel

_current: Recorder | None = None


def current() -> Recorder | None:
    """Return the recorder of this app, if the extension is running."""
    return _current


class Recorder:
    """Session, engine and panel of one Kit app.

    Args:
        folder: The extension's folder.

    Attributes:
        session: The session; :meth:`~.recording.Session.post` and ``status`` are for everyone.
        engine: Steps the environment, or watches somebody else's.
        panel: The window, None in an app without an interface.
    """

    def __init__(self, folder: Path) -> None:
        global _current
        self._automatic: AutomaticRecording | None = None
        self._exit_code: int | None = None
        self.panel: Panel | None = None
        self._menu: WindowMenu | None = None
        config, problem = RecordingConfig.from_mapping({}), ""
        try:
            config = settings.read_config(folder / "config")
        except ConfigError as error:
            problem = str(error)
        self._remembered = config
        self.session = Session(config)
        self.engine: Engine = (AttachingEngine if settings.attach() else DrivingEngine)(self.session)
        self._registered = False
        if problem:
            self.session.fail(problem)
        if settings.autostart():
            self._automatic = AutomaticRecording(self.session)
            self._progress = ProgressLine(sys.stdout)
        if enabled("omni.ui"):
            self._open_panel()
        self._host = UpdateHost(self._tick, self._updated)
        _current = self

    def close(self) -> None:
        """Complete the dataset, close the environment and take the window away; each whatever becomes of the others."""
        global _current
        _current = None
        for step in (self._host.stop, self.engine.close, self._close_panel):
            _guarded(step)

    # ---- the panel ---------------------------------------------------------------------------------------------

    def _open_panel(self) -> None:
        from isaac_lerobot.kit.panel.menu import WindowMenu
        from isaac_lerobot.kit.panel.panel import TITLE, Panel

        panel = self.panel = Panel(self.session)

        def show(visible: bool) -> None:
            panel.visible = visible

        self._menu = WindowMenu(TITLE, lambda: panel.visible, show)
        panel.on_visibility_changed(self._menu.refresh)

    def _close_panel(self) -> None:
        if self._menu is not None:
            _guarded(self._menu.remove)
        if self.panel is not None:
            self.panel.destroy()
        self.panel = self._menu = None

    # ---- Kit's updates -----------------------------------------------------------------------------------------

    def _tick(self) -> float:
        self._registered = self._registered or register_with_isaac_lab()
        if self.session.quit_requested:
            return 1.0
        if self._automatic is not None and (done := self._automatic.advance()) is not None:
            self._end_app(0 if done else 1)
            return 1.0
        return self.engine.tick()

    def _updated(self) -> None:
        if self.panel is not None:
            self.panel.refresh()
        if self._automatic is not None:
            self._progress.update(self.session.status)
        elif self.session.config is not self._remembered:
            self._remembered = self.session.config
            settings.remember(self._remembered)

    def _end_app(self, code: int) -> None:
        """End Kit once the recording it was started for has ended."""
        status = self.session.status
        if code:
            carb.log_error(f"LeRobot Recorder: {status.message.text}")
        self._progress.update(status)
        self._progress.close()
        self._automatic = None
        self.engine.close()
        omni.kit.app.get_app().post_quit(code)


def _guarded(step: Callable[[], object]) -> None:
    """Do one step of the teardown; what goes wrong in it is logged and must not keep the others from being done."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - see above
        carb.log_error(f"LeRobot Recorder, while closing: {type(error).__name__}: {error}")

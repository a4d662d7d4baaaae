"""``RecorderApp``: the recorder in a running Kit app, put together from session, driver or watch, and panel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import carb
import omni.kit.app

from isaac_lerobot.errors import ConfigError
from isaac_lerobot.kit import settings
from isaac_lerobot.kit.guest.driver import GuestDriver
from isaac_lerobot.kit.guest.host_app import has_extension
from isaac_lerobot.kit.guest.shutdown import Shutdown
from isaac_lerobot.kit.update_loop import UpdateLoop
from isaac_lerobot.recording import RecordingConfig, Session
from isaac_lerobot.recording.automatic import AutomaticRecording
from isaac_lerobot.recording.progress import ProgressLine
from isaac_lerobot.sim.attach.watch import AttachWatch, attach_when_created
from isaac_lerobot.sim.env.preview import check_choice

if TYPE_CHECKING:
    from isaac_lerobot.kit.panel.menu import WindowMenu
    from isaac_lerobot.kit.panel.panel import Panel
    from isaac_lerobot.kit.panel.question import Question

_current: RecorderApp | None = None


def current() -> RecorderApp | None:
    """Return the recorder of this app, if the extension is running."""
    return _current


class RecorderApp:
    """Session, engine and panel of one Kit app.

    Args:
        folder: The extension's folder.

    Attributes:
        session: The session; :meth:`~.recording.Session.post` and ``status`` are for everyone.
        engine: Steps the environment itself, or with ``attach=true`` watches the one that a script makes and steps.
        panel: The window, None in an app without an interface.
    """

    def __init__(self, folder: Path) -> None:
        config, problem = RecordingConfig.from_mapping({}), ""
        try:
            config = settings.read_config(folder / "config")
        except ConfigError as error:
            problem = str(error)
        self._remembered = config
        self.session = Session(config)
        if problem:
            self.session.fail(problem)
        self.engine = self._make_engine(config)
        self.panel: Panel | None = None
        self._menu: WindowMenu | None = None
        self._question: Question | None = None
        self._automatic = AutomaticRecording(self.session) if settings.autostart() else None
        self._progress = ProgressLine(sys.stdout)
        self._has_registered = False
        self._loop: UpdateLoop | None = None
        self._shutdown: Shutdown | None = None
        try:
            self._open()
        except BaseException:
            self.close()  # it is going to be tried again, and one window is enough
            raise

    def close(self) -> None:
        """Complete the dataset, close the environment and take the window away; each whatever becomes of the others."""
        global _current
        _current = None
        for part in (self._loop, self._shutdown):
            if part is not None:
                _guarded(part.close)
        _guarded(self.engine.shutdown)
        _guarded(self._close_panel)

    def _open(self) -> None:
        global _current
        if has_extension("omni.ui"):
            self._open_panel()
        self._shutdown = Shutdown(self.session, self._complete, self._ask if self.panel is not None else None)
        self._loop = UpdateLoop(self._tick, self._updated)
        _current = self

    def _make_engine(self, config: RecordingConfig) -> GuestDriver | AttachWatch:
        if settings.attach():
            return attach_when_created(self.session, start=_says_enough(config))
        if settings.autostart():  # at the panel, somebody chooses once the task is there
            return GuestDriver(self.session, lambda env_cfg: check_choice(self.session.config, env_cfg))
        return GuestDriver(self.session)

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
        menu, panel, question = self._menu, self.panel, self._question
        self._menu = self.panel = self._question = None
        if menu is not None:
            _guarded(menu.remove)
        if question is not None:
            _guarded(question.close)
        if panel is not None:
            panel.destroy()

    def _ask(self, shutdown: Shutdown) -> None:
        """Ask whoever closes the app in the middle of an episode what is to become of it."""
        from isaac_lerobot.kit.panel.question import Question, closing_while_recording

        if self._question is not None:
            if self._question.is_open:
                return
            self._question.close()
        self._question = Question(
            closing_while_recording(shutdown.finish_and_leave, shutdown.discard_and_leave, shutdown.stay)
        )

    # ---- Kit's updates -----------------------------------------------------------------------------------------

    def _tick(self) -> float:
        self._has_registered = self._has_registered or _register_with_isaac_lab()
        if self.session.quit_requested or (self._shutdown is not None and self._shutdown.has_come):
            return 1.0
        if self._automatic is not None and (done := self._automatic.advance()) is not None:
            self._end_app(0 if done else 1)
            return 1.0
        return self.engine.tick()

    def _updated(self) -> None:
        if self.panel is not None:
            self.panel.refresh()
        if self._shutdown is not None:
            self._shutdown.update()
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
        self.engine.shutdown()
        omni.kit.app.get_app().post_quit(code)

    def _complete(self) -> None:
        """Complete the dataset in the app's last moment."""
        if isinstance(self.engine, AttachWatch):
            self.engine.shutdown()
        else:
            self.session.complete()


def _register_with_isaac_lab() -> bool:
    """Make our file handler known to Isaac Lab once somebody has imported that; return whether this has happened."""
    if "isaaclab.utils" not in sys.modules:
        return False
    from isaac_lerobot.sim.manager.register import register

    register()
    return True


def _says_enough(config: RecordingConfig) -> bool:
    """Return whether recording can start with the first step of a script's environment; else Record starts it."""
    return config.dataset is not None and bool(config.state_keys or config.observation_keys)


def _guarded(step: Callable[[], object]) -> None:
    """Do one step of the teardown; what goes wrong in it is logged and must not keep the others from being done."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - see above
        carb.log_error(f"LeRobot Recorder, while closing: {type(error).__name__}: {error}")

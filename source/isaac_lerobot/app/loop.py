"""Our own loop: it owns the process, ticks the driver, and ends a recording in order whatever ends it."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from isaac_lerobot.app.exit_codes import AFTER_SIGNAL
from isaac_lerobot.recording import Quit, Session, SessionState, Status
from isaac_lerobot.recording.automatic import AutomaticRecording
from isaac_lerobot.recording.progress import ProgressLine

if TYPE_CHECKING:
    from isaac_lerobot.sim.drive.driver import Driver


def run(
    session: Session,
    driver: Driver,
    recording: AutomaticRecording,
    completed: Callable[[Status], None] = lambda status: None,
    stream: TextIO = sys.stderr,
) -> int:
    """Let a driver step and a recording proceed until its target, an error, a signal or the closing of Kit's window.

    Args:
        session: The session.
        driver: Its driver.
        recording: What posts the session's commands.
        completed: Called with the last status once the dataset is complete, before the simulation is closed: closing
            Kit may end the process.
        stream: Where progress goes.

    Returns:
        Exit code: 0 when the target was reached, or there was none and the window was closed; 1 when recording could
        not be done; 130 after Ctrl+C and 143 after SIGTERM (``docker stop``).
    """
    progress = ProgressLine(stream)
    window = _KitWindow()
    code = 1
    with _Signals(session) as signals:
        try:
            finished: bool | None = None
            while finished is None:
                with signals.turned_into_quit(driver):
                    if window.has_just_closed():
                        session.post(Quit())
                    finished = recording.advance()
                    if finished is None:
                        wait = driver.tick()
                        progress.update(session.status)
                        time.sleep(wait)
            with signals.turned_into_quit(driver):
                session.quit(driver)
            progress.update(session.status)
            completed(session.status)
            endless = not session.config.num_demos and not session.config.until
            code = 0 if finished or (window.has_closed and endless) else 1
        finally:
            progress.close()
            code = AFTER_SIGNAL + signals.received[0] if signals.received else code
            driver.shutdown(code)
    return code


class _Signals:
    """Turns the first Ctrl+C or SIGTERM into a ``Quit`` between two steps, which completes the dataset.

    Whoever else wants the signals gets them only while the simulation is launched: Isaac Lab's launcher puts Python's
    own handler in place, and its Kit visualizer raises ``KeyboardInterrupt`` out of ``env.step``.

    Attributes:
        received: Numbers of the signals that have come.
    """

    def __init__(self, session: Session) -> None:
        self.received: list[int] = []
        self._session = session
        self._previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def __enter__(self) -> _Signals:
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def turned_into_quit(self, driver: Driver) -> Iterator[None]:
        """Do a piece of work; if it is interrupted, quit. A second interruption gets through."""
        self._take()
        try:
            yield
        except KeyboardInterrupt:
            if len(self.received) > 1 or self._session.quit_requested:
                raise
            self.received = self.received or [signal.SIGINT]
            self._take()
            # At once: while a task is loaded, a command would wait until it is.
            self._session.quit(driver)

    def _take(self) -> None:
        for number in self._previous:
            if signal.getsignal(number) != self._on_signal:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)
        if len(self.received) > 1 or self._session.state is SessionState.LOADING:
            raise KeyboardInterrupt
        self._session.post(Quit())


class _KitWindow:
    """Kit's window, where there is one: closing it is how a person ends an app.

    Attributes:
        has_closed: Whether it was closed.
    """

    def __init__(self) -> None:
        self.has_closed = False
        self._has_run = False

    def has_just_closed(self) -> bool:
        """Whether Kit ran before, and does not any more for the first time."""
        runs = _kit_runs()
        closed_now = self._has_run and not runs and not self.has_closed
        self._has_run |= runs
        self.has_closed |= closed_now
        return closed_now


def _kit_runs() -> bool:
    kit = sys.modules.get("omni.kit.app")
    if kit is None:
        return False
    try:
        return bool(kit.get_app().is_running())
    except RuntimeError:  # Kit's modules were imported, but no app was made
        return False

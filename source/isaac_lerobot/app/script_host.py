"""The script host: our own loop owns the process and calls the driver."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import TextIO

from isaac_lerobot.app.exit_codes import AFTER_SIGNAL
from isaac_lerobot.recording import Quit, RecordingConfig, Session
from isaac_lerobot.recording.automatic import AutomaticRecording
from isaac_lerobot.recording.progress import ProgressLine
from isaac_lerobot.sim.drive.driver import Driver


def record(config: RecordingConfig, stream: TextIO = sys.stderr) -> int:
    """Record without a panel until the target is reached, something fails, or Ctrl+C.

    Args:
        config: What to record.
        stream: Where progress goes.

    Returns:
        Exit code: 0 when the target was reached, 1 when recording could not be done, 130 after Ctrl+C, 143 after
        SIGTERM (``docker stop``).
    """
    session = Session(config)
    return run(session, Driver(session), AutomaticRecording(session), stream)


def run(session: Session, driver: Driver, recording: AutomaticRecording, stream: TextIO = sys.stderr) -> int:
    """Let a driver step and a recording proceed until the end; see :func:`record` for the exit code."""
    progress = ProgressLine(stream)
    code = 1
    with _interrupt_quits(session) as interrupts:
        try:
            while (finished := recording.advance()) is None:
                wait = driver.tick()
                progress.update(session.status)
                time.sleep(wait)
            session.post(Quit())
            while not session.quit_requested:
                time.sleep(driver.tick())
            progress.update(session.status)
            code = 0 if finished else 1
        finally:
            progress.close()
            code = AFTER_SIGNAL + interrupts[0] if interrupts else code
            driver.shutdown(code)
    return code


@contextlib.contextmanager
def _interrupt_quits(session: Session) -> Iterator[list[int]]:
    """Turn the first Ctrl+C or SIGTERM into a ``Quit`` between two steps, which completes the dataset."""
    received: list[int] = []

    def quit_once(signum: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(signum)
        session.post(Quit())

    previous = {number: signal.signal(number, quit_once) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

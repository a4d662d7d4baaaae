"""A recording without an operator at the panel: load, start, and wait for the end."""

from __future__ import annotations

from isaac_lerobot.recording.commands import Command, OpenTask, SessionState, Start
from isaac_lerobot.recording.session import Session
from isaac_lerobot.recording.status import Severity


class AutomaticRecording:
    """Posts the commands that an operator would click, each when the session is ready for it.

    Args:
        session: A fresh session with its configuration.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._steps: list[Command] = [OpenTask(), Start()]
        self._wanted = [SessionState.IDLE, SessionState.READY]

    def advance(self) -> bool | None:
        """Post what is due.

        Returns:
            None while the recording goes on; True once it has finished; False when it could not be done, the reason
            being the session's message.
        """
        session = self._session
        status = session.status
        if session.quit_requested:
            return False
        if self._steps and status.state is self._wanted[0]:
            self._wanted.pop(0)
            session.post(self._steps.pop(0))
            return None
        if status.state is SessionState.READY and not self._steps and not session.has_commands:
            if status.message.severity is Severity.ERROR:
                return False
            session.post(Start())  # without `continuous`, each episode is started by itself
            return None
        if status.state is SessionState.FINISHED:
            return status.message.severity is not Severity.ERROR and not status.counts.lost
        stuck = status.state in (SessionState.IDLE, SessionState.READY, SessionState.ERROR)
        if stuck and status.message.severity is Severity.ERROR:
            return False
        return None

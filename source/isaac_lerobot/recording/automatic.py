"""A recording without an operator at the panel: load, start, and wait for the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from isaac_lerobot.recording.commands import Command, Configure, OpenTask, Pause, SessionState, Start
from isaac_lerobot.recording.config import RecordingConfig
from isaac_lerobot.recording.offer import TaskOffer
from isaac_lerobot.recording.session import Session
from isaac_lerobot.recording.status import Severity, Status

Keys = Callable[[RecordingConfig, TaskOffer], Mapping[str, Any]]
"""Chooses what is recorded of a task where nobody has: returns changes of the configuration."""


class AutomaticRecording:
    """Posts the commands that an operator would click, each when the session is ready for it.

    Args:
        session: A fresh session with its configuration.
        keys: Chooses what is recorded once the task is loaded. None: the configuration says it.
        starts_paused: Whether the operator says when to begin.
    """

    def __init__(self, session: Session, keys: Keys | None = None, *, starts_paused: bool = False) -> None:
        self._session = session
        self._keys = keys
        self._starts_paused = starts_paused
        self._opened = self._started = False

    def advance(self) -> bool | None:
        """Post what is due.

        Returns:
            None while the recording goes on; True once it has finished; False when it could not be done, the reason
            being the session's message.
        """
        session = self._session
        if session.quit_requested:
            return False
        if session.has_commands:
            return None
        status = session.status
        if not self._opened and status.state is not SessionState.ERROR:
            self._opened = True
            session.post(OpenTask())
            return None
        match status.state:
            case SessionState.IDLE | SessionState.ERROR:
                return False
            case SessionState.FINISHED:
                return status.message.severity is not Severity.ERROR and not status.counts.lost
            case SessionState.READY:
                return self._start(status)
        return None

    def _start(self, status: Status) -> bool | None:
        if not self._started:
            self._started = True
            for command in self._first_commands(status):
                self._session.post(command)
            return None
        # Without `continuous`, each episode is started by itself. With it, a recording that has come to a halt was
        # stopped by something that went wrong, whatever has been said since.
        if status.config.continuous or status.counts.lost or status.message.severity is Severity.ERROR:
            return False
        self._session.post(Start())
        return None

    def _first_commands(self, status: Status) -> list[Command]:
        commands: list[Command] = [Start()]
        if self._keys is not None and status.offer is not None:
            commands.insert(0, Configure(self._keys(status.config, status.offer)))
        if self._starts_paused:
            commands.append(Pause())
        return commands

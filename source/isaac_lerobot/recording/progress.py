"""Progress of a recording as text: one line that is redrawn on a terminal, a line per event in a log."""

from __future__ import annotations

import time
from typing import TextIO

from isaac_lerobot.recording.commands import SessionState
from isaac_lerobot.recording.status import Message, Severity, Status

_REDRAW_PERIOD = 0.25
"""How often the line is redrawn on a terminal [s]."""


def progress_text(status: Status) -> str:
    """Return a status in one line: state, episode, counts and what the encoders are doing."""
    counts = status.counts
    target = f"/{status.target}" if status.target else ""
    parts = [status.state.value.upper(), f"demos {status.progress}{target}"]
    if status.state in (SessionState.RECORDING, SessionState.PAUSED):
        parts.append(f"{status.episode_frames} frames, {status.episode_seconds:.1f} s")
        parts.append(f"{status.steps_per_second:.1f} steps/s")
    parts.append(f"{counts.saved} saved, {counts.failed} failed, {counts.discarded} discarded")
    if status.waited >= 0.1:
        parts.append(f"waited {status.waited:.1f} s for the encoders")
    return " | ".join(parts)


class ProgressLine:
    """Writes progress to a stream: messages as lines of their own, the rest as a line redrawn on a terminal.

    Args:
        stream: Where to write; redrawing happens only if it is a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._message = Message()
        self._drawn_at = 0.0
        self._width = 0

    def update(self, status: Status) -> None:
        """Show what has changed."""
        if status.message != self._message:
            self._message = status.message
            prefix = {Severity.INFO: "", Severity.WARNING: "Warning: ", Severity.ERROR: "Error: "}
            self._erase()
            self._write(f"{prefix[status.message.severity]}{status.message.text}  [{progress_text(status)}]\n")
        now = time.monotonic()
        if self._terminal and now - self._drawn_at > _REDRAW_PERIOD:
            self._drawn_at = now
            line = progress_text(status)
            self._write("\r" + line.ljust(self._width))
            self._width = len(line)

    def close(self) -> None:
        """Leave the terminal on a fresh line."""
        self._erase()

    def _erase(self) -> None:
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

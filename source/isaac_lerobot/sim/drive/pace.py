"""The wall-clock rate of stepping, which is for the operator's hands and never labels the data."""

from __future__ import annotations

import time


class Pace:
    """Says how long to wait until the next step is due; a step that came late is not made up for.

    Args:
        hz: Steps per second of wall-clock time [1/s]; 0: as fast as possible.
    """

    def __init__(self, hz: float) -> None:
        self._period = 1.0 / hz if hz > 0 else 0.0
        self._due = 0.0

    def remaining(self) -> float:
        """Return the time until the next step is due [s], 0 if it is."""
        return max(0.0, self._due - time.monotonic())

    def stepped(self) -> None:
        """Note that a step begins now."""
        now = time.monotonic()
        late = now > self._due + self._period
        self._due = (now if late else self._due) + self._period

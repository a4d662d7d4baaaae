"""``UpdateLoop``: lets Kit's update loop drive a recording."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import carb.eventdispatcher
import omni.kit.app

_INTERRUPTED = 128 + signal.SIGINT  # the exit code that shells know


class UpdateLoop:
    """Calls a driver's tick after Kit's updates, at most once per update.

    Stepping an environment may itself update the app, and every such nested update calls all observers again, this one
    included; only the outermost call ticks. An observer, and not an asyncio task: inside a task no other task would
    advance while the environment updates the app.

    Args:
        tick: Does what is due; returns how long it may be left alone [s].
        updated: Called after every update, nested ones too: the panel stays alive while a task is loaded.
    """

    def __init__(self, tick: Callable[[], float], updated: Callable[[], None]) -> None:
        self._tick = tick
        self._updated = updated
        self._inside = False
        self._due = 0.0
        self._subscription = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="LeRobot Recorder",
            event_name=omni.kit.app.GLOBAL_EVENT_POST_UPDATE,
            on_event=lambda _event: self._on_update(),
        )

    def close(self) -> None:
        """Stop ticking."""
        self._subscription = None

    def _on_update(self) -> None:
        if not self._inside and time.monotonic() >= self._due:
            self._inside = True
            try:
                self._due = time.monotonic() + self._tick()
            except KeyboardInterrupt:
                # Isaac Lab's Kit visualizer takes Ctrl+C away from the app while it draws, and raises this out of a
                # step; Kit would only log it and go on.
                omni.kit.app.get_app().post_uncancellable_quit(_INTERRUPTED)
            finally:
                self._inside = False
        self._updated()

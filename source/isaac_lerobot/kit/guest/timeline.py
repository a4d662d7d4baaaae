"""``Timeline``: what the play, pause and stop buttons of the app's toolbar do to a recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import carb.eventdispatcher

from isaac_lerobot.kit.guest import host_app
from isaac_lerobot.recording import Pause, Resume, Session, SessionState


class Timeline:
    """Follows the app's timeline while a task is loaded.

    Isaac Lab does not step while the timeline is paused: it updates the app again and again until it plays. Inside a
    step of ours nobody could press anything meanwhile, so a step under way is brought to its end first.

    Args:
        session: Is paused and resumed with the timeline.
        is_stepping: Whether a step of ours is under way.

    Attributes:
        was_stopped: Whether it has been stopped since it was followed, which ends the simulation.
    """

    def __init__(self, session: Session, is_stepping: Callable[[], bool]) -> None:
        self.was_stopped = False
        self._session = session
        self._is_stepping = is_stepping
        self._timeline: Any = None
        self._subscriptions: list[Any] = []
        self._pause_after_step = False
        self._has_paused = False

    def follow(self) -> None:
        """Follow it from now on."""
        self.leave()
        self.was_stopped = self._pause_after_step = self._has_paused = False
        if not host_app.has_extension("omni.timeline"):
            return
        import omni.timeline

        timeline = omni.timeline.get_timeline_interface()
        if not timeline.is_playing():  # the environment does without it
            return
        self._timeline = timeline
        self._subscriptions = [
            carb.eventdispatcher.get_eventdispatcher().observe_event(
                observer_name=f"LeRobot Recorder {reaction.__name__}",
                event_name=event,
                on_event=lambda _event, reaction=reaction: reaction(),
            )
            for event, reaction in (
                (omni.timeline.GLOBAL_EVENT_PLAY, self._on_play),
                (omni.timeline.GLOBAL_EVENT_PAUSE, self._on_pause),
                (omni.timeline.GLOBAL_EVENT_STOP, self._on_stop),
            )
        ]

    def leave(self) -> None:
        """Follow it no longer; :attr:`was_stopped` stays."""
        self._subscriptions.clear()
        self._timeline = None

    def may_step(self) -> bool:
        """Return whether a step can be made now; if not, the timeline is asked to play.

        Who records while it is paused has pressed Record or Resume on the panel since.
        """
        if not self._is_paused:
            return True
        self._timeline.play()
        return False

    def after_step(self) -> None:
        """Pause it where somebody wanted that during a step."""
        if self._pause_after_step and self._timeline is not None:
            self._pause_after_step = False
            self._timeline.pause()

    @property
    def _is_paused(self) -> bool:
        timeline = self._timeline
        return timeline is not None and not timeline.is_playing() and not timeline.is_stopped()

    def _on_pause(self) -> None:
        if not self._is_paused:  # another timeline
            return
        if self._is_stepping():
            self._pause_after_step = True
            self._timeline.play()
        elif self._session.state is SessionState.RECORDING:
            self._has_paused = True
            self._session.post(Pause())

    def _on_play(self) -> None:
        if not self._has_paused or not self._timeline.is_playing():
            return
        self._has_paused = False
        if self._session.state is SessionState.PAUSED:
            self._session.post(Resume())

    def _on_stop(self) -> None:
        if self._timeline.is_stopped():
            self.was_stopped = True

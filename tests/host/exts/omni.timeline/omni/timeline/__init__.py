"""A double of Kit's ``omni.timeline``: play, pause and stop, which take effect with the next frame.

Follows the public reference of omni.timeline 1.1 ("Frame integrity and thread safety", "Events Reference"): what is
asked of a timeline is kept and applied at the start of the next frame's update, where its event is dispatched too;
within a frame its state stands. No time passes on it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import carb.eventdispatcher
import omni.ext
import omni.kit.app

GLOBAL_EVENT_PLAY = "omni.timeline:timeline:play"
GLOBAL_EVENT_PAUSE = "omni.timeline:timeline:pause"
GLOBAL_EVENT_STOP = "omni.timeline:timeline:stop"

_BEFORE_ALL_OTHERS = -1_000_000


class TimelineEventType(IntEnum):
    """Events of a timeline, of those the real one has."""

    PLAY = 0
    PAUSE = 1
    STOP = 2


class TimelineEventStream:
    """The older way to hear of a timeline, for who subscribes to one kind of event."""

    def __init__(self) -> None:
        self._listeners: list[tuple[int, Callable[[Any], object]]] = []

    def create_subscription_to_pop_by_type(self, event_type: int, listener: Callable[[Any], object]) -> object:
        self._listeners.append((event_type, listener))
        return self._listeners[-1]

    def pop(self, event_type: int) -> None:
        for wanted, listener in self._listeners:
            if wanted == event_type:
                listener(None)


class Timeline:
    """The app's timeline."""

    def __init__(self) -> None:
        self._stream = TimelineEventStream()
        self._state = TimelineEventType.STOP
        self._wanted: list[TimelineEventType] = []
        self._auto_update = True

    def get_timeline_event_stream(self) -> TimelineEventStream:
        return self._stream

    def is_playing(self) -> bool:
        return self._state is TimelineEventType.PLAY

    def is_stopped(self) -> bool:
        return self._state is TimelineEventType.STOP

    def play(self, start_timecode: float = 0, end_timecode: float = 0, looping: bool = True) -> None:
        self._wanted.append(TimelineEventType.PLAY)

    def pause(self) -> None:
        self._wanted.append(TimelineEventType.PAUSE)

    def stop(self) -> None:
        self._wanted.append(TimelineEventType.STOP)

    def commit(self) -> None:
        wanted, self._wanted = self._wanted, []
        for state in wanted:
            if state is self._state or (state is TimelineEventType.PAUSE and self.is_stopped()):
                continue
            self._state = state
            event = (GLOBAL_EVENT_PLAY, GLOBAL_EVENT_PAUSE, GLOBAL_EVENT_STOP)[state]
            carb.eventdispatcher.get_eventdispatcher().dispatch_event(event, payload={})
            self._stream.pop(state)

    def is_auto_updating(self) -> bool:
        return self._auto_update

    def set_auto_update(self, auto_update: bool) -> None:
        self._auto_update = auto_update


_timeline = Timeline()


def get_timeline_interface(name: str = "") -> Timeline:
    """Return the app's timeline."""
    return _timeline


class TimelineExtension(omni.ext.IExt):
    """Applies what was asked of the timeline, once per frame."""

    def on_startup(self, ext_id: str) -> None:
        self._subscription: Any = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="omni.timeline host",
            event_name=omni.kit.app.GLOBAL_EVENT_UPDATE,
            on_event=lambda _event: _timeline.commit(),
            order=_BEFORE_ALL_OTHERS,
        )

    def on_shutdown(self) -> None:
        self._subscription = None

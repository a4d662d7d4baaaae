"""What a teleop source is: something that gives an action per step, and says what its operator wants."""

from __future__ import annotations

import enum
import queue
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class TeleopEvent(enum.Enum):
    """What an operator can ask for with the device in hand."""

    START = "start"
    STOP = "stop"
    RESET = "reset"
    SUCCESS = "success"
    FAILURE = "failure"
    DISCARD = "discard"


class TeleopSource(Protocol):
    """A source of actions: a device, a script or a policy."""

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """Begin an episode in these envs, or in all; called after the envs were reset."""

    def advance(self) -> torch.Tensor | None:
        """Return the action for the next step, or None while there is none: then the host only renders.

        Shape is (num_envs, action_dim), float32, on the env's device.
        """

    def events(self) -> list[TeleopEvent]:
        """Return what the operator asked for since the last call, oldest first."""

    def close(self) -> None:
        """Let go of the device. Closing twice does no harm."""


class EventQueue:
    """Events on their way from a device's callbacks, on whatever thread those run, to the host."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[TeleopEvent] = queue.SimpleQueue()

    def put(self, event: TeleopEvent) -> None:
        """Add an event; may be called from any thread."""
        self._queue.put(event)

    def drain(self) -> list[TeleopEvent]:
        """Return all events that have arrived, oldest first, and forget them."""
        events: list[TeleopEvent] = []
        while True:
            try:
                events.append(self._queue.get_nowait())
            except queue.Empty:
                return events

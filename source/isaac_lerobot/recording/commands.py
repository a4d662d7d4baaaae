"""What a person, a key, a script or a setting may ask of a session.

Commands are plain values: whoever asks puts one into the session's queue, and it is carried out between two
simulation steps. The panel, the keyboard and the headless host therefore share one path. Each kind of command says in
which states it makes sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar


class SessionState(Enum):
    """Where a session stands; see ``docs/`` for the transitions."""

    IDLE = "idle"
    LOADING = "loading"
    READY = "ready"
    RECORDING = "recording"
    PAUSED = "paused"
    SAVING = "saving"
    FINISHED = "finished"
    ERROR = "error"


class Outcome(Enum):
    """How an episode ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNDECIDED = "undecided"

    @property
    def success(self) -> bool | None:
        """The value kept with the episode: True, False, or None where nobody decided."""
        return {Outcome.SUCCESS: True, Outcome.FAILURE: False, Outcome.UNDECIDED: None}[self]


RUNNING = frozenset({SessionState.RECORDING, SessionState.PAUSED})
"""States in which a recording runs."""

_UNOCCUPIED = frozenset({SessionState.READY, SessionState.FINISHED})
_ANYWHERE = frozenset(SessionState) - {SessionState.LOADING, SessionState.SAVING}


@dataclass(frozen=True)
class Command:
    """Base of all commands.

    Attributes:
        label: What it is called on the panel, and in messages.
        states: In which states it makes sense.
        needs_environment: Whether it does something to an environment, or to what is recorded of it.
    """

    label: ClassVar[str] = ""
    states: ClassVar[frozenset[SessionState]] = frozenset()
    needs_environment: ClassVar[bool] = True


@dataclass(frozen=True)
class ListTasks(Command):
    """Look up which tasks are registered (slow the first time: it imports them)."""

    label = "List tasks"
    states = _ANYWHERE
    needs_environment = False


@dataclass(frozen=True)
class Configure(Command):
    """Change fields of the recording configuration.

    Attributes:
        changes: New values by field name of ``RecordingConfig``.
    """

    label = "Changing a setting"
    states = _ANYWHERE
    needs_environment = False

    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenTask(Command):
    """Build the environment of the configured task."""

    label = "Load"
    states = _UNOCCUPIED | {SessionState.IDLE, SessionState.ERROR}


@dataclass(frozen=True)
class CloseTask(Command):
    """Close the environment and the dataset."""

    label = "Close task"
    states = _UNOCCUPIED | {SessionState.ERROR}


@dataclass(frozen=True)
class Start(Command):
    """Record from the next step on, opening the dataset if it is not open."""

    label = "Record"
    states = _UNOCCUPIED


@dataclass(frozen=True)
class Pause(Command):
    """Hold the simulation in the middle of the episode."""

    label = "Pause"
    states = frozenset({SessionState.RECORDING})


@dataclass(frozen=True)
class Resume(Command):
    """Go on with the episode that was paused."""

    label = "Resume"
    states = frozenset({SessionState.PAUSED})


@dataclass(frozen=True)
class End(Command):
    """End the running episode.

    Attributes:
        outcome: How it ended.
    """

    label = "Success or Failure"
    states = RUNNING

    outcome: Outcome


@dataclass(frozen=True)
class Discard(Command):
    """Throw the running episode away and reset."""

    label = "Discard"
    states = RUNNING


@dataclass(frozen=True)
class Reset(Command):
    """Reset the environment while nothing is being recorded."""

    label = "Reset scene"
    states = _UNOCCUPIED


@dataclass(frozen=True)
class Finish(Command):
    """Complete the dataset: keep a running episode as undecided, wait for the encoders, join the files."""

    label = "Finish dataset"
    states = RUNNING


@dataclass(frozen=True)
class Quit(Command):
    """Throw a running episode away, complete the dataset and leave."""

    label = "Quit"
    states = frozenset(SessionState)


def allowed_commands(state: SessionState, *, dataset_open: bool, has_frames: bool) -> set[type[Command]]:
    """Return the kinds of command that make sense now.

    Args:
        state: Where the session stands.
        dataset_open: Whether there is a dataset to be finished.
        has_frames: Whether an episode with frames is running.
    """
    allowed = {kind for kind in Command.__subclasses__() if state in kind.states}
    if dataset_open and state in (SessionState.READY, SessionState.ERROR):
        allowed.add(Finish)
    if not has_frames:
        allowed.discard(End)
    return allowed


def refusal(command: Command, state: SessionState) -> str:
    """Say why a command that is not among :func:`allowed_commands` is not carried out."""
    if isinstance(command, End) and state in command.states:
        return "There is no frame yet, so there is no episode to end."
    wanted = ", ".join(other.value for other in SessionState if other in command.states)
    return f"{command.label} is not possible while {state.value}; it is while {wanted}."

"""What a person, a key, a script or a setting may ask of a session.

Commands are plain values: whoever asks puts one into the session's queue, and it is carried out between two
simulation steps. The panel, the keyboard and the headless host therefore share one path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar


class Outcome(Enum):
    """How an episode ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNDECIDED = "undecided"

    @property
    def success(self) -> bool | None:
        """The value kept with the episode: True, False, or None where nobody decided."""
        return {Outcome.SUCCESS: True, Outcome.FAILURE: False, Outcome.UNDECIDED: None}[self]


@dataclass(frozen=True)
class Command:
    """Base of all commands.

    Attributes:
        label: What it is called on the panel, and in messages.
    """

    label: ClassVar[str] = ""


@dataclass(frozen=True)
class ListTasks(Command):
    """Look up which tasks are registered (slow the first time: it imports them)."""

    label = "List tasks"


@dataclass(frozen=True)
class Configure(Command):
    """Change fields of the recording configuration.

    Attributes:
        changes: New values by field name of ``RecordingConfig``.
    """

    label = "Changing a setting"

    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenTask(Command):
    """Build the environment of the configured task."""

    label = "Load"


@dataclass(frozen=True)
class CloseTask(Command):
    """Close the environment and the dataset."""

    label = "Close task"


@dataclass(frozen=True)
class Start(Command):
    """Record from the next step on, opening the dataset if it is not open."""

    label = "Record"


@dataclass(frozen=True)
class Pause(Command):
    """Hold the simulation in the middle of the episode."""

    label = "Pause"


@dataclass(frozen=True)
class Resume(Command):
    """Go on with the episode that was paused."""

    label = "Resume"


@dataclass(frozen=True)
class End(Command):
    """End the running episode.

    Attributes:
        outcome: How it ended.
    """

    label = "Success or Failure"

    outcome: Outcome


@dataclass(frozen=True)
class Discard(Command):
    """Throw the running episode away and reset."""

    label = "Discard"


@dataclass(frozen=True)
class Reset(Command):
    """Reset the environment while nothing is being recorded."""

    label = "Reset scene"


@dataclass(frozen=True)
class Finish(Command):
    """Complete the dataset: keep a running episode as undecided, wait for the encoders, join the files."""

    label = "Finish dataset"


@dataclass(frozen=True)
class Quit(Command):
    """Throw a running episode away, complete the dataset and leave."""

    label = "Quit"

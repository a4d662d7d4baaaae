"""``Status``: what a session is doing, as one immutable snapshot.

The panel, the log and the headless progress are functions of this snapshot and of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from isaac_lerobot.recording.commands import Command, SessionState
from isaac_lerobot.recording.config import RecordingConfig
from isaac_lerobot.recording.offer import TaskOffer


class Severity(Enum):
    """How a message is meant."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Message:
    """The last thing a session had to say.

    Attributes:
        text: One or a few sentences.
        severity: ``WARNING`` for a refused command, ``ERROR`` for what stopped the work.
    """

    text: str = ""
    severity: Severity = Severity.INFO


@dataclass(frozen=True)
class Counts:
    """Episodes of this recording so far.

    Attributes:
        saved: Safely on disk.
        saving: Ended and kept, on their way to the disk.
        succeeded: Successes among the kept ones.
        failed: Failures among the kept ones.
        discarded: Thrown away: by hand, by the export rule, or interrupted.
        lost: Kept ones that could not be brought to disk.
    """

    saved: int = 0
    saving: int = 0
    succeeded: int = 0
    failed: int = 0
    discarded: int = 0
    lost: int = 0


@dataclass(frozen=True)
class Status:
    """A snapshot of a session.

    Attributes:
        state: Where it stands.
        message: The last thing it had to say.
        config: The configuration in force.
        tasks: Ids of the registered tasks; empty until ``ListTasks`` was carried out.
        offer: What the loaded task offers, None while no task is loaded.
        selection_locked: Whether the features are fixed because the dataset is open.
        episode_frames: Frames in the running episode (the longest, with several environments).
        episode_seconds: Its length in simulated time [s].
        success_steps: Consecutive steps for which the success term has held.
        counts: Episodes so far.
        progress: Demos so far, of this recording or, where only ``config.until`` is set, of the dataset: successes
            where the task judges them, else saved ones.
        target: How many demos there are to be. 0: no target.
        dataset: Folder of the open dataset.
        dataset_episodes: Episodes in that dataset, earlier recordings included.
        next_episode: Index that the running episode gets there, if all before it arrive.
        queue_depth: Pictures waiting for the encoders.
        waited: Time the simulation has waited for the encoders [s].
        steps_per_second: Measured pace of the simulation [1/s], 0 while nothing is recorded.
        allowed: Kinds of command that make sense now.
    """

    state: SessionState
    message: Message
    config: RecordingConfig
    tasks: tuple[str, ...] = ()
    offer: TaskOffer | None = None
    selection_locked: bool = False
    episode_frames: int = 0
    episode_seconds: float = 0.0
    success_steps: int = 0
    counts: Counts = Counts()
    progress: int = 0
    target: int = 0
    dataset: Path | None = None
    dataset_episodes: int = 0
    next_episode: int = 0
    queue_depth: int = 0
    waited: float = 0.0
    steps_per_second: float = 0.0
    allowed: frozenset[type[Command]] = frozenset()

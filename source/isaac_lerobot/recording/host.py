"""``Host``: what a session asks of whoever owns the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from isaac_lerobot.recording.config import RecordingConfig
from isaac_lerobot.recording.offer import TaskOffer
from isaac_lerobot.recording.selection import Selection


@dataclass(frozen=True)
class Snapshot:
    """What some environments are like at one instant, kept beside the dataset so that episodes can be played back.

    Attributes:
        attributes: JSON-able facts (the seed).
        arrays: The scene's state by name, e.g. ``"articulation/robot/joint_position"``; a row per environment.
    """

    attributes: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Any] = field(default_factory=dict)


class Host(Protocol):
    """Whoever owns the environment and carries out what a session cannot do itself."""

    def list_tasks(self, packages: Sequence[str]) -> Sequence[str]:
        """Import ``packages`` and return the ids of all registered tasks."""

    def open(self, config: RecordingConfig) -> TaskOffer:
        """Build the configured environment and return what it offers."""

    def start(self, config: RecordingConfig, selection: Selection) -> Mapping[str, Any]:
        """Prepare recording ``selection``; return JSON-able facts about the environment to keep with the dataset."""

    def snapshot(self, env_ids: Sequence[int]) -> Snapshot:
        """Return what these environments are like now; asked for as their episodes end.

        Frames that are still on their way to the session are handed over first.
        """

    def reset(self, env_ids: Sequence[int]) -> None:
        """Reset these environments."""

    def close(self) -> None:
        """Close the environment, if one is open."""

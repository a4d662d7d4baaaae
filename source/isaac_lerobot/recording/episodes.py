"""``RunningEpisodes``: the episodes under way, at most one of each environment."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from isaac_lerobot.dataset import Episode
from isaac_lerobot.recording.host import Snapshot
from isaac_lerobot.recording.ledger import Ledger

_PACE_STEPS = 30


@dataclass
class RunningEpisode:
    """An episode that is being recorded.

    Attributes:
        writer: What takes its frames, None where the export rule keeps nothing.
        initial: What the environment was like as it began.
        frames: Number of frames so far.
    """

    writer: Episode | None
    initial: Snapshot
    frames: int = 0


class RunningEpisodes:
    """Episodes being recorded, by environment, and the environments from which frames are wanted.

    Args:
        ledger: Is told of every episode that is thrown away.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._episodes: dict[int, RunningEpisode] = {}
        self._armed: frozenset[int] = frozenset()
        self._steps: deque[float] = deque(maxlen=_PACE_STEPS)

    @property
    def armed(self) -> frozenset[int]:
        """Environments from which frames are wanted."""
        return self._armed

    @property
    def env_ids(self) -> list[int]:
        """Environments that have an episode running."""
        return list(self._episodes)

    @property
    def with_frames(self) -> list[int]:
        """Environments whose episode has frames already."""
        return [env_id for env_id, episode in list(self._episodes.items()) if episode.frames]

    @property
    def longest(self) -> int:
        """Frames of the longest episode; from any thread."""
        return max((episode.frames for episode in list(self._episodes.values())), default=0)

    @property
    def steps_per_second(self) -> float:
        """Measured pace of the frames of one environment [1/s], 0 where it is not known; from any thread."""
        steps = list(self._steps)
        return (len(steps) - 1) / (steps[-1] - steps[0]) if len(steps) > 1 and steps[-1] > steps[0] else 0.0

    def arm(self, env_ids: Iterable[int]) -> None:
        """Want frames of these environments, and measure the pace anew."""
        self._armed = frozenset(env_ids)
        self.restart_pace()

    def disarm(self, env_ids: Iterable[int] | None = None) -> None:
        """Want no more frames of these environments, or of any."""
        self._armed = frozenset() if env_ids is None else self._armed - set(env_ids)

    def restart_pace(self) -> None:
        """Forget how fast frames came: there was a pause."""
        self._steps.clear()

    def get(self, env_id: int) -> RunningEpisode | None:
        """Return the episode of an environment, if one is running."""
        return self._episodes.get(env_id)

    def begin(self, env_id: int, writer: Episode | None, initial: Snapshot) -> RunningEpisode:
        """Begin an environment's episode."""
        episode = self._episodes[env_id] = RunningEpisode(writer, initial)
        return episode

    def add_frame(
        self, env_id: int, episode: RunningEpisode, frame: Mapping[str, Any], extra: Mapping[str, Any] | None
    ) -> None:
        """Add a frame to an environment's episode."""
        if episode.writer is not None:
            episode.writer.add_frame(frame, extra=extra)
        episode.frames += 1
        if env_id == min(self._armed):
            self._steps.append(time.monotonic())

    def take(self, env_id: int) -> RunningEpisode | None:
        """Hand over an environment's episode, which is over: its next frame begins another."""
        return self._episodes.pop(env_id, None)

    def throw_away(self, episode: RunningEpisode) -> None:
        """Discard an episode that was taken."""
        if episode.writer is not None:
            episode.writer.discard()
        if episode.frames:
            self._ledger.discarded()

    def drop(self, env_id: int) -> None:
        """Throw an environment's episode away, if one is running."""
        episode = self.take(env_id)
        if episode is not None:
            self.throw_away(episode)

    def drop_all(self) -> None:
        """Throw every episode away."""
        for env_id in self.env_ids:
            self.drop(env_id)

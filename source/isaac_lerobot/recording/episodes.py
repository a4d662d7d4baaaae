"""``RunningEpisodes``: the episodes under way, at most one of each environment."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset import Episode
from isaac_lerobot.recording.status import Severity
from isaac_lerobot.recording.step_buffer import StepBuffer

STATE_PREFIX = "state/"
"""Before the path of a state that is kept for every frame beside the dataset."""

_PACE_STEPS = 30

Arrays = Mapping[str, NDArray[Any]]


class Listener(Protocol):
    """Hears what becomes of running episodes; a :class:`.Ledger`, say."""

    def say(self, text: str, severity: Severity) -> None:
        """Hear what a person should know."""

    def discarded(self) -> None:
        """Hear that an episode with frames was thrown away."""


@dataclass
class RunningEpisode:
    """An episode that is being recorded.

    Attributes:
        writer: What takes its frames, None where the export rule keeps nothing.
        initial: The state in which it began, by path.
        frames: Number of frames; final once the episode was taken.
        has_nan: Whether it is known to hold numbers that are none.
    """

    writer: Episode | None
    initial: Arrays = field(default_factory=dict)
    frames: int = 0
    has_nan: bool = False


class RunningEpisodes:
    """Episodes being recorded, by environment, and the environments from which frames are wanted.

    A step is recorded for all environments together: pictures go to their encoders one by one, everything else is
    copied once and reaches the episodes in blocks.

    Args:
        ledger: Is told of every episode that is thrown away, and of numbers that are none.
    """

    def __init__(self, ledger: Listener) -> None:
        self._ledger = ledger
        self._begin: Callable[[], Episode | None] = lambda: None
        self._cameras: tuple[str, ...] = ()
        self._beside: frozenset[str] = frozenset()
        self._episodes: dict[int, RunningEpisode] = {}
        self._frames: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._armed: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._buffer = StepBuffer(0, self._add_rows)
        self._steps: deque[float] = deque(maxlen=_PACE_STEPS)

    @property
    def armed(self) -> NDArray[np.int64]:
        """Environments from which frames are wanted, sorted."""
        return self._armed

    @property
    def env_ids(self) -> list[int]:
        """Environments that have an episode running."""
        return list(self._episodes)

    def is_running(self, env_id: int) -> bool:
        """Whether this environment has an episode running."""
        return env_id in self._episodes

    @property
    def longest(self) -> int:
        """Frames of the longest episode; from any thread."""
        frames = self._frames
        return int(frames.max()) if frames.size else 0

    @property
    def steps_per_second(self) -> float:
        """Measured pace of the steps [1/s], 0 where it is not known; from any thread."""
        steps = list(self._steps)
        return (len(steps) - 1) / (steps[-1] - steps[0]) if len(steps) > 1 and steps[-1] > steps[0] else 0.0

    def open(self, num_envs: int, cameras: Sequence[str], begin: Callable[[], Episode | None]) -> None:
        """Make ready for a recording.

        Args:
            num_envs: Number of environments.
            cameras: Features that are pictures.
            begin: Begins an episode of the dataset; None where nothing is kept.
        """
        self._begin, self._cameras = begin, tuple(cameras)
        self._frames = np.zeros(num_envs, dtype=np.int64)
        self._buffer = StepBuffer(num_envs, self._add_rows)

    def arm(self, env_ids: Iterable[int]) -> None:
        """Want frames of these environments, and measure the pace anew."""
        self._armed = np.array(sorted(env_ids), dtype=np.int64)
        self.restart_pace()

    def disarm(self, env_ids: Iterable[int] | None = None) -> None:
        """Want no more frames of these environments, or of any."""
        gone = self._armed if env_ids is None else np.array(list(env_ids), dtype=np.int64)
        self._armed = np.setdiff1d(self._armed, gone)

    def restart_pace(self) -> None:
        """Forget how fast steps came: there was a pause."""
        self._steps.clear()

    def record(self, env_ids: NDArray[np.int64], frame: Arrays, states: Arrays, beside: Arrays) -> None:
        """Record a step; episodes begin where none is running.

        Args:
            env_ids: The environments it is recorded of.
            frame: Values by feature, shape ``(num_envs, …)``.
            states: The scene's state before the step, by path, shape ``(num_envs, …)``.
            beside: What else is kept beside the dataset, likewise.

        Raises:
            DatasetError: An episode could not be begun or written.
        """
        for env_id in env_ids[self._frames[env_ids] == 0].tolist():
            if env_id not in self._episodes:
                initial = {path: value[env_id].copy() for path, value in states.items()}
                self._episodes[env_id] = RunningEpisode(self._begin(), initial)
        if self._cameras:
            self._add_pictures(env_ids, frame)
        rows = {name: value for name, value in frame.items() if name not in self._cameras}
        self._notice_nan(env_ids, rows)
        # The joints of an asset without joints are no numbers to keep.
        kept = {f"{STATE_PREFIX}{path}": value for path, value in states.items() if value.size}
        kept |= {path: value for path, value in beside.items() if value.size}
        self._beside = frozenset(kept)
        self._buffer.append(env_ids, rows | kept)
        self._frames[env_ids] += 1
        self._steps.append(time.monotonic())

    def take(self, env_id: int) -> RunningEpisode | None:
        """Hand over an environment's episode, which is over: its next frame begins another.

        Raises:
            DatasetError: Its last rows could not be written.
        """
        if env_id not in self._episodes:
            return None
        try:
            self._buffer.hand_over(env_id)
        except Exception:
            self.drop(env_id)
            raise
        episode = self._episodes.pop(env_id)
        episode.frames, self._frames[env_id] = int(self._frames[env_id]), 0
        return episode

    def throw_away(self, episode: RunningEpisode) -> None:
        """Discard an episode that was taken."""
        if episode.writer is not None:
            episode.writer.discard()
        if episode.frames:
            self._ledger.discarded()

    def drop(self, env_id: int) -> None:
        """Throw an environment's episode away, if one is running."""
        episode = self._episodes.pop(env_id, None)
        if episode is not None:
            self._buffer.forget(env_id)
            episode.frames, self._frames[env_id] = int(self._frames[env_id]), 0
            self.throw_away(episode)

    def drop_all(self) -> None:
        """Throw every episode away."""
        for env_id in self.env_ids:
            self.drop(env_id)

    def _add_pictures(self, env_ids: NDArray[np.int64], frame: Arrays) -> None:
        for env_id in env_ids.tolist():
            writer = self._episodes[env_id].writer
            if writer is not None:
                writer.add_pictures({name: frame[name][env_id] for name in self._cameras})

    def _add_rows(self, env_id: int, rows: Arrays) -> None:
        writer = self._episodes[env_id].writer
        if writer is not None:
            beside = {name: value for name, value in rows.items() if name in self._beside}
            writer.add_rows({name: value for name, value in rows.items() if name not in beside}, extra=beside)

    def _notice_nan(self, env_ids: NDArray[np.int64], rows: Arrays) -> None:
        """Say so, once in an episode, where a number is none: nobody wants to find that out days later."""
        for name, value in rows.items():
            if value.dtype.kind != "f" or np.isfinite(value).all():
                continue
            flat = value[env_ids].reshape(len(env_ids), -1)
            for env_id in env_ids[~np.isfinite(flat).all(axis=1)].tolist():
                episode = self._episodes[env_id]
                if not episode.has_nan:
                    episode.has_nan = True
                    where = f" of environment {env_id}" if len(self._frames) > 1 else ""
                    self._ledger.say(
                        f"{name} holds NaN or inf at frame {self._frames[env_id]} of the running episode{where}. It is "
                        "recorded as it is.", Severity.WARNING,
                    )  # fmt: skip

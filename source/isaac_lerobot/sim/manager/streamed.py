"""``StreamedEpisodes``: episodes that go to the dataset step by step, and what their recorder manager holds of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from isaaclab.utils.datasets import EpisodeData
from numpy.typing import NDArray

from isaac_lerobot.dataset import Episode
from isaac_lerobot.episode_data.states import FINAL, INITIAL
from isaac_lerobot.episode_data.tensors import as_numpy, flat
from isaac_lerobot.recording.episodes import RunningEpisodes
from isaac_lerobot.recording.status import Severity
from isaac_lerobot.sim.manager.dataset_file import Contents, DatasetFile

logger = logging.getLogger(__name__)

STREAMED = "lerobot"
"""The entry of the ``EpisodeData`` of a streamed episode that stands for its steps: a :class:`StreamedEpisode`."""

Arrays = Mapping[str, NDArray[Any]]


class StreamedEpisode:
    """Stands in an ``EpisodeData`` for the steps of an episode, and comes to the file handler when it is to be kept.

    Args:
        env_id: The environment that it is of.
        save: Saves it into a dataset.
    """

    def __init__(self, env_id: int, save: Callable[[int, DatasetFile, str, EpisodeData], bool]) -> None:
        self._env_id, self._save = env_id, save

    def save(self, file: DatasetFile, name: str, episode: EpisodeData) -> bool:
        """Save it; return whether there was a step to save.

        Args:
            file: The dataset it goes into.
            name: What the episode is called there.
            episode: What the recorder manager has of it besides its steps.

        Raises:
            FeatureError: That dataset has other features.
            DatasetError: It could not be written.
        """
        return self._save(self._env_id, file, name, episode)


class StreamedEpisodes:
    """The running episodes of a recorder manager's environments.

    Args:
        num_envs: Number of environments.
        contents: What they need of a dataset.
        begin: Begins an episode there.
        state: Returns the scene's state by path, shape ``(num_envs, …)``.
    """

    def __init__(
        self, num_envs: int, contents: Contents, begin: Callable[[], Episode], state: Callable[[], Arrays]
    ) -> None:
        self._contents, self._state = contents, state
        cameras = [name for name, feature in contents.schema.features.items() if feature["dtype"] == "video"]
        self._running = RunningEpisodes(_Log())
        self._running.open(num_envs, cameras, begin)
        self._final: dict[int, dict[str, NDArray[Any]]] = {}

    def record(self, env_ids: NDArray[np.int64], frame: Arrays, states: Arrays, beside: Arrays) -> None:
        """Record a step; see :meth:`.RunningEpisodes.record`."""
        self._final.clear()
        self._running.record(env_ids, frame, states, beside)

    def hold_final(self, env_ids: Sequence[int]) -> None:
        """Keep the state in which episodes end, which may be exported only after it is gone."""
        state = self._state()
        self._final.update({env_id: {path: value[env_id] for path, value in state.items()} for env_id in env_ids})

    def save(self, env_id: int, file: DatasetFile, name: str, episode: EpisodeData) -> bool:
        """Save the episode of an environment; see :meth:`StreamedEpisode.save`."""
        running = self._running.take(env_id)
        if running is None or running.writer is None:
            return False
        others = flat({key: value for key, value in episode.data.items() if key != STREAMED})
        kept = {path: as_numpy(value) for path, value in others.items()}
        initial = {path: value[0] for path, value in kept.items() if path.startswith(INITIAL)}
        arrays = {**_under(INITIAL, running.initial), **_under(FINAL, self._final_state(env_id)), **kept, **initial}
        try:
            # The steps lie with the dataset they were begun for; failed episodes may go into another.
            file.writer_for(self._contents).save(
                running.writer,
                None if episode.success is None else bool(episode.success),
                attributes=file.episode_attributes(name, episode.seed),
                arrays=arrays,
            )
        finally:
            # Does nothing once it is saved.
            running.writer.discard()
        return True

    def drop(self, env_id: int) -> None:
        """Throw the episode of an environment away, if one is running."""
        self._final.pop(env_id, None)
        self._running.drop(env_id)

    def drop_all(self) -> None:
        """Throw every episode away."""
        self._final.clear()
        self._running.drop_all()

    def _final_state(self, env_id: int) -> dict[str, NDArray[Any]]:
        if env_id in self._final:
            return self._final.pop(env_id)
        return {path: value[env_id] for path, value in self._state().items()}


class _Log:
    """Hears of running episodes where nobody watches."""

    def say(self, text: str, severity: Severity) -> None:
        logger.warning(text)

    def discarded(self) -> None:
        pass


def _under(prefix: str, values: Arrays) -> dict[str, NDArray[Any]]:
    return {f"{prefix}{path}": value for path, value in values.items()}

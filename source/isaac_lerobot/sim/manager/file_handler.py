"""``LeRobotDatasetFileHandler``: Isaac Lab's dataset file handler, writing and reading LeRobot v3.0 datasets."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from isaaclab.utils.datasets import EpisodeData
from isaaclab.utils.datasets.dataset_file_handler_base import DatasetFileHandlerBase

from isaac_lerobot.dataset import Episode, holds_dataset
from isaac_lerobot.episode_data.layout import ACTIONS, EpisodeLayout, is_observation
from isaac_lerobot.episode_data.states import kept_values
from isaac_lerobot.episode_data.tensors import flat, nested
from isaac_lerobot.errors import ConfigError, DatasetError, nearest
from isaac_lerobot.recording.opening import DatasetSchema, root_of_file
from isaac_lerobot.sim.manager.collected import CollectedEpisode
from isaac_lerobot.sim.manager.dataset_file import Contents, DatasetFile, need_writable
from isaac_lerobot.sim.manager.keys import check_keys, choice_of
from isaac_lerobot.sim.manager.rate import guessed_rate, rate_of
from isaac_lerobot.sim.manager.streamed import STREAMED, StreamedEpisode

logger = logging.getLogger(__name__)

_SETTINGS = (
    "observation_keys_to_record",
    "state_observation_keys",
    "task_description",
    "codec",
    "fps",
    "robot_type",
    "overwrite",
)


class LeRobotDatasetFileHandler(DatasetFileHandlerBase):  # type: ignore[misc]
    """Keeps Isaac Lab's episodes in a LeRobot dataset instead of an HDF5 file.

    Isaac Lab makes handlers without arguments. What there is to choose are attributes, to be set on an instance
    before its first episode, or for a whole recording by :meth:`configured`.

    Attributes:
        observation_keys_to_record: Observations (``group/term``) recorded as ``observation.<term>``. None, as is
            ``state_observation_keys``: everything that the recorder terms collect is recorded.
        state_observation_keys: Observations concatenated, in this order, into ``observation.state``.
        task_description: What the robot does, in words. Empty: the environment's name.
        codec: Video encoder, see :meth:`.VideoCodec.parse`.
        fps: Frames per second [1/s]. None: from the environment's arguments (1 / (dt * decimation)).
        robot_type: Name of the robot.
        overwrite: Whether :meth:`create` replaces a dataset instead of continuing it.
    """

    observation_keys_to_record: Sequence[str] | None = None
    state_observation_keys: Sequence[str] | None = None
    task_description: str = ""
    codec: str = "h264"
    fps: int | None = None
    robot_type: str | None = None
    overwrite: bool = False

    def __init__(self) -> None:
        self._file: DatasetFile | None = None
        self._warned_of: set[str] = set()

    @classmethod
    def configured(cls, **settings: Any) -> type[LeRobotDatasetFileHandler]:
        """Return a handler class with other defaults, for ``dataset_file_handler_class_type``.

        Raises:
            ConfigError: There is no such setting.
        """
        for name in settings:
            if name not in _SETTINGS:
                raise ConfigError(f"LeRobotDatasetFileHandler has no setting '{name}'. {nearest(name, _SETTINGS)}")
        return type(cls.__name__, (cls,), {"__module__": cls.__module__, **settings})

    # ---- opening -----------------------------------------------------------------------------------------------

    def create(self, file_path: str, env_name: str | None = None) -> None:
        """Record into a dataset. One that is there already is continued, unless :attr:`overwrite` is set.

        Nothing is written before the first episode, whose values say which features there are.

        Args:
            file_path: Folder of the dataset, see :func:`.root_of_file`.
            env_name: Name of the environment.

        Raises:
            ConfigError: Both key lists are set and empty.
            DatasetError: The folder holds something else, or another process is writing it.
        """
        self._raise_if_open()
        check_keys(self.state_observation_keys, self.observation_keys_to_record)
        self._use(DatasetFile.create(root_of_file(file_path), overwrite=self.overwrite))
        if env_name or not self._opened().env_args:
            self.add_env_args({"env_name": env_name or "", "type": 2})

    def open(self, file_path: str, mode: str = "r") -> None:
        """Open a dataset that is there.

        Args:
            file_path: Its folder; ``.hdf5`` stands for ``.lerobot``.
            mode: ``"r"`` to read, ``"a"`` or ``"r+"`` to add episodes as well.

        Raises:
            DatasetError: There is no such dataset.
        """
        self._raise_if_open()
        root = Path(file_path).expanduser().absolute()
        root = root if holds_dataset(root) else root_of_file(file_path)
        if mode not in ("r", "a", "r+"):
            raise ConfigError(f"A dataset is opened with mode 'r', 'a' or 'r+', not {mode!r}; make one with create().")
        self._use(DatasetFile.to_read(root) if mode == "r" else DatasetFile.continued(root))

    def flush(self) -> None:
        """Wait until every episode is on the disk.

        Raises:
            DatasetError: An episode could not be brought there.
        """
        self._opened().flush()

    def close(self) -> None:
        """Complete the dataset and let go of it; may be called twice.

        Raises:
            DatasetError: An episode could not be brought to disk.
        """
        file, self._file = self._file, None
        if file is not None:
            file.close()

    # ---- what is in it -----------------------------------------------------------------------------------------

    def add_env_args(self, env_args: Mapping[str, Any]) -> None:
        """Add facts about the environment (JSON); they are kept beside the dataset.

        Raises:
            DatasetError: The dataset is open for reading only.
        """
        file = self._opened()
        need_writable(file)
        file.env_args.update(env_args)

    def get_env_args(self) -> dict[str, Any]:
        """Return the facts about the environment, its name among them."""
        return dict(self._opened().env_args)

    def set_env_name(self, env_name: str) -> None:
        """Set the environment's name."""
        self.add_env_args({"env_name": env_name})

    def get_env_name(self) -> str | None:
        """Return the environment's name."""
        return self._opened().env_args.get("env_name")

    def get_episode_names(self) -> Iterable[str]:
        """Return the episodes' names in the order of recording: ``demo_0``, ``demo_1``, … unless given others."""
        return self._opened().names

    def get_num_episodes(self) -> int:
        """Return the number of episodes."""
        return self.demo_count

    @property
    def demo_count(self) -> int:
        """Number of episodes so far; those given a ``demo_id`` of their own do not count, as in Isaac Lab."""
        return self._file.demo_count if self._file is not None else 0

    # ---- episodes ----------------------------------------------------------------------------------------------

    def write_episode(self, episode: EpisodeData, demo_id: int | None = None, dataset_compression: bool = True) -> None:
        """Add an episode; it is on the disk after :meth:`flush`. One without a single step is left out.

        Args:
            episode: The episode. One that was streamed has been written already and is only closed here.
            demo_id: Names it ``demo_<demo_id>``. None: the next number.
            dataset_compression: Means nothing here: LeRobot's files are always compressed.

        Raises:
            ValueError: There is an episode of that name.
            FeatureError: Its values differ from the dataset's features; lists every difference.
            DatasetError: It could not be written.
        """
        file = self._opened()
        need_writable(file)
        if episode.is_empty():
            return
        name = f"demo_{file.demo_count if demo_id is None else demo_id}"
        if name in file.names:
            raise ValueError(f"Episode '{name}' already exists in the dataset")
        streamed = episode.data.get(STREAMED)
        if isinstance(streamed, StreamedEpisode):
            saved = streamed.save(file, name, episode)
        else:
            saved = self._save_collected(file, name, episode)
        if saved:
            file.add_name(name, counts=demo_id is None)

    def load_episode(
        self, episode_name: str, device: str = "cpu", convert_legacy_quat: bool | None = None, images: bool = False
    ) -> EpisodeData | None:
        """Return an episode as it was given to :meth:`write_episode`, or None if there is none of that name.

        Args:
            episode_name: Its name, e.g. ``"demo_0"``.
            device: Device of the tensors.
            convert_legacy_quat: For Isaac Lab's sake: quaternions here are as Isaac Lab gave them.
            images: Whether to decode the pictures as well; they are exact but for the video codec's error.
        """
        file = self._opened()
        file.flush()
        if episode_name not in file.names:
            return None
        reader = file.reader()
        recorded = reader.episode(file.names.index(episode_name))
        sidecar = recorded.sidecar()
        values = EpisodeLayout.of_dataset(reader).tree(recorded, images) | kept_values(sidecar)

        import torch

        episode = EpisodeData()
        episode.data = nested(
            {path: torch.from_numpy(np.ascontiguousarray(value)).to(device) for path, value in values.items()}
        )
        if sidecar.attributes.get("seed") is not None:
            episode.seed = sidecar.attributes["seed"]
        if recorded.success is not None:
            episode.success = recorded.success
        # As Isaac Lab's own handler does.
        episode.env_id = self.get_env_name()
        return episode

    def begin_episode(self, contents: Contents, task: str) -> Episode:
        """Open an episode whose frames come one by one; :meth:`write_episode` closes it.

        Raises:
            FeatureError: The dataset has other features.
            DatasetError: It cannot be written.
        """
        return self._opened().writer_for(contents).begin_episode(task)

    def _save_collected(self, file: DatasetFile, name: str, episode: EpisodeData) -> bool:
        episode.pre_export()
        collected = CollectedEpisode(
            flat(episode.data), choice_of(self.state_observation_keys, self.observation_keys_to_record)
        )
        if not collected.steps:
            # A reset before the first step leaves its initial state behind, and nothing is lost with that.
            level = logging.INFO if set(episode.data) <= {"initial_state"} else logging.WARNING
            logger.log(level, "%s: an episode without a step was left out.", file.root)
            return False
        self._say_what_is_odd(file, name, collected)
        schema = DatasetSchema(self._rate(file), collected.layout.features(), self.robot_type, self.codec)
        writing = file.writer_for(Contents(schema, collected.layout)).begin_episode(self._task(file))
        try:
            for frame, extra in collected.frames():
                writing.add_frame(frame, extra)
            success = None if episode.success is None else bool(episode.success)
            attributes = file.episode_attributes(name, episode.seed)
            writing.save(success, attributes=attributes, arrays=collected.arrays())
        finally:
            # Does nothing once it is saved.
            writing.discard()
        return True

    def _say_what_is_odd(self, file: DatasetFile, name: str, collected: CollectedEpisode) -> None:
        paths = collected.layout.paths
        if ACTIONS not in paths and not any(map(is_observation, paths)):
            self._warn_once(
                "features",
                f"The episodes of {file.root} have neither actions nor observations: every value with a row per step "
                "becomes a feature of its own name, and no policy can be trained on them.",
            )
        if found := collected.first_not_finite():
            path, step = found
            logger.warning("%s: %s holds NaN or inf at step %d. It is recorded as it is.", name, path, step)

    def _task(self, file: DatasetFile) -> str:
        text = self.task_description or file.env_args.get("env_name")
        if not text:
            self._warn_once(
                "task",
                f"Nothing says what is done in the episodes of {file.root}; their task text is 'task'. Set the "
                "handler's `task_description`, or use LeRobotDatasetFileHandler.configured(task_description=…).",
            )
        return text or "task"

    def _rate(self, file: DatasetFile) -> int:
        if self.fps is not None:
            return int(self.fps)
        return rate_of(file.env_args) or file.fps or guessed_rate(file.env_args.get("env_name"), file.root)

    # ---- the open dataset --------------------------------------------------------------------------------------

    def _use(self, file: DatasetFile) -> None:
        self._file = file
        self._warned_of.clear()

    def _opened(self) -> DatasetFile:
        if self._file is None:
            raise DatasetError("No dataset is open. Call create() or open() first.")
        return self._file

    def _raise_if_open(self) -> None:
        if self._file is not None:
            raise DatasetError(f"This handler has {self._file.root} open. Close it first, or use another handler.")

    def _warn_once(self, topic: str, message: str) -> None:
        if topic not in self._warned_of:
            self._warned_of.add(topic)
            logger.warning(message)

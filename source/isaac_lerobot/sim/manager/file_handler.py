"""``LeRobotDatasetFileHandler``: Isaac Lab's dataset file handler, writing and reading LeRobot v3.0 datasets."""

from __future__ import annotations

import contextlib
import itertools
import logging
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from isaaclab.utils.datasets import EpisodeData
from isaaclab.utils.datasets.dataset_file_handler_base import DatasetFileHandlerBase

from isaac_lerobot.dataset import DatasetReader, DatasetWriter, Episode
from isaac_lerobot.dataset.format.features import differences, parse_features
from isaac_lerobot.dataset.format.sidecar import read_attributes
from isaac_lerobot.dataset.write.folder import check_usable, holds_dataset
from isaac_lerobot.episode_data.layout import LAYOUT, NO_KEYS, EpisodeLayout
from isaac_lerobot.episode_data.names import NAME, episode_names
from isaac_lerobot.episode_data.states import kept_values
from isaac_lerobot.episode_data.tensors import as_numpy, flat, nested
from isaac_lerobot.errors import ConfigError, DatasetError, FeatureError, nearest
from isaac_lerobot.sim.env.facts import package_versions
from isaac_lerobot.sim.env.offer import frames_per_second
from isaac_lerobot.sim.manager.streamed import STREAMED, StreamedEpisode, StreamSchema

logger = logging.getLogger(__name__)

SUFFIX = ".lerobot"
_FAILED = "_failed"
DEFAULT_FPS = 30
"""Frame rate of a dataset whose rate nothing tells [1/s]; used with a warning."""

_SETTINGS = (
    "observation_keys_to_record",
    "state_observation_keys",
    "task_description",
    "codec",
    "fps",
    "robot_type",
    "overwrite",
)


def dataset_folder(file_path: str) -> Path:
    """Return the dataset's folder for a path as Isaac Lab gives it: ``.hdf5`` becomes ``.lerobot``, none is added."""
    path = Path(file_path).expanduser().absolute()
    name, failed = path.name, ""
    # Isaac Lab appends this to whatever the file name is, a suffix included.
    if name.endswith(_FAILED):
        name, failed = name.removesuffix(_FAILED), _FAILED
    for suffix in (SUFFIX, ".hdf5"):
        name = name.removesuffix(suffix)
    return path.with_name(f"{name}{failed}{SUFFIX}")


def open_handler(file_path: str) -> LeRobotDatasetFileHandler | None:
    """Return the handler of this process that has ``file_path`` open for writing."""
    return _writing.get(dataset_folder(file_path))


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
        self._root: Path | None = None
        self._writer: DatasetWriter | None = None
        self._reader: DatasetReader | None = None
        self._layout: EpisodeLayout | None = None
        self._names: list[str] | None = None
        self._env_args: dict[str, Any] = {}
        self._kept_env_args: dict[str, Any] | None = None
        self._demo_count = 0
        # A streamed episode says only when it begins whether the dataset that create() has found is to be replaced.
        self._may_overwrite = False
        self._warned_of_task = False

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
            file_path: Folder of the dataset, see :func:`dataset_folder`.
            env_name: Name of the environment.

        Raises:
            ConfigError: Both key lists are set and empty.
            DatasetError: The folder holds something else, or another process is writing it.
        """
        self._raise_if_open()
        if _is_empty(self.state_observation_keys) and _is_empty(self.observation_keys_to_record):
            raise ConfigError(NO_KEYS)
        root = dataset_folder(file_path)
        if holds_dataset(root) and not self.overwrite:
            self._continue(root)
            self._may_overwrite = True
        elif root.exists():
            check_usable(root, self.overwrite)
        self._root = root
        if env_name or not self._env_args:
            self.add_env_args({"env_name": env_name or "", "type": 2})
        _writing[root] = self

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
        root = root if holds_dataset(root) else dataset_folder(file_path)
        if mode == "r":
            self._reader = DatasetReader(root)
            self._root = root
            self._read_own(self._reader)
        elif mode in ("a", "r+"):
            self._continue(root)
            self._root = root
            _writing[root] = self
        else:
            raise ConfigError(f"A dataset is opened with mode 'r', 'a' or 'r+', not {mode!r}; make one with create().")

    def flush(self) -> None:
        """Wait until every episode is on the disk.

        Raises:
            DatasetError: An episode could not be brought there.
        """
        self._raise_if_closed()
        if self._writer is not None:
            self._writer.wait()

    def close(self) -> None:
        """Complete the dataset and let go of it; may be called twice.

        Raises:
            DatasetError: An episode could not be brought to disk.
        """
        root, self._root = self._root, None
        writer, self._writer = self._writer, None
        self._reader = None
        if root is not None and _writing.get(root) is self:
            del _writing[root]
        if writer is not None:
            try:
                if self._kept_env_args != self._env_args:
                    env_args = dict(self._env_args)
                    writer.update_attributes({"env_name": env_args.get("env_name"), "env_args": env_args})
            finally:
                writer.close()

    # ---- what is in it -----------------------------------------------------------------------------------------

    def add_env_args(self, env_args: Mapping[str, Any]) -> None:
        """Add facts about the environment (JSON); they are kept beside the dataset.

        Raises:
            DatasetError: The dataset is open for reading only.
        """
        self._raise_if_closed()
        if self._reader is not None:
            raise DatasetError(f"{self._root} is open for reading. Open it with mode 'a' to change what it says.")
        self._env_args.update(env_args)

    def set_env_name(self, env_name: str) -> None:
        """Set the environment's name."""
        self.add_env_args({"env_name": env_name})

    def get_env_name(self) -> str | None:
        """Return the environment's name."""
        self._raise_if_closed()
        return self._env_args.get("env_name")

    def get_episode_names(self) -> Iterable[str]:
        """Return the episodes' names in the order of recording: ``demo_0``, ``demo_1``, … unless given others."""
        return list(self._episode_names())

    def get_num_episodes(self) -> int:
        """Return the number of episodes."""
        return self._demo_count

    @property
    def demo_count(self) -> int:
        """Number of episodes so far; those given a ``demo_id`` of their own do not count, as in Isaac Lab."""
        return self._demo_count

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
        self._raise_if_closed()
        if self._reader is not None:
            raise DatasetError(f"{self._root} was opened for reading. Open it with mode 'a' to add episodes.")
        if episode.is_empty():
            return
        name = f"demo_{self._demo_count if demo_id is None else demo_id}"
        if name in self._episode_names():
            raise ValueError(f"Episode '{name}' already exists in the dataset")
        streamed = episode.data.get(STREAMED)
        if streamed is not None:
            saved = self._save_streamed(streamed, episode, name)
        else:
            saved = self._save_collected(episode, name)
        if saved:
            self._episode_names().append(name)
            self._demo_count += demo_id is None

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
        self.flush()
        names = self._episode_names()
        if episode_name not in names:
            return None
        assert self._root is not None
        reader = self._reader or DatasetReader(self._root)
        recorded = reader.episode(names.index(episode_name))
        sidecar = recorded.sidecar()
        values = _layout_of(reader).tree(recorded, images)
        values |= kept_values(sidecar)

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

    # ---- streaming ---------------------------------------------------------------------------------------------

    def begin_episode(self, schema: StreamSchema) -> Episode:
        """Open an episode whose frames come one by one; :meth:`write_episode` closes it.

        Raises:
            FeatureError: The dataset has other features.
            DatasetError: It cannot be written.
        """
        self._raise_if_closed()
        return self._writer_for(schema).begin_episode(schema.task)

    def _save_streamed(self, streamed: StreamedEpisode, episode: EpisodeData, name: str) -> bool:
        # Frames still lie with the dataset they were begun for; failed ones may go into another.
        others = flat({key: value for key, value in episode.data.items() if key != STREAMED})
        arrays = {path: as_numpy(value) for path, value in others.items()}
        writer = self._writer_for(streamed.schema)
        return streamed.save(_success(episode), self._attributes(episode, name), arrays, writer)

    def _save_collected(self, episode: EpisodeData, name: str) -> bool:
        episode.pre_export()
        values = flat(episode.data)
        chosen = EpisodeLayout.of_episode(values, self.state_observation_keys, self.observation_keys_to_record)
        rows = chosen.rows(values)
        columns, arrays = chosen.beside(values)
        schema = StreamSchema(
            chosen.features(), self._rate(), chosen, self._task(), codec=self.codec, robot_type=self.robot_type
        )
        first = next(rows, None)
        if first is None:
            logger.info("An episode without a step was left out.")
            return False
        writing = self._writer_for(schema).begin_episode(schema.task)
        try:
            for step, frame in enumerate(itertools.chain([first], rows)):
                writing.add_frame(frame, extra={path: column[step] for path, column in columns.items()})
            writing.save(_success(episode), attributes=self._attributes(episode, name), arrays=arrays)
        finally:
            # Does nothing once it is saved.
            writing.discard()
        return True

    def _attributes(self, episode: EpisodeData, name: str) -> dict[str, Any]:
        attributes: dict[str, Any] = {NAME: name, "seed": _plain(episode.seed)}
        if self._kept_env_args != self._env_args:
            attributes["env_args"] = dict(self._env_args)
        return attributes

    def _task(self) -> str:
        text = self.task_description or self._env_args.get("env_name")
        if not text and not self._warned_of_task:
            self._warned_of_task = True
            logger.warning(
                "Nothing says what is done in the episodes of %s; their task text is 'task'. Set the handler's "
                "`task_description`, or use LeRobotDatasetFileHandler.configured(task_description=…).", self._root,
            )  # fmt: skip
        return text or "task"

    def _rate(self) -> int:
        if self.fps is not None:
            return int(self.fps)
        sim_args = self._env_args.get("sim_args") or {}
        if "dt" in sim_args and "decimation" in sim_args:
            return frames_per_second(sim_args["dt"] * sim_args["decimation"])
        if self._writer is not None:
            return self._writer.fps
        step_dt = _step_dt_of_task(self._env_args.get("env_name"))
        if step_dt is not None:
            return frames_per_second(step_dt)
        logger.warning(
            "Nothing tells how many frames per second %s has; %d are assumed. Set the handler's `fps`, or call "
            "add_env_args({'sim_args': {'dt': …, 'decimation': …}}) before the first episode.", self._root, DEFAULT_FPS,
        )  # fmt: skip
        return DEFAULT_FPS

    # ---- the dataset -------------------------------------------------------------------------------------------

    def _writer_for(self, schema: StreamSchema) -> DatasetWriter:
        if self._writer is not None and schema.overwrite and self._may_overwrite:
            self._writer.close()
            self._writer = None
        self._may_overwrite = False
        if self._writer is None:
            self._start(schema)
        assert self._writer is not None
        found = differences(parse_features(schema.features), parse_features(self._writer.features))
        if schema.fps != self._writer.fps:
            found.append(f"fps is {schema.fps}, the dataset has {self._writer.fps}")
        if found:
            raise FeatureError(
                f"The episode does not fit the dataset {self._writer.root}: {'; '.join(found)}. Record into another "
                "folder, or choose what that dataset has."
            )
        return self._writer

    def _start(self, schema: StreamSchema) -> None:
        assert self._root is not None
        self._names, self._demo_count = [], 0
        self.add_env_args(schema.env_args)
        if schema.env_name and not self.get_env_name():
            self.set_env_name(schema.env_name)
        attributes = {
            "env_name": self.get_env_name(),
            "env_args": dict(self._env_args),
            "versions": package_versions(),
            LAYOUT: schema.layout.to_json(),
        }
        self._writer = DatasetWriter.create(
            self._root,
            schema.fps,
            schema.features,
            schema.robot_type,
            codec=schema.codec,
            overwrite=self.overwrite or schema.overwrite,
            attributes=attributes,
        )
        self._kept_env_args = dict(self._env_args)

    def _continue(self, root: Path) -> None:
        self._writer = DatasetWriter.append(root)
        self._root = root
        self._read_own(DatasetReader(root))

    def _read_own(self, reader: DatasetReader) -> None:
        kept = reader.attributes.get("attributes", {})
        self._env_args = {**(kept.get("env_args") or {})}
        if kept.get("env_name"):
            self._env_args["env_name"] = kept["env_name"]
        self._kept_env_args = dict(self._env_args)
        self._demo_count = reader.num_episodes
        self._names = None

    def _episode_names(self) -> list[str]:
        self._raise_if_closed()
        if self._names is None:
            self._names = []
            if self._reader is not None or self._writer is not None:
                assert self._root is not None
                number = (self._reader or DatasetReader(self._root)).num_episodes
                self._names = episode_names(read_attributes(self._root, index) for index in range(number))
        return self._names

    def _raise_if_open(self) -> None:
        if self._root is not None:
            raise DatasetError(f"This handler has {self._root} open. Close it first, or use another handler.")

    def _raise_if_closed(self) -> None:
        if self._root is None:
            raise DatasetError("No dataset is open. Call create() or open() first.")


_writing: weakref.WeakValueDictionary[Path, LeRobotDatasetFileHandler] = weakref.WeakValueDictionary()


def _layout_of(reader: DatasetReader) -> EpisodeLayout:
    kept = reader.attributes.get("attributes", {}).get(LAYOUT)
    return EpisodeLayout.from_json(kept) if kept else EpisodeLayout.of_dataset(reader.features)


def _step_dt_of_task(env_name: str | None) -> float | None:
    """Return the step [s] of a registered task, None where there is none of that name."""
    if not env_name:
        return None
    # Loading a task's configuration runs somebody else's code; not knowing the rate is no reason to fail.
    with contextlib.suppress(Exception):
        from isaac_lerobot.recording import RecordingConfig
        from isaac_lerobot.sim.env.tasks import load_env_cfg

        cfg = load_env_cfg(RecordingConfig(task=env_name))
        return float(cfg.sim.dt * cfg.decimation)
    return None


def _success(episode: EpisodeData) -> bool | None:
    return None if episode.success is None else bool(episode.success)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _is_empty(keys: Sequence[str] | None) -> bool:
    return keys is not None and len(keys) == 0

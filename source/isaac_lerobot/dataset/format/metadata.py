"""Metadata: ``info.json``, ``tasks.parquet``, the episode table and our own ``isaac_lerobot.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isaac_lerobot.dataset.format import layout, statistics
from isaac_lerobot.dataset.format.features import BOOKKEEPING, Feature, parse_features
from isaac_lerobot.dataset.format.layout import Location
from isaac_lerobot.dataset.format.statistics import Statistics
from isaac_lerobot.dataset.format.tables import python_array, read_parquet
from isaac_lerobot.errors import DatasetError


@dataclass(frozen=True)
class Info:
    """The content of ``info.json``.

    Attributes:
        fps: Frames per second.
        features: The features, without the bookkeeping ones.
        robot_type: Name of the robot, or None.
        total_episodes: Number of committed episodes.
        total_frames: Number of committed frames.
        total_tasks: Number of different task texts.
        chunks_size: Files per chunk folder.
        data_files_size_in_mb: Size from which a data file is not joined further [MiB].
        video_files_size_in_mb: Size from which a video file is not joined further [MiB].
        extra: Further keys found in the file, which are kept.
    """

    fps: int
    features: Mapping[str, Feature]
    robot_type: str | None = None
    total_episodes: int = 0
    total_frames: int = 0
    total_tasks: int = 0
    chunks_size: int = layout.CHUNKS_SIZE
    data_files_size_in_mb: int = layout.DATA_FILES_SIZE_IN_MB
    video_files_size_in_mb: int = layout.VIDEO_FILES_SIZE_IN_MB
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def videos(self) -> dict[str, Feature]:
        """The features whose pictures lie in mp4 files."""
        return {name: feature for name, feature in self.features.items() if feature.is_video}

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        features = {**self.features, **BOOKKEEPING}
        return {
            "codebase_version": layout.CODEBASE_VERSION,
            "fps": self.fps,
            "features": {name: feature.definition() for name, feature in features.items()},
            "total_episodes": self.total_episodes,
            "total_frames": self.total_frames,
            "total_tasks": self.total_tasks,
            "chunks_size": self.chunks_size,
            "data_files_size_in_mb": self.data_files_size_in_mb,
            "video_files_size_in_mb": self.video_files_size_in_mb,
            "data_path": layout.DATA_PATH,
            "video_path": layout.VIDEO_PATH if self.videos else None,
            "robot_type": self.robot_type,
            "splits": {"train": f"0:{self.total_episodes}"},
            **self.extra,
        }


_KNOWN_KEYS = set(Info(fps=1, features={}).to_json())


def read_info(root: Path) -> Info:
    """Read ``info.json``.

    Raises:
        DatasetError: It is missing, cannot be read, or is of another version of the format.
    """
    path = root / layout.INFO
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["codebase_version"]
        if version != layout.CODEBASE_VERSION:
            raise DatasetError(
                f"{root} is a LeRobot {version} dataset; this writer knows {layout.CODEBASE_VERSION}. "
                "Convert it with lerobot first, or record into another folder."
            )
        for key, standard in (("data_path", layout.DATA_PATH), ("video_path", layout.VIDEO_PATH)):
            if content.get(key) not in (None, standard):
                raise DatasetError(f"{path}: {key} is {content[key]!r}; only {standard!r} is supported.")
        return Info(
            fps=int(content["fps"]),
            features=parse_features(content["features"]),
            robot_type=content.get("robot_type"),
            total_episodes=int(content.get("total_episodes", 0)),
            total_frames=int(content.get("total_frames", 0)),
            total_tasks=int(content.get("total_tasks", 0)),
            chunks_size=int(content.get("chunks_size", layout.CHUNKS_SIZE)),
            data_files_size_in_mb=int(content.get("data_files_size_in_mb", layout.DATA_FILES_SIZE_IN_MB)),
            video_files_size_in_mb=int(content.get("video_files_size_in_mb", layout.VIDEO_FILES_SIZE_IN_MB)),
            extra={key: value for key, value in content.items() if key not in _KNOWN_KEYS},
        )
    except FileNotFoundError:
        raise DatasetError(f"{root} holds no LeRobot dataset: there is no {layout.INFO}.") from None
    except DatasetError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read as a LeRobot dataset's info: {error!r}.") from error


def tasks_table(tasks: Sequence[str]) -> pa.Table:
    """Return ``tasks.parquet``: the text is the pandas index, and row i holds task_index i."""
    text = {"field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    number = {"field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64", "metadata": None}
    names = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object"}
    # Without this key readers return the task as a number, without any error.
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [names | {"metadata": {"encoding": "UTF-8"}}],
        "columns": [{"name": "task_index"} | number, {"name": "task"} | text],
        "attributes": {},
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.3",
    }
    schema = pa.schema(
        [pa.field("task_index", pa.int64()), pa.field("task", pa.string())],
        metadata={b"pandas": json.dumps(pandas).encode()},
    )
    numbers = python_array(pa.int64(), list(range(len(tasks))))
    return pa.Table.from_arrays([numbers, python_array(pa.string(), list(tasks))], schema=schema)


def check_json(values: Mapping[str, Any] | None, what: str) -> None:
    """Make sure that values can be kept as JSON.

    Raises:
        DatasetError: They cannot be.
    """
    try:
        json.dumps(dict(values or {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"The {what} cannot be written as JSON: {error}.") from error


def read_tasks(root: Path) -> list[str]:
    """Read the task texts; position i is task_index i. A dataset without episodes may have no file.

    Raises:
        DatasetError: The file cannot be read.
    """
    path = root / layout.TASKS
    if not path.is_file():
        return []
    try:
        table = read_parquet(path)
        name = "task" if "task" in table.column_names else "__index_level_0__"
        order = table.column("task_index").to_pylist()
        texts = table.column(name).to_pylist()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error
    return [text for _, text in sorted(zip(order, texts, strict=True))]


def read_statistics(root: Path) -> dict[str, Statistics]:
    """Read ``stats.json``; empty where there is none.

    Raises:
        DatasetError: It cannot be read.
    """
    path = root / layout.STATS
    if not path.is_file():
        return {}
    try:
        return statistics.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error


def read_own(root: Path) -> dict[str, Any]:
    """Read ``isaac_lerobot.json``, what we know of the whole dataset; empty where there is none."""
    path = root / layout.OWN_METADATA
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@dataclass(frozen=True)
class EpisodeRow:
    """One row of the episode table.

    Attributes:
        index: Index of the episode.
        tasks: Its different task texts.
        length: Number of frames.
        first_index: ``index`` of its first frame in the dataset.
        success: Whether it succeeded, None where nobody judged.
        data: Its data file.
        episodes: The episode-table file with this row.
        videos: Per camera the video file and where it starts in there [frames].
        statistics: Its statistics.
    """

    index: int
    tasks: tuple[str, ...]
    length: int
    first_index: int
    success: bool | None
    data: Location
    episodes: Location
    videos: Mapping[str, tuple[Location, int]]
    statistics: Mapping[str, Statistics]


def episode_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the schema of the episode table: lerobot's columns in its order, then ``success``."""
    fields = [
        ("episode_index", pa.int64()),
        ("tasks", pa.list_(pa.string())),
        ("length", pa.int64()),
        ("data/chunk_index", pa.int64()),
        ("data/file_index", pa.int64()),
        ("dataset_from_index", pa.int64()),
        ("dataset_to_index", pa.int64()),
    ]
    for name, feature in features.items():
        if feature.is_video:
            fields += [
                (f"videos/{name}/chunk_index", pa.int64()),
                (f"videos/{name}/file_index", pa.int64()),
                (f"videos/{name}/from_timestamp", pa.float64()),
                (f"videos/{name}/to_timestamp", pa.float64()),
            ]
    for name, feature in {**features, **BOOKKEEPING}.items():
        if feature.is_text:
            continue
        value = pa.list_(pa.float64())
        if feature.is_camera:
            value = pa.list_(pa.list_(value))
        for key in statistics.KEYS:
            fields.append((f"stats/{name}/{key}", pa.list_(pa.int64()) if key == "count" else value))
    fields += [("meta/episodes/chunk_index", pa.int64()), ("meta/episodes/file_index", pa.int64())]
    fields.append(("success", pa.bool_()))
    return pa.schema(fields)


def episode_table(rows: Sequence[EpisodeRow], fps: int, schema: pa.Schema) -> pa.Table:
    """Return rows of the episode table with the columns of ``schema``; unknown columns are null."""
    known = [_episode_values(row, fps) for row in rows]
    columns = [python_array(schema.field(name).type, [values.get(name) for values in known]) for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def read_episode_schema(root: Path) -> pa.Schema | None:
    """Return the schema of the episode table as it lies on disk, or None without one.

    Files of one dataset must have equal schemas (readers refuse others), so appended rows follow it.
    """
    for _, path in layout.episodes_files(root):
        return pq.read_schema(path).remove_metadata()
    return None


def _episode_values(row: EpisodeRow, fps: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "episode_index": row.index,
        "tasks": list(row.tasks),
        "length": row.length,
        "data/chunk_index": row.data.chunk,
        "data/file_index": row.data.file,
        "dataset_from_index": row.first_index,
        "dataset_to_index": row.first_index + row.length,
        "meta/episodes/chunk_index": row.episodes.chunk,
        "meta/episodes/file_index": row.episodes.file,
        "success": row.success,
    }
    for name, (location, start) in row.videos.items():
        values[f"videos/{name}/chunk_index"] = location.chunk
        values[f"videos/{name}/file_index"] = location.file
        values[f"videos/{name}/from_timestamp"] = start / fps
        values[f"videos/{name}/to_timestamp"] = (start + row.length) / fps
    for name, one in statistics.to_json(row.statistics).items():
        for key, value in one.items():
            values[f"stats/{name}/{key}"] = value
    return values

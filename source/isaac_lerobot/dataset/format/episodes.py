"""Episodes: the table under ``meta/episodes``, which says where each episode lies, and what its statistics are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isaac_lerobot.dataset.format import layout, statistics
from isaac_lerobot.dataset.format.columns import numpy_chunks, opened, python_array, python_values
from isaac_lerobot.dataset.format.features import BOOKKEEPING, Feature
from isaac_lerobot.dataset.format.info import Info
from isaac_lerobot.dataset.format.layout import Location
from isaac_lerobot.dataset.format.parallel import in_threads
from isaac_lerobot.dataset.format.statistics import Statistics
from isaac_lerobot.errors import DatasetError

_STATISTICS = "stats/"


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
        videos: Per camera the video file and where it starts in there [frames].
        statistics: Its statistics; empty where they were not read.
    """

    index: int
    tasks: tuple[str, ...]
    length: int
    first_index: int
    success: bool | None
    data: Location
    videos: Mapping[str, tuple[Location, int]]
    statistics: Mapping[str, Statistics] = field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], info: Info) -> EpisodeRow:
        """Read a row without its statistics.

        Raises:
            DatasetError: A value is missing, or is none that it can be.
        """
        place = _Place(values)
        success = values.get("success")
        return cls(
            index=place.whole("episode_index"),
            tasks=tuple(text for text in values.get("tasks") or () if isinstance(text, str)),
            length=place.whole("length", least=1),
            first_index=place.whole("dataset_from_index"),
            success=None if success is None else bool(success),
            data=place.location("data"),
            videos={
                name: (place.location(f"videos/{name}"), place.frame(f"videos/{name}/from_timestamp", info.fps))
                for name in info.videos
            },
        )

    def values(self, fps: int, table: Location) -> dict[str, Any]:
        """Return the row as it stands in the file ``table`` of the table, column by column."""
        values: dict[str, Any] = {
            "episode_index": self.index,
            "tasks": list(self.tasks),
            "length": self.length,
            "data/chunk_index": self.data.chunk,
            "data/file_index": self.data.file,
            "dataset_from_index": self.first_index,
            "dataset_to_index": self.first_index + self.length,
            "meta/episodes/chunk_index": table.chunk,
            "meta/episodes/file_index": table.file,
            "success": self.success,
        }
        for name, (location, start) in self.videos.items():
            values[f"videos/{name}/chunk_index"] = location.chunk
            values[f"videos/{name}/file_index"] = location.file
            values[f"videos/{name}/from_timestamp"] = start / fps
            values[f"videos/{name}/to_timestamp"] = (start + self.length) / fps
        for name, one in statistics.to_json(self.statistics).items():
            for key, value in one.items():
                values[f"{_STATISTICS}{name}/{key}"] = value
        return values


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
        if feature.has_statistics:
            value = pa.list_(pa.float64())
            value = pa.list_(pa.list_(value)) if feature.is_camera else value
            for key in statistics.KEYS:
                fields.append((f"{_STATISTICS}{name}/{key}", pa.list_(pa.int64()) if key == "count" else value))
    fields += [("meta/episodes/chunk_index", pa.int64()), ("meta/episodes/file_index", pa.int64())]
    fields.append(("success", pa.bool_()))
    return pa.schema(fields)


def episode_table(rows: Sequence[EpisodeRow], fps: int, schema: pa.Schema, file: Location) -> pa.Table:
    """Return rows of the episode table's ``file`` with the columns of ``schema``; unknown columns are null."""
    known = [row.values(fps, file) for row in rows]
    columns = [python_array(schema.field(name).type, [values.get(name) for values in known]) for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def with_columns(table: pa.Table, values: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Return the table with integer or float columns replaced by new values."""
    for name, column in values.items():
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, python_array(field.type, column))
    return table


def read_schema(root: Path) -> pa.Schema | None:
    """Return the schema of the episode table as it lies on disk, or None without one.

    Files of one dataset must have equal schemas (readers refuse others), so appended rows follow it.

    Raises:
        DatasetError: Its first file cannot be read.
    """
    for _, path in layout.episodes_files(root):
        with opened(path) as file:
            return file.schema_arrow.remove_metadata()
    return None


def read_table(root: Path, info: Info, *, with_statistics: bool = False) -> pa.Table:
    """Read the rows of the episode table that ``info`` counts, in order.

    Args:
        root: Folder of the dataset.
        info: What it counts.
        with_statistics: Whether the statistics are read too, most of the table.

    Raises:
        DatasetError: A file cannot be read, a column is missing, there are fewer rows, or row i is not episode i.
    """
    paths = [path for path, _ in counted_files(root, info)]
    table = read_files(root, paths, with_statistics=with_statistics)
    if table is None:
        if info.total_episodes:
            raise DatasetError(f"{root} has no episode table, and {info.total_episodes} episodes.")
        return pa.table({name: pa.array([], pa.int64()) for name in _needed(info)})
    if missing := [name for name in _needed(info) if name not in table.column_names]:
        raise DatasetError(f"The episode table of {root} lacks {', '.join(missing)}. Run `isaac-lerobot check`.")
    table = table.slice(0, info.total_episodes)
    if len(table) < info.total_episodes:
        raise DatasetError(f"The episode table of {root} has {len(table)} rows, and info.json counts "
                           f"{info.total_episodes} episodes. Run `isaac-lerobot check`.")  # fmt: skip
    indices = python_values(table["episode_index"])
    wrong = next((row for row, index in enumerate(indices) if row != index), None)
    if wrong is not None:
        raise DatasetError(f"Row {wrong} of the episode table of {root} is episode {indices[wrong]}; row i must be "
                           "episode i. Run `isaac-lerobot check`.")  # fmt: skip
    return table


def counted_files(root: Path, info: Info) -> Iterator[tuple[Path, range]]:
    """Yield the files of the episode table that hold episodes that ``info`` counts, with the rows of the table in them.

    Raises:
        DatasetError: One cannot be read.
    """
    first = 0
    for _, path in layout.episodes_files(root):
        if first >= info.total_episodes:
            return
        with opened(path) as file:
            rows = range(first, first + file.metadata.num_rows)
        yield path, rows
        first = rows.stop


def read_files(root: Path, paths: Sequence[Path], *, with_statistics: bool) -> pa.Table | None:
    """Read files of the episode table into one; None without any.

    Raises:
        DatasetError: One cannot be read, or they do not fit together.
    """
    # Many small files, as recorded.
    parts = in_threads(lambda path: _read_file(path, with_statistics), paths)
    try:
        return pa.concat_tables(parts, promote_options="permissive").combine_chunks() if parts else None
    except pa.ArrowException as error:
        raise DatasetError(f"The files of the episode table of {root} do not fit together: {error}.") from error


def read_rows(root: Path, info: Info) -> list[EpisodeRow]:
    """Read the rows of the episode table that ``info`` counts, without the statistics.

    Raises:
        DatasetError: As :func:`read_table`, or a row holds what it cannot.
    """
    return rows_of(read_table(root, info), info)


def rows_of(table: pa.Table, info: Info) -> list[EpisodeRow]:
    """Return the rows of an episode table, without the statistics.

    Raises:
        DatasetError: A row holds what it cannot.
    """
    names = [*_needed(info), *(name for name in ("tasks", "success") if name in table.column_names)]
    columns = [python_values(table[name]) for name in names]
    return [EpisodeRow.from_values(dict(zip(names, row, strict=True)), info) for row in zip(*columns, strict=True)]


def statistics_in(table: pa.Table, feature: Feature) -> Statistics:
    """Return the statistics of a feature of every episode of the table, stacked: shape ``(episodes, *shape)`` each.

    Raises:
        DatasetError: There are none, or not of the feature's shape.
    """
    found: Statistics = {}
    for key in statistics.KEYS:
        shape = statistics.shape_of(feature, key)
        values = Feature(f"{_STATISTICS}{feature.name}/{key}", "float64", shape)
        if values.name not in table.column_names:
            raise DatasetError(f"The episode table lacks {values.name}.")
        found[key] = np.concatenate([np.empty((0, *shape)), *numpy_chunks(values, table[values.name])])
    return found


def _needed(info: Info) -> list[str]:
    columns = ["episode_index", "length", "dataset_from_index", "data/chunk_index", "data/file_index"]
    for name in info.videos:
        columns += [f"videos/{name}/{part}" for part in ("chunk_index", "file_index", "from_timestamp")]
    return columns


def _read_file(path: Path, with_statistics: bool) -> pa.Table:
    with opened(path) as file:
        names = [name for name in file.schema_arrow.names if with_statistics or not name.startswith(_STATISTICS)]
        return file.read(columns=names, use_threads=False).replace_schema_metadata(None)


class _Place:
    """Numbers of one row of the table."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def whole(self, name: str, least: int = 0) -> int:
        value = self._values.get(name)
        if type(value) is not int or not least <= value < 2**62:
            raise self._error(name, value)
        return value

    def location(self, prefix: str) -> Location:
        return Location(self.whole(f"{prefix}/chunk_index"), self.whole(f"{prefix}/file_index"))

    def frame(self, name: str, fps: int) -> int:
        value = self._values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
            raise self._error(name, value)
        return round(value * fps)

    def _error(self, name: str, value: object) -> DatasetError:
        return DatasetError(f"Row {self._values.get('episode_index')} of the episode table has the {name} {value!r}. "
                            "Run `isaac-lerobot check` on the dataset.")  # fmt: skip

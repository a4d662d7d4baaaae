"""Episode rows: reading the episode table, as far as the writer's own upkeep (joining, repair) needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isaac_lerobot.dataset.format import layout, tables
from isaac_lerobot.dataset.format.layout import Location
from isaac_lerobot.dataset.format.metadata import Info
from isaac_lerobot.dataset.format.statistics import KEYS, Statistics
from isaac_lerobot.errors import DatasetError


@dataclass(frozen=True)
class EpisodePlace:
    """Where an episode lies.

    Attributes:
        index: Index of the episode, as its row says.
        length: Number of frames.
        first_index: ``index`` of its first frame in the dataset.
        tasks: Its task texts.
        data: Its data file.
        videos: Per camera the file, and where in it the episode starts [frames].
        table: The episode-table file with its row, inside the dataset.
    """

    index: int
    length: int
    first_index: int
    tasks: tuple[str, ...]
    data: Location
    videos: Mapping[str, tuple[Location, int]]
    table: Path


def read_places(root: Path, info: Info) -> list[EpisodePlace]:
    """Read where the episodes lie, in the order of the table, at most as many as ``info`` counts.

    Raises:
        DatasetError: A file lacks a column.
    """
    columns = _place_columns(info)
    files = ((path, tables.read_parquet(path, columns)) for _, path in layout.episodes_files(root))
    return _places(root, info, files)


def read_table(root: Path, info: Info) -> tuple[pa.Table, list[EpisodePlace]]:
    """Read the whole episode table with all columns, and where the episodes lie.

    Raises:
        DatasetError: There is none, or a file lacks a column.
    """
    paths = [path for _, path in layout.episodes_files(root)]
    with ThreadPoolExecutor() as pool:  # many small files, as recorded
        files = list(zip(paths, pool.map(tables.read_parquet, paths), strict=True))
    if not files:
        raise DatasetError(f"{root} has no episode table.")
    parts = [table.replace_schema_metadata(None) for _, table in files]
    return pa.concat_tables(parts, promote_options="permissive"), _places(root, info, files)


def statistics_of(table: pa.Table, info: Info, name: str) -> list[Statistics]:
    """Return the statistics of a feature of every counted episode, from the whole episode table."""
    feature = info.features.get(name)
    shape = (3, 1, 1) if feature is not None and feature.is_camera else (-1,)
    parts: list[Statistics] = []
    for row in table.select([f"stats/{name}/{key}" for key in KEYS]).slice(0, info.total_episodes).to_pylist():
        found = {key: np.asarray(row[f"stats/{name}/{key}"], np.float64) for key in KEYS}
        parts.append({key: value if key == "count" else value.reshape(shape) for key, value in found.items()})
    return parts


def with_columns(table: pa.Table, values: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Return the table with integer or float columns replaced by new values."""
    for name, column in values.items():
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, tables.python_array(field.type, column))
    return table


def _place_columns(info: Info) -> list[str]:
    columns = ["episode_index", "length", "dataset_from_index", "tasks", "data/chunk_index", "data/file_index"]
    for name in info.videos:
        columns += [f"videos/{name}/{part}" for part in ("chunk_index", "file_index", "from_timestamp")]
    return columns


def _places(root: Path, info: Info, files: Iterable[tuple[Path, pa.Table]]) -> list[EpisodePlace]:
    columns = _place_columns(info)
    places: list[EpisodePlace] = []
    for path, table in files:
        if len(places) >= info.total_episodes:
            break
        missing = sorted(set(columns) - set(table.column_names))
        if missing:
            raise DatasetError(f"{path.relative_to(root)} lacks {', '.join(missing)}")
        places += [_place(row, info, path.relative_to(root)) for row in table.select(columns).to_pylist()]
    return places[: info.total_episodes]


def _place(row: Mapping[str, Any], info: Info, table: Path) -> EpisodePlace:
    return EpisodePlace(
        index=int(row["episode_index"]),
        length=int(row["length"]),
        first_index=int(row["dataset_from_index"]),
        tasks=tuple(row["tasks"] or ()),
        data=Location(int(row["data/chunk_index"]), int(row["data/file_index"])),
        videos={
            name: (
                Location(int(row[f"videos/{name}/chunk_index"]), int(row[f"videos/{name}/file_index"])),
                round(float(row[f"videos/{name}/from_timestamp"]) * info.fps),
            )
            for name in info.videos
        },
        table=table,
    )

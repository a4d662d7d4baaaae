"""What the rules of the check look at: the dataset's files, each read once and only when a rule asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.columns import flat_numbers, opened
from isaac_lerobot.dataset.format.features import BOOKKEEPING, Feature, read_feature
from isaac_lerobot.dataset.format.json_file import look_into
from isaac_lerobot.dataset.video.decoder import thumbnails
from isaac_lerobot.dataset.video.mp4 import Mp4, Mp4Error, read_mp4
from isaac_lerobot.errors import DatasetError, FeatureError, first_line

Array = NDArray[Any]

_MANY_ROWS, _FEW_ROWS = 10_000, 16


class UnavailableError(Exception):
    """Something that a rule needs is missing or unreadable; another rule says so."""


@dataclass(frozen=True)
class Parquet:
    """One parquet file: its footer, or why it has none.

    Attributes:
        path: Where it lies.
        name: The same, relative to the dataset's folder, with ``/``.
        footer: Row groups and their statistics; None where unreadable.
        schema: Columns and key-value metadata; None where unreadable.
        error: Why it is unreadable; empty where it is not.
        first_row: Rows in all readable files before it in path order.
    """

    path: Path
    name: str
    footer: Any
    schema: Any
    error: str
    first_row: int

    @property
    def rows(self) -> int:
        """Number of rows; 0 where unreadable."""
        return int(self.footer.num_rows) if self.footer is not None else 0

    def read(self, columns: list[str]) -> pa.Table:
        """These columns of all rows.

        Raises:
            UnavailableError: The file's footer is whole but its pages are not.
        """
        try:
            with pq.ParquetFile(self.path, metadata=self.footer) as file:
                # A recording not joined yet is a thousand small files, where threads cost more than they save.
                return file.read(columns=columns, use_threads=self.rows > _MANY_ROWS)
        except (pa.ArrowException, OSError) as error:
            raise UnavailableError(f"{self.name} has unreadable pages ({first_line(error)})") from error

    def cells(self, column: str, part: str) -> Iterator[Any]:
        """The values of one part of a column of structs, a few rows in memory at a time; missing ones are left out.

        Raises:
            UnavailableError: As :meth:`read`.
        """
        try:
            with pq.ParquetFile(self.path, metadata=self.footer) as file:
                for batch in file.iter_batches(_FEW_ROWS, columns=[column]):
                    yield from (value[part] for value in batch.column(0).to_pylist() if value and value[part])
        except (pa.ArrowException, OSError) as error:
            raise UnavailableError(f"{self.name} has unreadable pages ({first_line(error)})") from error


@dataclass(frozen=True)
class Video:
    """One mp4 file: its structure, or why it has none."""

    path: Path
    name: str
    camera: str
    mp4: Mp4 | None
    error: str


@dataclass(frozen=True)
class Segment:
    """The stretch of one camera's mp4 that shows one episode, as the episode table has it.

    Attributes:
        episode: Row number in the episode table.
        length: Frames of the episode.
        start: ``from_timestamp`` [s].
        stop: ``to_timestamp`` [s].
    """

    episode: int
    length: int
    start: float
    stop: float


@dataclass
class Evidence:
    """A dataset's folder, as the rules see it.

    Every property reads its files once. Those that other properties build on raise :class:`UnavailableError`
    where they cannot be had; the rule at work is then left out, because another one names the cause.

    Attributes:
        root: The dataset's folder.
    """

    root: Path
    _parquets: dict[str, list[Parquet]] = field(default_factory=dict)
    _episode_rows: dict[str, pa.Table] = field(default_factory=dict)
    _decoded: dict[str, tuple[NDArray[np.float64], str]] = field(default_factory=dict)

    # meta/info.json -------------------------------------------------------------------------------------

    @cached_property
    def info(self) -> dict[str, Any]:
        """Content of info.json."""
        value, error = look_into(self.root / layout.INFO)
        if error:
            raise UnavailableError(f"meta/info.json {error}")
        return value

    @cached_property
    def features(self) -> dict[str, Feature]:
        """The features whose definitions can be understood."""
        definitions = self.info.get("features")
        if not isinstance(definitions, dict):
            raise UnavailableError("info.json has no features")
        found = {}
        for name, definition in definitions.items():
            with suppress(FeatureError):  # feature-definition says so.
                found[name] = read_feature(name, definition)
        return found

    @cached_property
    def fps(self) -> int:
        """Frames per second."""
        fps = self.info.get("fps")
        if isinstance(fps, bool) or not isinstance(fps, int | float) or not fps > 0 or fps != int(fps):
            raise UnavailableError("info.json has no usable fps")
        return int(fps)

    @property
    def cameras(self) -> dict[str, Feature]:
        """Features stored as mp4."""
        return {name: feature for name, feature in self.features.items() if feature.is_video}

    @property
    def stored(self) -> dict[str, Feature]:
        """Features with a column in the data files."""
        return {name: feature for name, feature in self.features.items() if not feature.is_video}

    # Tables ---------------------------------------------------------------------------------------------

    @property
    def data_files(self) -> list[Parquet]:
        """The files that lerobot reads as rows: every ``data/*/*.parquet``, in path order."""
        return self._files("data")

    @property
    def episode_files(self) -> list[Parquet]:
        """The files of the episode table, in path order."""
        return self._files("meta/episodes")

    def _files(self, folder: str) -> list[Parquet]:
        if folder not in self._parquets:
            self._parquets[folder] = list(_read_footers(self.root, sorted((self.root / folder).glob("*/*.parquet"))))
        return self._parquets[folder]

    @cached_property
    def rows(self) -> dict[str, Array]:
        """The bookkeeping columns over all data files, in file order: shape (rows,) each.

        Whole numbers where a column is of integers (missing values as -1), else float64. A column that some
        file lacks is left out.
        """
        files = _whole(self.data_files, "there are no data files")
        present = [name for name in BOOKKEEPING if all(name in file.schema.names for file in files)]
        tables = [file.read(present) for file in files]
        return {name: np.concatenate([_numbers(table[name]) for table in tables]) for name in present}

    @cached_property
    def num_rows(self) -> int:
        """Rows over all data files."""
        return sum(file.rows for file in _whole(self.data_files, "there are no data files"))

    @cached_property
    def episodes(self) -> dict[str, list[Any]]:
        """The episode table without its statistics: column name to values, in file order."""
        files = _whole(self.episode_files, "there is no episode table")
        tables = [self.episode_rows(file) for file in files]
        names = dict.fromkeys(name for table in tables for name in table.column_names)
        return {
            name: [
                value
                for table in tables
                for value in (table[name].to_pylist() if name in table.column_names else [None] * table.num_rows)
            ]
            for name in names
        }

    def episode_rows(self, file: Parquet) -> pa.Table:
        """The rows of one readable file of the episode table, without the statistics.

        Raises:
            UnavailableError: The file's pages are unreadable.
        """
        if file.name not in self._episode_rows:
            names = [name for name in file.schema.names if not name.startswith("stats/")]
            self._episode_rows[file.name] = file.read(names)
        return self._episode_rows[file.name]

    @property
    def num_episodes(self) -> int:
        """Rows of the episode table."""
        return sum(file.rows for file in _whole(self.episode_files, "there is no episode table"))

    def episode_numbers(self, *names: str) -> list[NDArray[np.int64]]:
        """Columns of whole numbers of the episode table, shape (episodes,) each.

        Raises:
            UnavailableError: A column is missing or has empty cells.
        """
        for name in names:
            if not all(isinstance(value, int) for value in self.episodes.get(name, [None])):
                raise UnavailableError(f"the episode table has no usable column {name}")
        return [np.array(self.episodes[name], np.int64) for name in names]

    def episode_statistics(self, names: list[str]) -> dict[str, list[Any]]:
        """Statistics columns of the episode table, those of ``names`` that every file has: name to values."""
        files = _whole(self.episode_files, "there is no episode table")
        present = [name for name in names if all(name in file.schema.names for file in files)]
        tables = [file.read(present) for file in files]
        return {name: [value for table in tables for value in table[name].to_pylist()] for name in present}

    @cached_property
    def tasks(self) -> pa.Table:
        """The task table."""
        path = self.root / layout.TASKS
        (file,) = _read_footers(self.root, [path])
        if file.schema is None:
            raise UnavailableError(f"{file.name}: {file.error}")
        return file.read(file.schema.names)

    @cached_property
    def task_texts(self) -> list[str]:
        """The text of every task, in row order."""
        name = next((name for name in ("task", "__index_level_0__") if name in self.tasks.column_names), None)
        if name is None:
            raise UnavailableError("meta/tasks.parquet has no column of texts")
        return [str(text) for text in self.tasks[name].to_pylist()]

    # Video ----------------------------------------------------------------------------------------------

    @cached_property
    def segments(self) -> dict[tuple[str, str], list[Segment]]:
        """Episodes by (camera, video file as the episode table names it), in the order of their start."""
        (lengths,) = self.episode_numbers("length")
        found: dict[tuple[str, str], list[Segment]] = {}
        for camera in self.cameras:
            columns = [
                self.episodes.get(f"videos/{camera}/{part}", [None] * len(lengths))
                for part in ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
            ]
            for row, (length, chunk, file, start, stop) in enumerate(zip(lengths, *columns, strict=True)):
                if isinstance(chunk, int) and isinstance(file, int) and start is not None and stop is not None:
                    name = layout.VIDEO_PATH.format(video_key=camera, chunk_index=chunk, file_index=file)
                    segment = Segment(row, int(length), float(start), float(stop))
                    found.setdefault((camera, name), []).append(segment)
        return {key: sorted(segments, key=lambda segment: segment.start) for key, segments in found.items()}

    @cached_property
    def videos(self) -> dict[str, Video]:
        """Every mp4 under ``videos/`` by its name relative to the dataset's folder."""
        videos = {}
        for path in sorted((self.root / "videos").rglob("*.mp4")):
            name = path.relative_to(self.root).as_posix()
            mp4, error = None, ""
            try:
                mp4 = read_mp4(path)
            except Mp4Error as damage:
                error = damage.problem
            videos[name] = Video(path, name, path.relative_to(self.root / "videos").parts[0], mp4, error)
        return videos

    def readable_videos(self) -> Iterator[tuple[Video, Mp4, Feature]]:
        """The mp4s of declared cameras whose structure could be read, each with its camera's feature."""
        for video in self.videos.values():
            if video.mp4 is not None and video.camera in self.cameras:
                yield video, video.mp4, self.cameras[video.camera]

    def decoded(self, video: Video) -> tuple[NDArray[np.float64], str]:
        """The mean of every picture of a video, shape (frames, 3), RGB as 0..1, and why it cannot be decoded, if so."""
        if video.name not in self._decoded:
            means, error = [], ""
            try:
                means = [picture.mean(axis=(0, 1)) for picture in thumbnails(video.path, 8)]
            except DatasetError as damage:
                error = str(damage)
            self._decoded[video.name] = np.array(means, np.float64).reshape(-1, 3) / 255, error
        return self._decoded[video.name]

    # Statistics -----------------------------------------------------------------------------------------

    @cached_property
    def stats(self) -> dict[str, dict[str, Any]]:
        """Content of stats.json: feature to statistic to value; anything that is no object is left out."""
        value, error = look_into(self.root / layout.STATS)
        if error:
            raise UnavailableError(f"meta/stats.json {error}")
        return {name: entry for name, entry in value.items() if isinstance(entry, dict)}

    def statistic(self, feature: str, name: str) -> NDArray[np.float64] | None:
        """One statistic of a feature as an array; None where it is missing or no array of numbers."""
        return as_floats(self.stats.get(feature, {}).get(name))


def as_floats(value: object) -> NDArray[np.float64] | None:
    """Nested lists of numbers as an array; None for anything else."""
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError):
        return None
    return array if isinstance(value, list) else None


def _read_footers(root: Path, paths: list[Path]) -> Iterator[Parquet]:
    row = 0
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            with opened(path) as file:
                parquet = Parquet(path, name, file.metadata, file.schema_arrow, "", row)
        except DatasetError as error:
            problem = str(error).removeprefix(f"{path} ").removesuffix(".")
            parquet = Parquet(path, name, None, None, problem, row)
        row += parquet.rows
        yield parquet


def _whole(files: list[Parquet], missing: str) -> list[Any]:
    if not files:
        raise UnavailableError(missing)
    if broken := next((file for file in files if file.schema is None), None):
        raise UnavailableError(f"{broken.name} is unreadable")
    return files


def _numbers(column: pa.ChunkedArray) -> Array:
    integers = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
    if not integers and not pa.types.is_floating(column.type):
        raise UnavailableError(f"a bookkeeping column is of type {column.type}")
    wanted = pa.int64() if integers else pa.float64()
    filled = column if column.type == wanted else column.cast(wanted)
    if filled.null_count:
        filled = filled.fill_null(-1 if integers else float("nan"))
    return flat_numbers(filled, Feature("", "int64" if integers else "float64", (1,)))

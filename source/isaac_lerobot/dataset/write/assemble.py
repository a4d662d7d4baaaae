"""Assemble: episodes of finished datasets copied into a new one, without encoding anything anew.

1. Everything is completed in ``.recording/assemble`` of the new dataset, file by file: what is there when this is begun
   again (after a kill, say) is not made again.
2. A marker says that all is complete. From here on an interrupted assembly is finished by the next one.
3. ``videos``, ``isaac`` and ``data`` are moved to their places, then ``meta``: only then is there a dataset.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.disk.lock import DatasetLock
from isaac_lerobot.dataset.format import episodes, layout, sidecar, statistics
from isaac_lerobot.dataset.format.columns import bookkeeping_columns, data_schema, frame_table, opened, python_values
from isaac_lerobot.dataset.format.episodes import EpisodeRow
from isaac_lerobot.dataset.format.features import BOOKKEEPING
from isaac_lerobot.dataset.format.info import Info
from isaac_lerobot.dataset.format.layout import Location
from isaac_lerobot.dataset.format.own import OwnMetadata
from isaac_lerobot.dataset.format.tasks import tasks_table
from isaac_lerobot.dataset.video.copying import concatenate, cut
from isaac_lerobot.dataset.video.mp4 import Mp4, read_mp4
from isaac_lerobot.dataset.write import join, overwrite
from isaac_lerobot.dataset.write.plan import MAX_VIDEO_SECONDS
from isaac_lerobot.errors import DatasetError

_FOLDER = layout.STAGING / "assemble"
_COMPLETE = _FOLDER / "complete"
_PLAN = _FOLDER / "plan"
_MEBI = 2**20
_ROWS_PER_TABLE = 1000

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is to do [bytes]."""


@dataclass(frozen=True)
class Source:
    """Episodes of one dataset that are to be copied.

    Attributes:
        root: Folder of the dataset.
        info: Its info.
        tasks: Its task texts; position is ``task_index``.
        rows: The episodes, in order.
        table: Their rows of the episode table, statistics included.
    """

    root: Path
    info: Info
    tasks: Sequence[str]
    rows: Sequence[EpisodeRow]
    table: pa.Table


@dataclass(frozen=True)
class _Episode:
    """An episode on its way: where it comes from, and what it becomes."""

    source: Source
    position: int
    index: int
    first_index: int

    @property
    def row(self) -> EpisodeRow:
        """Its row in the source."""
        return self.source.rows[self.position]

    @property
    def data(self) -> Path:
        """The file with its rows."""
        return self.source.root / layout.data_file(self.row.data)

    @property
    def size(self) -> int:
        """About how many bytes its rows are."""
        return round(_bytes_per_row(self.data) * self.row.length)


@dataclass(frozen=True)
class _Piece:
    """Frames of one video that stay together."""

    path: Path
    first: int
    count: int
    whole: bool
    size: int
    kind: object
    episodes: tuple[_Episode, ...]


def assemble(
    sources: Sequence[Source], into: Path, info: Info, own: OwnMetadata, progress: Progress | None = None
) -> None:
    """Make a new dataset of episodes of others. Begun again with the same sources, it goes on where it was.

    Args:
        sources: The episodes, in order; features and rates are those of ``info``. Nothing of them is changed.
        into: Folder of the new dataset, new or empty.
        info: What the new dataset is; what it counts is found out here.
        own: What is kept of it.
        progress: Told how far this is, or None.

    Raises:
        DatasetError: The folder holds something, or a source cannot be read.
        DatasetLockedError: Somebody else is writing there.
    """
    into = into.absolute()
    into.mkdir(parents=True, exist_ok=True)
    with DatasetLock(into):
        try:
            if not (into / _COMPLETE).is_file():
                overwrite.check_content(into, overwrite=False)
                _prepare(into, sources)
                _Assembly(sources, into, info, own, progress or (lambda done, total: None)).run()
            _publish(into)
        except OSError as error:
            raise DatasetError(f"{into} could not be written: {error}. Begun again, it goes on from here.") from error


def rows_of_episode(path: Path, row: EpisodeRow, names: Sequence[str]) -> pa.Table:
    """Read the rows of an episode, of the named columns, wherever in the file they lie.

    Raises:
        DatasetError: They are not there, not all, or not together.
    """
    with opened(path) as file:
        if missing := [name for name in (*names, "episode_index") if name not in file.schema_arrow.names]:
            raise DatasetError(f"{path} lacks {', '.join(missing[:3])}.")
        parts = []
        for group in range(file.num_row_groups):
            owners = np.array(python_values(file.read_row_group(group, ["episode_index"])["episode_index"]), object)
            mine = np.flatnonzero(owners == row.index)
            if len(mine):
                if mine[-1] - mine[0] + 1 != len(mine):
                    raise DatasetError(f"{path}: the rows of episode {row.index} do not lie together.")
                parts.append(file.read_row_group(group, list(names)).slice(int(mine[0]), len(mine)))
    count = sum(len(part) for part in parts)
    if count != row.length:
        raise DatasetError(f"{path} has {count} rows of episode {row.index}, and its length is {row.length}.")
    return pa.concat_tables(parts)


def runs(source: Source, camera: str) -> Iterator[tuple[Path, list[EpisodeRow]]]:
    """Yield the stretches of a camera's videos that stay together, each with the episodes that it shows."""
    run: list[EpisodeRow] = []
    for row in source.rows:
        file, start = row.videos[camera]
        if run and (run[-1].videos[camera][0] != file or run[-1].videos[camera][1] + run[-1].length != start):
            yield source.root / layout.video_file(camera, run[0].videos[camera][0]), run
            run = []
        run.append(row)
    if run:
        yield source.root / layout.video_file(camera, run[0].videos[camera][0]), run


def read_copyable(path: Path, first: int, count: int, fps: int) -> Mp4:
    """Read the structure of a video of which some frames are to be copied as they are.

    Raises:
        DatasetError: They cannot be.
    """
    mp4 = read_mp4(path)
    if (first or count != mp4.frames) and (mp4.kind(fps) is None or not mp4.can_be_cut(first)):
        raise DatasetError(f"{path} cannot be cut at frame {first} without encoding anew.")
    return mp4


def _prepare(into: Path, sources: Sequence[Source]) -> None:
    """Keep what an interrupted assembly of the same episodes has made, and nothing else."""
    plan = [[str(source.root.absolute()), [[row.index, row.length] for row in source.rows]] for source in sources]
    digest = hashlib.sha256(json.dumps(plan).encode()).hexdigest().encode()
    if not (into / _PLAN).is_file() or (into / _PLAN).read_bytes() != digest:
        durable.remove_tree(into / layout.STAGING)
        durable.make_folder(into / _FOLDER)
        durable.write_bytes(into / _PLAN, digest)


def _publish(into: Path) -> None:
    for name in ("videos", "isaac", "data", "meta"):
        if (into / _FOLDER / name).exists():
            durable.replace(into / _FOLDER / name, into / name)
            durable.sync_folder(into)
    durable.remove_tree(into / layout.STAGING)


class _Assembly:
    """The work of :func:`assemble`, up to where all is complete in the staging folder."""

    def __init__(self, sources: Sequence[Source], into: Path, info: Info, own: OwnMetadata, progress: Progress) -> None:
        self._staging, self._own, self._progress = into / _FOLDER, own, progress
        self._tasks = list(dict.fromkeys(task for source in sources for task in _used_tasks(source)))
        self._episodes: list[_Episode] = []
        first_index = 0
        for source in sources:
            for position, row in enumerate(source.rows):
                self._episodes.append(_Episode(source, position, len(self._episodes), first_index))
                first_index += row.length
        self._info = replace(
            info,
            total_episodes=len(self._episodes),
            total_frames=first_index,
            total_tasks=len(self._tasks),
            splits=None,
            bookkeeping=BOOKKEEPING,
        )
        self._sources = sources
        self._data = self._planned_data()
        self._videos = {name: self._planned_videos(name) for name in info.videos}
        self._done = 0
        pieces = [piece for files in self._videos.values() for _, held in files for piece in held]
        self._total = sum(piece.size for piece in pieces) + sum(episode.size for episode in self._episodes)

    def run(self) -> None:
        for location, held in self._data:
            self._make(layout.data_file(location), partial(self._write_data, held))
            self._advance(sum(episode.size for episode in held))
        for camera, files in self._videos.items():
            for location, pieces in files:
                path = layout.video_file(camera, location)
                self._make(path, partial(self._write_video, pieces))
                self._advance(sum(piece.size for piece in pieces))
        for episode in self._episodes:
            self._copy_sidecar(episode)
        self._write_meta()
        for folder in sorted({path.parent for path in self._staging.rglob("*")}, reverse=True):
            durable.sync_folder(folder)
        durable.write_bytes(self._staging / _COMPLETE.name, b"")
        durable.sync_folder(self._staging)

    def _advance(self, size: int) -> None:
        self._done += size
        self._progress(self._done, self._total)

    def _make(self, name: Path, write: Callable[[Path], object]) -> None:
        """Make a file that is either there and complete, or not there."""
        target = self._staging / name
        if not target.exists():
            durable.make_folder(target.parent)
            unfinished = self._staging / f"unfinished{name.suffix}"
            write(unfinished)
            durable.sync_file(unfinished)
            durable.replace(unfinished, target)

    # Data

    def _planned_data(self) -> list[tuple[Location, list[_Episode]]]:
        limit = self._info.data_files_size_in_mb * _MEBI
        files: list[list[_Episode]] = []
        size = 0.0
        for episode in self._episodes:
            share = episode.size
            if not files or size + share > limit:
                files.append([])
                size = 0.0
            files[-1].append(episode)
            size += share
        return list(zip(layout.locations(self._info.chunks_size), files, strict=False))

    def _write_data(self, held: Sequence[_Episode], path: Path) -> None:
        schema = data_schema(self._info.features)
        own = [name for name, feature in self._info.features.items() if not feature.is_video]

        def tables() -> Iterator[pa.Table]:
            for episode in held:
                table = rows_of_episode(episode.data, episode.row, [*own, "task_index"])
                bookkeeping = bookkeeping_columns(
                    episode.row.length, self._info.fps, episode.index, episode.first_index, 0
                )
                bookkeeping["task_index"] = self._task_indices(episode, table)
                yield frame_table(table, self._info.features, bookkeeping).cast(schema)

        durable.write_parquet(path, tables(), schema)

    def _task_indices(self, episode: _Episode, table: pa.Table) -> NDArray[np.int64]:
        texts = [task_text(episode.source, episode.row, number) for number in python_values(table["task_index"])]
        numbers = {text: number for number, text in enumerate(self._tasks)}
        return np.array([numbers[text] for text in texts], np.int64)

    # Videos

    def _planned_videos(self, camera: str) -> list[tuple[Location, list[_Piece]]]:
        limit, most = self._info.video_files_size_in_mb * _MEBI, MAX_VIDEO_SECONDS * self._info.fps
        files: list[list[_Piece]] = []
        size, frames = 0, 0
        for piece in self._pieces(camera):
            fits = size + piece.size <= limit and frames + piece.count <= most
            if not files or not fits or piece.kind is None or files[-1][0].kind != piece.kind:
                files.append([])
                size, frames = 0, 0
            files[-1].append(piece)
            size, frames = size + piece.size, frames + piece.count
        return list(zip(layout.locations(self._info.chunks_size), files, strict=False))

    def _pieces(self, camera: str) -> Iterator[_Piece]:
        new = {(id(episode.source), episode.row.index): episode for episode in self._episodes}
        for source in self._sources:
            for path, run in runs(source, camera):
                first, count = run[0].videos[camera][1], sum(row.length for row in run)
                mp4 = read_copyable(path, first, count, self._info.fps)
                held = tuple(new[id(source), row.index] for row in run)
                size = int(mp4.sizes[first : first + count].sum())
                whole = not first and count == mp4.frames
                yield _Piece(path, first, count, whole, size, mp4.kind(self._info.fps), held)

    def _write_video(self, pieces: Sequence[_Piece], path: Path) -> None:
        if len(pieces) == 1:
            self._write_piece(path, pieces[0])
            return
        parts = []
        for number, piece in enumerate(pieces):
            if piece.whole:
                parts.append(piece.path)
            else:
                parts.append(self._staging / f"part-{number}.mp4")
                self._write_piece(parts[-1], piece)
        concatenate(parts, path, self._info.fps)
        for part in self._staging.glob("part-*.mp4"):
            part.unlink()

    def _write_piece(self, path: Path, piece: _Piece) -> None:
        if piece.whole:
            shutil.copyfile(piece.path, path)
        else:
            cut(piece.path, path, piece.first, piece.count, self._info.fps)

    # What is kept beside

    def _copy_sidecar(self, episode: _Episode) -> None:
        origin = {"source": {"dataset": episode.source.root.absolute().name, "episode": episode.row.index}}
        attributes = sidecar.read_attributes(episode.source.root, episode.row.index) | origin
        target = self._staging / layout.sidecar_file(episode.index, ".json")
        durable.make_folder(target.parent)
        durable.write_json(target, attributes)
        for suffix in (".npz", ".parquet"):
            path = episode.source.root / layout.sidecar_file(episode.row.index, suffix)
            if path.is_file():
                self._make(layout.sidecar_file(episode.index, suffix), partial(shutil.copyfile, path))

    # Metadata

    def _write_meta(self) -> None:
        rows = list(self._new_rows())
        schema = episodes.episode_schema(self._info.features)
        numbers = layout.locations(self._info.chunks_size)
        for location, first in zip(numbers, range(0, len(rows), _ROWS_PER_TABLE), strict=False):
            part = rows[first : first + _ROWS_PER_TABLE]
            path = self._staging / layout.episodes_file(location)
            durable.make_folder(path.parent)
            durable.write_parquet(path, [self._table(part, first, schema, location)], schema)
        content = tasks_table(self._tasks)
        durable.write_parquet(self._staging / layout.TASKS, [content], content.schema)
        own = replace(self._own, joined_episodes=len(rows))
        durable.write_json(self._staging / layout.OWN_METADATA, own.to_json())
        found = join.dataset_statistics(self._staging, self._staging, self._info, rows)
        durable.write_json(self._staging / layout.STATS, statistics.to_json(found))
        durable.write_json(self._staging / layout.INFO, self._info.to_json())

    def _new_rows(self) -> Iterator[EpisodeRow]:
        data = {episode.index: location for location, held in self._data for episode in held}
        videos: dict[int, dict[str, tuple[Location, int]]] = {episode.index: {} for episode in self._episodes}
        for camera, files in self._videos.items():
            for location, pieces in files:
                start = 0
                for piece in pieces:
                    for episode in piece.episodes:
                        videos[episode.index][camera] = location, start
                        start += episode.row.length
        for episode in self._episodes:
            yield replace(
                episode.row,
                index=episode.index,
                first_index=episode.first_index,
                data=data[episode.index],
                videos=videos[episode.index],
            )

    def _table(self, rows: Sequence[EpisodeRow], first: int, schema: pa.Schema, location: Location) -> pa.Table:
        """Return rows of the episode table, with the statistics that their sources have."""
        table = episodes.episode_table(rows, self._info.fps, schema, location)
        known = {
            f"stats/{name}/{key}"
            for name, feature in self._info.features.items()
            if feature.has_statistics
            for key in statistics.KEYS
        }
        held = self._episodes[first : first + len(rows)]
        parts = [episode.source.table.slice(episode.position, 1).select(sorted(known)) for episode in held]
        old = pa.concat_tables(parts, promote_options="permissive")
        for name in sorted(known):
            field = schema.field(name)
            table = table.set_column(schema.get_field_index(name), field, old[name].combine_chunks().cast(field.type))
        return episodes.with_columns(table, self._bookkeeping(rows))

    def _bookkeeping(self, rows: Sequence[EpisodeRow]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {}
        for row in rows:
            found = join.bookkeeping_statistics([row], self._info.fps)
            numbers = [self._tasks.index(task) for task in row.tasks] or [0]
            constant = statistics.of_progression(numbers[0], 0, row.length)
            constant["max"] = np.array([float(max(numbers))])
            found["task_index"] = constant
            for name, one in statistics.to_json(found).items():
                for key, value in one.items():
                    columns.setdefault(f"stats/{name}/{key}", []).append(value)
        return columns


def task_text(source: Source, row: EpisodeRow, number: object) -> str:
    """Return the text that a row's ``task_index`` means.

    Raises:
        DatasetError: Nothing tells.
    """
    if isinstance(number, int) and 0 <= number < len(source.tasks) and source.tasks[number] in row.tasks:
        return source.tasks[number]
    if len(row.tasks) == 1:
        return row.tasks[0]
    raise DatasetError(f"Nothing tells which text the task {number} of episode {row.index} in {source.root} has.")


def _used_tasks(source: Source) -> list[str]:
    used = {task for row in source.rows for task in row.tasks}
    return [task for task in source.tasks if task in used] + sorted(used - set(source.tasks))


@functools.lru_cache(256)
def _bytes_per_row(path: Path) -> float:
    with opened(path) as file:
        rows: int = file.metadata.num_rows
    return path.stat().st_size / max(1, rows)

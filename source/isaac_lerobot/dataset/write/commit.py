"""Commit: how a finished episode becomes part of a dataset. The one place that decides this order.

1. In the staging folder (``.recording/...``), where no reader looks, the episode's files are completed, each
   synchronised to the disk: videos (by ffmpeg), data table, own data, episode-table row, statistics, tasks, info.
2. They are moved to their places one by one: videos, own data, data table, tasks, episode-table row, statistics.
   A reader that comes now ignores them: it takes the number of episodes and frames from ``info.json``, and the
   new rows come after all it counts. Then every folder that got a file is synchronised.
3. ``info.json`` is replaced, and its folder synchronised: **from here on the episode is committed**.

Each move is atomic, so that a process killed at any instant leaves either the dataset with the episode or the one
without it, plus files that nobody counts, which :mod:`recover` removes. A commit that fails is undone at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format import episodes, layout, sidecar, statistics
from isaac_lerobot.dataset.format.columns import bookkeeping_columns, frame_table, numpy_chunks
from isaac_lerobot.dataset.format.episodes import EpisodeRow
from isaac_lerobot.dataset.format.info import Info, read_info
from isaac_lerobot.dataset.format.layout import Location, next_episode_location
from isaac_lerobot.dataset.format.own import OwnMetadata
from isaac_lerobot.dataset.format.statistics import Statistics
from isaac_lerobot.dataset.format.tasks import read_tasks, tasks_table
from isaac_lerobot.dataset.video.encoder import EncodedVideo
from isaac_lerobot.errors import DatasetError

Move = tuple[Path | None, Path]
"""A completed file and its place in the dataset; without a file what lies there is removed."""


@dataclass(frozen=True)
class FinishedEpisode:
    """Everything of an episode that is about to be committed.

    Attributes:
        folder: Its staging folder.
        task: Task text.
        length: Number of frames.
        success: Whether it succeeded, None where nobody judged.
        rows: Its columns without bookkeeping, ``length`` rows.
        videos: The mp4 file of each camera.
        stills: Statistics of each camera kept as stills.
        extra: Extra columns for the sidecar, or None.
        arrays: Arrays for the sidecar.
        attributes: Attributes for the sidecar, JSON.
    """

    folder: Path
    task: str
    length: int
    success: bool | None
    rows: pa.Table
    videos: Mapping[str, EncodedVideo]
    stills: Mapping[str, Statistics] = field(default_factory=dict)
    extra: pa.Table | None = None
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetState:
    """What the writer knows of the committed part of a dataset.

    Attributes:
        info: Content of ``info.json``.
        tasks: Task texts; position is ``task_index``.
        statistics: Statistics of the whole dataset.
        table_schema: Columns of the episode table.
        data: Last data file.
        episodes: Last episode-table file.
        videos: Last file of each camera.
    """

    info: Info
    tasks: tuple[str, ...]
    statistics: Mapping[str, Statistics]
    table_schema: pa.Schema
    data: Location | None = None
    episodes: Location | None = None
    videos: Mapping[str, Location | None] = field(default_factory=dict)


class UndoError(DatasetError):
    """A commit failed and could not be undone either: what is on the disk must be looked at by a new open."""


def read_state(root: Path) -> DatasetState:
    """Read what is committed in a dataset that :mod:`recover` has brought into order."""
    info = read_info(root)
    features = [feature for feature in {**info.features, **info.bookkeeping}.values() if feature.has_statistics]
    schema = episodes.read_schema(root) if info.total_episodes else None
    return DatasetState(
        info=info,
        tasks=tuple(read_tasks(root)),
        statistics=statistics.read_statistics(root, features) if info.total_episodes else {},
        table_schema=schema or episodes.episode_schema(info.features),
        data=layout.last(layout.data_files(root)),
        episodes=layout.last(layout.episodes_files(root)),
        videos={name: layout.last(layout.video_files(root, name)) for name in info.videos},
    )


def write_new_dataset(root: Path, info: Info, own: OwnMetadata) -> DatasetState:
    """Make ``root`` a dataset without episodes."""
    folder = root / layout.STAGING / "create"
    durable.make_folder(folder)
    durable.make_folder(root / "meta")
    durable.write_json(folder / "own.json", own.to_json())
    durable.write_json(folder / "info.json", info.to_json())
    durable.replace(folder / "own.json", root / layout.OWN_METADATA)
    durable.replace(folder / "info.json", root / layout.INFO)
    durable.sync_folder(root / "meta")
    durable.remove_tree(folder)
    return DatasetState(info, (), {}, episodes.episode_schema(info.features))


def commit_episode(root: Path, state: DatasetState, episode: FinishedEpisode) -> DatasetState:
    """Make an episode part of the dataset; return the new state when it is on the disk.

    Raises:
        DatasetError: It could not be; the dataset is as it was.
        UndoError: It could not be, and the dataset could not be brought back either.
    """
    if not (root / layout.INFO).is_file():
        raise DatasetError(f"The dataset folder {root} was removed or moved while recording.")
    for name, video in episode.videos.items():
        if video.frames != episode.length:
            raise DatasetError(f"The video of {name} has {video.frames} frames, and the episode {episode.length}.")
    new, moves = _complete(root, state, episode)
    done: list[Path] = []
    try:
        _publish(root, moves, done)
    except Exception as error:  # whatever it is, half an episode must not count
        _undo(root, state, episode.folder, moves, done)
        raise DatasetError(f"The episode could not be written to {root}: {error}.") from error
    # The episode is committed: what is left over here is swept up by the next open if not now.
    with contextlib.suppress(OSError):
        durable.remove_tree(episode.folder)
    return new


def _complete(root: Path, state: DatasetState, episode: FinishedEpisode) -> tuple[DatasetState, list[Move]]:
    """Write all files into the staging folder; return the state to be and the moves ``(source, target)``."""
    info, folder = state.info, episode.folder
    index, size = info.total_episodes, info.chunks_size
    tasks = state.tasks if episode.task in state.tasks else (*state.tasks, episode.task)
    data = next_episode_location(state.data, size)
    rows_file = next_episode_location(state.episodes, size)
    videos = {name: next_episode_location(state.videos.get(name), size) for name in episode.videos}
    moves: list[Move] = []

    for name, video in episode.videos.items():
        durable.sync_file(video.path)
        moves.append((video.path, layout.video_file(name, videos[name])))
    moves += _complete_sidecar(episode, index)

    bookkeeping = bookkeeping_columns(episode.length, info.fps, index, info.total_frames, tasks.index(episode.task))
    table = frame_table(episode.rows, info.features, bookkeeping)
    durable.write_parquet(folder / "data.parquet", [table], table.schema)
    moves.append((folder / "data.parquet", layout.data_file(data)))

    if tasks != state.tasks:
        content = tasks_table(tasks)
        durable.write_parquet(folder / "tasks.parquet", [content], content.schema)
        moves.append((folder / "tasks.parquet", layout.TASKS))

    pictures = {name: video.statistics for name, video in episode.videos.items()} | dict(episode.stills)
    of_episode = episode_statistics(table, info, pictures)
    row = EpisodeRow(
        index=index,
        tasks=(episode.task,),
        length=episode.length,
        first_index=info.total_frames,
        success=episode.success,
        data=data,
        videos={name: (location, 0) for name, location in videos.items()},
        statistics=of_episode,
    )
    rows = episodes.episode_table([row], info.fps, state.table_schema, rows_file)
    durable.write_parquet(folder / "episode.parquet", [rows], rows.schema)
    moves.append((folder / "episode.parquet", layout.episodes_file(rows_file)))

    merged = {
        name: statistics.merge(statistics.stacked([state.statistics[name], one])) if state.statistics else one
        for name, one in of_episode.items()
    }
    durable.write_json(folder / "stats.json", statistics.to_json(merged))
    moves.append((folder / "stats.json", layout.STATS))

    new_info = replace(
        info,
        total_episodes=index + 1,
        total_frames=info.total_frames + episode.length,
        total_tasks=len(tasks),
    )
    durable.write_json(folder / "info.json", new_info.to_json())
    moves.append((folder / "info.json", layout.INFO))
    return DatasetState(new_info, tasks, merged, state.table_schema, data, rows_file, videos), moves


def episode_statistics(table: pa.Table, info: Info, pictures: Mapping[str, Statistics]) -> dict[str, Statistics]:
    """Return the statistics of every feature but strings, from the rows ``table`` and of the ``pictures``."""
    found: dict[str, Statistics] = {}
    for name, feature in {**info.features, **info.bookkeeping}.items():
        if feature.is_camera:
            found[name] = pictures[name]
        elif feature.is_number:
            found[name] = statistics.column_statistics(feature, list(numpy_chunks(feature, table.column(name))))
    return found


def _complete_sidecar(episode: FinishedEpisode, index: int) -> list[Move]:
    """Write the episode's own files; return their moves, and for each kind that it lacks a removal."""
    folder = episode.folder
    written = {".json": bool(episode.attributes), ".npz": bool(episode.arrays), ".parquet": episode.extra is not None}
    if episode.attributes:
        durable.write_json(folder / "own.json", dict(episode.attributes))
    if episode.arrays:
        sidecar.write_arrays(folder / "own.npz", episode.arrays)
        durable.sync_file(folder / "own.npz")
    if episode.extra is not None:
        durable.write_parquet(folder / "own.parquet", [episode.extra], episode.extra.schema)
    # Where an episode before could neither be written nor undone, its files lie at these very names.
    return [
        (folder / f"own{suffix}" if there else None, layout.sidecar_file(index, suffix))
        for suffix, there in written.items()
    ]


def _publish(root: Path, moves: list[Move], done: list[Path]) -> None:
    *others, (info, _) = moves
    for source, target in others:
        if source is None and not (root / target).exists():
            continue
        durable.make_folder((root / target).parent)
        done.append(target)
        if source is None:
            durable.remove(root / target)
        else:
            durable.replace(source, root / target)
    for folder in sorted({(root / target).parent for target in done}):
        durable.sync_folder(folder)
    assert info is not None
    done.append(layout.INFO)
    durable.replace(info, root / layout.INFO)
    durable.sync_folder(root / "meta")


def _undo(root: Path, state: DatasetState, folder: Path, moves: list[Move], done: list[Path]) -> None:
    try:
        if layout.INFO in done:
            durable.write_json(folder / "undo.json", state.info.to_json())
            durable.replace(folder / "undo.json", root / layout.INFO)
            durable.sync_folder(root / "meta")
        if layout.STATS in done and state.info.total_episodes:
            durable.write_json(folder / "undo.json", statistics.to_json(state.statistics))
            durable.replace(folder / "undo.json", root / layout.STATS)
        if layout.TASKS in done and state.tasks:
            content = tasks_table(state.tasks)
            durable.write_parquet(folder / "undo.parquet", [content], content.schema)
            durable.replace(folder / "undo.parquet", root / layout.TASKS)
        kept = {layout.INFO}
        if state.info.total_episodes:
            kept |= {layout.STATS, layout.TASKS}
        for target in reversed(done):
            if target not in kept:
                durable.remove(root / target)
    except OSError as error:
        # Without the info the episode does not count, and the next commit takes the same names.
        if layout.INFO in done:
            raise UndoError(
                f"{root} could not be brought back to {state.info.total_episodes} episodes: {error}. "
                "Close the recording and open it again with append."
            ) from error

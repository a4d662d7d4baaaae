"""Join: joins the files of single episodes into files of the format's sizes, without encoding anew.

The order, each step synchronised to the disk before the next:

1. In the staging folder: the joined videos, complete new ``data`` and ``meta`` folders (with the new episode table
   and exact statistics; files that stay as they are get a second name).
2. The joined videos move to their places under new names. Nothing refers to them yet.
3. The journal is written: from here on an interrupted joining is finished, not undone, by the next open.
4. ``data`` is exchanged for the new folder in one step, then ``meta``. Readers take the rows from all data files in
   path order and the videos' names from ``meta``, so the old ``meta`` goes with the new ``data`` too.
5. The old videos, the old folders and the journal are removed.

A process killed at any instant leaves a dataset with all its episodes. Where the system cannot exchange folders in
one step (it can on Linux), there is an instant without ``data`` or ``meta``, which the next open ends.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format import episodes, layout, statistics
from isaac_lerobot.dataset.format.columns import data_schema, numpy_chunks, opened, python_array
from isaac_lerobot.dataset.format.episodes import EpisodeRow
from isaac_lerobot.dataset.format.features import Feature
from isaac_lerobot.dataset.format.info import Info, read_info
from isaac_lerobot.dataset.format.json_file import read_json
from isaac_lerobot.dataset.format.layout import Location
from isaac_lerobot.dataset.format.own import OwnMetadata, read_own
from isaac_lerobot.dataset.format.parallel import in_threads
from isaac_lerobot.dataset.format.statistics import EXACT_VALUES, Statistics
from isaac_lerobot.dataset.video.copying import concatenate
from isaac_lerobot.dataset.write.plan import Plan, Target, make_plan
from isaac_lerobot.errors import DatasetError

_FOLDER = layout.STAGING / "join"
_JOURNAL = _FOLDER / "journal.json"


def join_files(
    root: Path,
    *,
    everything: bool = False,
    untouched: int = 0,
    on_the_way: bool = False,
    own: OwnMetadata | None = None,
) -> list[str]:
    """Join the files of single episodes. Call with the lock held, on a dataset in order.

    Args:
        root: Folder of the dataset.
        everything: Also join files of former recordings that are smaller than half the format's size.
        untouched: Number of episodes whose data and videos stay as they are.
        on_the_way: Leave the dataset's statistics as they are, see :func:`renew_statistics`: more episodes are to come.
        own: What is to be kept of the dataset, where that is not what stands there.

    Returns:
        What was done, in words.

    Raises:
        DatasetError: A file cannot be read or joined; the dataset is as it was.
        OSError: Likewise.
    """
    info = read_info(root)
    if not info.total_episodes:
        return []
    rows = episodes.read_rows(root, info)
    own = own or read_own(root)
    plan = make_plan(root, info, rows, own.joined_episodes, everything=everything, untouched=untouched)
    schema = episodes.read_schema(root)
    assert schema is not None
    widened = "success" not in schema.names
    if widened:
        schema = schema.append(pa.field("success", pa.bool_()))
    fewer_tables = len(plan.tables) < sum(1 for _ in layout.episodes_files(root))
    if not (plan.data_changes or plan.new_videos or fewer_tables or widened):
        return []
    staging = root / _FOLDER
    durable.remove_tree(staging)
    durable.make_folder(staging)
    token = uuid.uuid4().hex
    videos = _write_videos(root, info, plan)
    if plan.data_changes:
        _write_data(root, info, plan, staging / "data")
    own = replace(own, joined=token, joined_episodes=info.total_episodes)
    _copy_meta(root, staging, {layout.OWN_METADATA: own.to_json(), layout.INFO: info.to_json()})
    _write_tables(root, info, rows, plan, schema, everything=widened)
    if not on_the_way:
        # The joined data, where there is one, is the same rows in fewer files.
        data = staging if plan.data_changes else root
        durable.write_json(staging / layout.STATS, statistics.to_json(dataset_statistics(staging, data, info, rows)))
    for path in sorted({found.parent for found in layout.files_in(staging / "meta")}):
        durable.sync_folder(path)
    _publish_videos(root, videos)
    journal = {
        "token": token,
        "data": _listing(staging / "data") if plan.data_changes else None,
        "old_videos": [unit.path.as_posix() for _, target in plan.new_videos for unit in target.units],
    }
    durable.write_json(staging / "journal.new", journal)
    durable.sync_folder(staging)
    durable.replace(staging / "journal.new", root / _JOURNAL)
    durable.sync_folder(staging)
    finish(root)
    joined = sum(len(target.units) for _, target in plan.new_videos)
    return [
        f"join {joined} video files into {len(plan.new_videos)}, {len(rows)} episodes into {len(plan.data)} data files"
    ]


def renew_statistics(root: Path) -> None:
    """Write ``stats.json`` anew, where nothing was left to be joined; a commit only merges the quantiles."""
    info = read_info(root)
    found = dataset_statistics(root, root, info, episodes.read_rows(root, info))
    durable.replace_json(root, layout.STATS, statistics.to_json(found))


def is_interrupted(root: Path) -> bool:
    """Whether a joining was interrupted at a point from which it is to be finished."""
    return (root / _JOURNAL).exists()


def finish(root: Path) -> None:
    """Do what is left of the last two steps of a joining. Call with the lock held.

    Raises:
        DatasetError: The journal is none that we wrote.
    """
    journal = read_json(root / _JOURNAL)
    token, data, old = journal.get("token"), journal.get("data"), journal.get("old_videos")
    if not isinstance(token, str) or not isinstance(data, list | None) or not isinstance(old, list):
        raise DatasetError(f"{root / _JOURNAL} is damaged. Move {root / layout.STAGING} away.")
    videos = [_video(root, name) for name in old]
    staging = root / _FOLDER
    _finish_exchange(root, "data", lambda: data is None or _listing(root / "data") == data)
    _finish_exchange(root, "meta", lambda: read_own(root).joined == token)
    rows = episodes.read_rows(root, read_info(root))
    used = {layout.video_file(name, file) for row in rows for name, (file, _) in row.videos.items()}
    for path in videos:
        if path not in used:
            durable.remove(root / path)
    for folder in sorted({(root / path).parent for path in videos}):
        durable.remove_empty_folder(folder)
    durable.remove(root / _JOURNAL)
    durable.remove_tree(staging)


def bookkeeping_statistics(rows: Sequence[EpisodeRow], fps: int) -> dict[str, Statistics]:
    """Return the statistics of the bookkeeping features that follow from where the episodes lie.

    What stands in the episode table may be stale: lerobot leaves it as it was when it removes episodes.
    """
    parts: dict[str, list[Statistics]] = {"timestamp": [], "frame_index": [], "episode_index": [], "index": []}
    for row in rows:
        parts["timestamp"].append(statistics.of_progression(0, 1 / fps, row.length))
        parts["frame_index"].append(statistics.of_progression(0, 1, row.length))
        parts["episode_index"].append(statistics.of_progression(row.index, 0, row.length))
        parts["index"].append(statistics.of_progression(row.first_index, 1, row.length))
    return {name: statistics.merge(statistics.stacked(found)) for name, found in parts.items()}


def dataset_statistics(root: Path, data: Path, info: Info, rows: Sequence[EpisodeRow]) -> dict[str, Statistics]:
    """Return the dataset's statistics, with quantiles over all rows: exact for numbers, close for cameras.

    Args:
        root: Where its episode table lies.
        data: Where its data lie.
        info: Its info.
        rows: Its episodes.
    """
    table = episodes.read_table(root, info, with_statistics=True)
    found: dict[str, Statistics] = {}
    for name, feature in {**info.features, **info.bookkeeping}.items():
        if feature.has_statistics:
            parts = episodes.statistics_in(table, feature)
            exact = statistics.merge_quantiles(parts) if feature.is_camera else _quantiles(data, info, feature)
            found[name] = statistics.merge(parts) | exact
    for name, one in bookkeeping_statistics(rows, info.fps).items():
        found[name] |= {key: value for key, value in one.items() if key not in statistics.QUANTILES}
    return found


def _video(root: Path, name: object) -> Path:
    """Return the video that a journal names, which may have come with a dataset from anywhere.

    Raises:
        DatasetError: It names something else.
    """
    path = Path(name) if isinstance(name, str) else Path()
    location = Location.of(path)
    if location is None or len(path.parts) != 4 or path != layout.video_file(path.parts[1], location):
        raise DatasetError(f"{root / _JOURNAL} names {name!r}, which is no video. Move {root / layout.STAGING} away.")
    return path


def _finish_exchange(root: Path, name: str, is_done: Callable[[], bool]) -> None:
    staging = root / _FOLDER
    current, new, aside = root / name, staging / name, staging / f"old-{name}"
    if not current.exists():
        # Interrupted between the renames of a system that cannot exchange folders in one step.
        durable.replace(new if new.exists() else aside, current)
    elif not is_done():
        durable.exchange(current, new, aside)
    durable.sync_folder(root)
    durable.sync_folder(staging)


def _listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in layout.files_in(folder))


def _write_videos(root: Path, info: Info, plan: Plan) -> list[tuple[Path, Path]]:
    """Write the joined videos; return where they lie and where they go."""
    moves = []
    for name, target in plan.new_videos:
        path = layout.video_file(name, target.location)
        (root / _FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        moves.append((root / _FOLDER / path, root / path))
    sources = [[root / unit.path for unit in target.units] for _, target in plan.new_videos]
    work = list(zip(sources, (staged for staged, _ in moves), strict=True))
    in_threads(lambda files: concatenate(*files, info.fps), work, os.cpu_count())
    for staged, _ in moves:
        durable.sync_file(staged)
    return moves


def _publish_videos(root: Path, moves: Sequence[tuple[Path, Path]]) -> None:
    for staged, target in moves:
        durable.make_folder(target.parent)
        durable.replace(staged, target)
    for folder in sorted({target.parent for _, target in moves}):
        durable.sync_folder(folder)


def _write_data(root: Path, info: Info, plan: Plan, folder: Path) -> None:
    schema = data_schema(info.features)
    for target in plan.data:
        path = folder.parent / layout.data_file(target.location)
        durable.make_folder(path.parent)
        if len(target.units) == 1:
            durable.link_or_copy(root / target.units[0].path, path)
        else:
            durable.write_parquet(path, _row_groups([root / unit.path for unit in target.units], schema), schema)
    for path in layout.files_in(root / "data"):
        # What is no data file is somebody else's, and stays.
        if path.suffix != ".parquet":
            durable.make_folder((folder / path.relative_to(root / "data")).parent)
            durable.link_or_copy(path, folder / path.relative_to(root / "data"))
    for chunk in sorted({path.parent for path in layout.files_in(folder)}):
        durable.sync_folder(chunk)


def _row_groups(paths: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    for path in paths:
        with opened(path) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number).select(schema.names).cast(schema)


def _copy_meta(root: Path, staging: Path, changed: Mapping[Path, object]) -> None:
    """Put into the staging folder a ``meta`` that is as it was but for the episode table and what is ``changed``."""
    durable.make_folder(staging / "meta")
    for path in layout.files_in(root / "meta"):
        relative = path.relative_to(root)
        if relative.parts[1] != "episodes" and relative not in changed:
            durable.make_folder((staging / relative).parent)
            durable.link_or_copy(path, staging / relative)
    for relative, content in changed.items():
        durable.write_json(staging / relative, content)


def _write_tables(
    root: Path, info: Info, rows: Sequence[EpisodeRow], plan: Plan, schema: pa.Schema, *, everything: bool
) -> None:
    """Write the episode table with the files and times of the plan; files in which nothing changes are linked."""
    changed = plan.changed_episodes
    places = _places(info, rows, plan)
    for target in plan.tables:
        path = root / _FOLDER / layout.episodes_file(target.location)
        durable.make_folder(path.parent)
        if not everything and not target.is_new and changed.isdisjoint(target.episodes):
            durable.link_or_copy(root / target.units[0].path, path)
            continue
        table = episodes.read_files(root, [root / unit.path for unit in target.units], with_statistics=True)
        assert table is not None
        table = table.slice(0, len(target.episodes))
        for name in schema.names:
            if name not in table.column_names:
                table = table.append_column(name, python_array(schema.field(name).type, [None] * len(table)))
        new = {name: [values[index] for index in target.episodes] for name, values in places.items()}
        new["meta/episodes/chunk_index"] = [target.location.chunk] * len(table)
        new["meta/episodes/file_index"] = [target.location.file] * len(table)
        table = episodes.with_columns(table.select(schema.names).cast(schema), new)
        durable.write_parquet(path, [table], schema)


def _places(info: Info, rows: Sequence[EpisodeRow], plan: Plan) -> dict[str, list[Any]]:
    """Return where each episode comes to lie, as columns of the episode table."""
    files = [target.location for target in plan.data for _ in target.episodes]
    columns: dict[str, list[Any]] = {
        "data/chunk_index": [location.chunk for location in files],
        "data/file_index": [location.file for location in files],
    }
    for name, targets in plan.videos.items():
        files = [target.location for target in targets for _ in target.episodes]
        starts = [start for target in targets for start in _starts(name, target, rows)]
        columns[f"videos/{name}/chunk_index"] = [location.chunk for location in files]
        columns[f"videos/{name}/file_index"] = [location.file for location in files]
        columns[f"videos/{name}/from_timestamp"] = [start / info.fps for start in starts]
        columns[f"videos/{name}/to_timestamp"] = [
            (start + row.length) / info.fps for start, row in zip(starts, rows, strict=True)
        ]
    return columns


def _starts(name: str, target: Target, rows: Sequence[EpisodeRow]) -> Iterator[int]:
    """Yield where each episode of a video starts in it [frames]."""
    before = 0
    for unit in target.units:
        yield from (before + rows[index].videos[name][1] for index in unit.episodes)
        before += unit.frames


def _quantiles(root: Path, info: Info, feature: Feature) -> Statistics:
    """Return the quantiles of a feature over all rows, or evenly spaced ones of a large dataset."""
    # Of a very large one, not all row groups (episodes, as we write them) need to be read.
    skip = max(1, info.total_frames * feature.size // (4 * EXACT_VALUES))
    chunks, number = [np.empty((0, feature.shape[-1]), feature.dtype)], 0
    for _, path in layout.data_files(root):
        with opened(path) as file:
            groups = [group for group in range(file.num_row_groups) if (number + group) % skip == 0]
            number += file.num_row_groups
            column = file.read_row_groups(groups, columns=[feature.name]).column(feature.name) if groups else None
            if column is not None:
                chunks += [chunk.reshape(-1, feature.shape[-1]) for chunk in numpy_chunks(feature, column)]
    return statistics.quantiles(statistics.evenly_spaced(chunks, EXACT_VALUES))

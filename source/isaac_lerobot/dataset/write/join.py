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

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format import episode_rows, layout, metadata, statistics, tables
from isaac_lerobot.dataset.format.episode_rows import EpisodePlace
from isaac_lerobot.dataset.format.features import BOOKKEEPING, Feature
from isaac_lerobot.dataset.format.layout import Location
from isaac_lerobot.dataset.format.metadata import Info
from isaac_lerobot.dataset.format.statistics import Statistics
from isaac_lerobot.dataset.video.copying import concatenate
from isaac_lerobot.dataset.video.mp4 import read_mp4

MAX_VIDEO_SECONDS = 1000.0
"""Readers compare times in float32, which cannot tell frames apart well enough from 1024 s on."""

_FOLDER = layout.STAGING / "join"
_JOURNAL = _FOLDER / "journal.json"
_MEBI = 2**20
_QUANTILE_VALUES = 16_000_000
"""Dataset-wide quantiles are exact up to this many values of all features together, 128 MB at most."""


@dataclass(frozen=True)
class _Unit:
    """A file as it is, with the episodes in it."""

    path: Path
    location: Location
    episodes: range
    size: int
    seconds: float = 0.0
    kind: Any = None


@dataclass
class _Plan:
    """Which file each episode goes to. Locations are per episode, starts in frames."""

    data: list[tuple[Location, list[_Unit]]] = field(default_factory=list)
    videos: dict[str, list[tuple[Location, list[_Unit]]]] = field(default_factory=dict)

    def joins(self) -> Iterator[tuple[str, Location, list[_Unit]]]:
        """Yield the videos to be written anew."""
        for name, files in self.videos.items():
            for location, units in files:
                if _moves(location, units):
                    yield name, location, units


def join_files(root: Path, *, everything: bool = False) -> list[str]:
    """Join the files of single episodes. Call with the lock held, on a dataset in order.

    Args:
        root: Folder of the dataset.
        everything: Also join files of former recordings that are smaller than half the format's size. Otherwise a
            file is touched again only when at least as much was recorded after it, so that many short recordings
            cost little more than one long one.

    Returns:
        What was done, in words.
    """
    info = metadata.read_info(root)
    if not info.total_episodes:
        return []
    table, places = episode_rows.read_table(root, info)
    plan = _make_plan(root, info, places, everything)
    many_tables = len(list(layout.episodes_files(root))) > 1
    data_moves = any(_moves(location, units) for location, units in plan.data)
    joins = list(plan.joins())
    if not (data_moves or joins or many_tables or "success" not in table.column_names):
        return []

    staging = root / _FOLDER
    durable.remove_tree(staging)
    durable.make_folder(staging)
    token = uuid.uuid4().hex
    with ThreadPoolExecutor(max_workers=min(len(joins), os.cpu_count() or 1) or 1) as pool:
        joined_videos = list(pool.map(lambda planned: _join_video(root, info, *planned), joins))
    new_videos = [(path, name, location) for path, (name, location, _) in zip(joined_videos, joins, strict=True)]
    for path in joined_videos:
        durable.sync_file(path)
    if data_moves:
        _write_data(root, info, plan, staging / "data")
    _write_meta(root, info, places, plan, table, token)
    for path, name, location in new_videos:
        target = root / layout.video_file(name, location)
        durable.make_folder(target.parent)
        durable.replace(path, target)
    for folder in sorted({(root / layout.video_file(name, location)).parent for _, name, location in new_videos}):
        durable.sync_folder(folder)
    journal = {
        "token": token,
        "data": _listing(staging / "data") if data_moves else None,
        "old_videos": [str(unit.path) for _, _, units in joins for unit in units],
    }
    durable.write_json(staging / "journal.new", journal)
    durable.sync_folder(staging)
    durable.replace(staging / "journal.new", root / _JOURNAL)
    durable.sync_folder(staging)
    finish(root)
    joined = sum(len(units) for _, _, units in joins)
    return [f"join {joined} video files into {len(joins)}, {len(places)} episodes into {len(plan.data)} data files"]


def is_interrupted(root: Path) -> bool:
    """Whether a joining was interrupted at a point from which it is to be finished."""
    return (root / _JOURNAL).is_file()


def finish(root: Path) -> None:
    """Do what is left of the last two steps of a joining. Call with the lock held."""
    journal = json.loads((root / _JOURNAL).read_text(encoding="utf-8"))
    staging = root / _FOLDER
    _finish_exchange(root, "data", lambda: journal["data"] is None or _listing(root / "data") == journal["data"])
    _finish_exchange(root, "meta", lambda: metadata.read_own(root).get("joined") == journal["token"])
    folders = set()
    for name in journal["old_videos"]:
        durable.remove(root / name)
        folders.add((root / name).parent)
    for folder in sorted(folders):
        durable.remove_empty_folder(folder)
    durable.remove(root / _JOURNAL)
    durable.remove_tree(staging)


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


def _make_plan(root: Path, info: Info, places: Sequence[EpisodePlace], everything: bool) -> _Plan:
    data_limit = info.data_files_size_in_mb * _MEBI
    video_limit = info.video_files_size_in_mb * _MEBI
    plan = _Plan()
    units = _units(root, [place.data for place in places], layout.data_file)
    numbers = layout.locations(info.chunks_size)
    # The data folder is exchanged as a whole, so its files are numbered from 0 again.
    plan.data = [(next(numbers), group) for group in _groups(units, data_limit, everything)]
    for name in info.videos:
        units = [
            _measured(root, unit, info.fps)
            for unit in _units(root, [place.videos[name][0] for place in places], _video_path(name))
        ]
        taken = {unit.location for unit in units}
        free = (location for location in layout.locations(info.chunks_size) if location not in taken)
        plan.videos[name] = []
        for group in _groups(units, video_limit, everything):
            stays = len(group) == 1 and (group[0].location.chunk == 0 or group[0].kind is None)
            plan.videos[name].append((group[0].location if stays else next(free), group))
    return plan


def _video_path(name: str) -> Callable[[Location], Path]:
    return lambda location: layout.video_file(name, location)


def _units(root: Path, locations: Sequence[Location], path_of: Callable[[Location], Path]) -> list[_Unit]:
    """Return the files that hold the episodes, in order."""
    units: list[_Unit] = []
    for index, location in enumerate(locations):
        if units and units[-1].location == location:
            units[-1] = replace(units[-1], episodes=range(units[-1].episodes.start, index + 1))
        else:
            path = path_of(location)
            units.append(_Unit(path, location, range(index, index + 1), (root / path).stat().st_size))
    return units


def _measured(root: Path, unit: _Unit, fps: int) -> _Unit:
    mp4 = read_mp4(root / unit.path)
    joinable = mp4.is_constant(fps) and mp4.timescale % fps == 0
    kind = (mp4.configuration, mp4.timescale) if joinable else None
    return replace(unit, seconds=mp4.frames / fps, kind=kind)


def _groups(units: Sequence[_Unit], limit: int, everything: bool) -> Iterator[list[_Unit]]:
    """Yield the units that become one file each."""
    after = 0
    alone = []
    for unit in reversed(units):
        big = unit.size >= limit / 2
        alone.append(unit.location.chunk == 0 and (big or (not everything and unit.size > after)))
        after += unit.size
    group: list[_Unit] = []
    size, seconds = 0, 0.0
    previous_alone = False
    for unit, is_alone in zip(units, reversed(alone), strict=True):
        fits = size + unit.size < limit and seconds + unit.seconds <= MAX_VIDEO_SECONDS
        same = bool(group) and group[0].kind == unit.kind and (unit.kind is not None or unit.seconds == 0.0)
        if group and (is_alone or previous_alone or not fits or not same):
            yield group
            group, size, seconds = [], 0, 0.0
        group.append(unit)
        size, seconds = size + unit.size, seconds + unit.seconds
        previous_alone = is_alone
    if group:
        yield group


def _moves(location: Location, units: Sequence[_Unit]) -> bool:
    return len(units) > 1 or units[0].location != location


def _listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _join_video(root: Path, info: Info, name: str, location: Location, units: Sequence[_Unit]) -> Path:
    """Write the frames of several videos into one, as they are; return where it lies."""
    target = root / _FOLDER / layout.video_file(name, location)
    target.parent.mkdir(parents=True, exist_ok=True)
    concatenate([root / unit.path for unit in units], target, info.fps)
    return target


def _write_data(root: Path, info: Info, plan: _Plan, folder: Path) -> None:
    schema = tables.data_schema(info.features)
    for location, units in plan.data:
        target = folder.parent / layout.data_file(location)
        durable.make_folder(target.parent)
        if len(units) == 1:
            durable.link_or_copy(root / units[0].path, target)
        else:
            tables.write_parquet(target, _row_groups([root / unit.path for unit in units], schema), schema)
            durable.sync_file(target)
    for chunk in sorted(folder.iterdir()):
        durable.sync_folder(chunk)
    durable.sync_folder(folder)


def _row_groups(paths: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    for path in paths:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number).select(schema.names).cast(schema)


def _write_meta(
    root: Path, info: Info, places: Sequence[EpisodePlace], plan: _Plan, table: pa.Table, token: str
) -> None:
    folder = root / _FOLDER / "meta"
    durable.make_folder(folder)
    for path in sorted((root / "meta").rglob("*")):
        relative = path.relative_to(root / "meta")
        if path.is_dir() or relative.parts[0] == "episodes" or Path("meta") / relative in (layout.STATS, layout.INFO):
            continue
        if Path("meta") / relative != layout.OWN_METADATA:
            durable.make_folder((folder / relative).parent)
            durable.link_or_copy(path, folder / relative)
    staged = root / _FOLDER
    durable.write_json(staged / layout.OWN_METADATA, metadata.read_own(root) | {"joined": token})
    durable.write_json(staged / layout.INFO, info.to_json())
    # The joined data, where there is one, is the same rows in fewer files.
    data = staged if (staged / "data").is_dir() else root
    durable.write_json(staged / layout.STATS, statistics.to_json(_statistics(root, info, table, data)))
    _write_episode_table(staged, info, _with_places(table.slice(0, len(places)), info, places, plan))
    for path in sorted({found.parent for found in folder.rglob("*")}):
        durable.sync_folder(path)


def _with_places(table: pa.Table, info: Info, places: Sequence[EpisodePlace], plan: _Plan) -> pa.Table:
    """Return the episode table with the files and times of the plan."""
    changed: dict[str, Any] = {}
    files = [location for location, units in plan.data for unit in units for _ in unit.episodes]
    changed["data/chunk_index"] = [location.chunk for location in files]
    changed["data/file_index"] = [location.file for location in files]
    for name, planned in plan.videos.items():
        files, starts = [], []
        for location, units in planned:
            before = 0
            for unit in units:
                files += [location] * len(unit.episodes)
                starts += [before + places[index].videos[name][1] for index in unit.episodes]
                before += round(unit.seconds * info.fps)
        changed[f"videos/{name}/chunk_index"] = [location.chunk for location in files]
        changed[f"videos/{name}/file_index"] = [location.file for location in files]
        changed[f"videos/{name}/from_timestamp"] = [start / info.fps for start in starts]
        changed[f"videos/{name}/to_timestamp"] = [
            (start + place.length) / info.fps for start, place in zip(starts, places, strict=True)
        ]
    if "success" not in table.column_names:
        table = table.append_column("success", tables.python_array(pa.bool_(), [None] * len(table)))
    return episode_rows.with_columns(table, changed)


def _write_episode_table(staged: Path, info: Info, table: pa.Table) -> None:
    """Write the table into as few files as its size allows."""
    count = max(1, -(-table.nbytes // (info.data_files_size_in_mb * _MEBI)))
    rows = -(-len(table) // count)
    for location, start in zip(layout.locations(info.chunks_size), range(0, len(table), rows), strict=False):
        part = table.slice(start, rows)
        numbers = {"chunk_index": [location.chunk] * len(part), "file_index": [location.file] * len(part)}
        part = episode_rows.with_columns(part, {f"meta/episodes/{key}": value for key, value in numbers.items()})
        target = staged / layout.episodes_file(location)
        durable.make_folder(target.parent)
        tables.write_parquet(target, [part], part.schema)
        durable.sync_file(target)


def _statistics(root: Path, info: Info, table: pa.Table, data: Path) -> dict[str, Statistics]:
    """Return the dataset's statistics, with quantiles over all rows: exact for numbers, close for cameras."""
    known = metadata.read_statistics(root)
    numbers = {name: feature for name, feature in {**info.features, **BOOKKEEPING}.items() if feature.is_number}
    samples = _samples(data, info, numbers)
    for name, feature in numbers.items():
        known[name] = known[name] | statistics.exact_quantiles(samples[name], feature.shape[-1])
    for name, feature in info.features.items():
        if feature.is_camera:
            known[name] = known[name] | statistics.merge_quantiles(episode_rows.statistics_of(table, info, name))
    return known


def _samples(root: Path, info: Info, numbers: Mapping[str, Feature]) -> dict[str, list[Any]]:
    """Return rows of every number, ``(rows, width)`` arrays: all, or evenly spaced ones of a large dataset."""
    values = info.total_frames * sum(feature.size for feature in numbers.values())
    step = max(1, -(-values // _QUANTILE_VALUES))
    samples: dict[str, list[Any]] = {name: [] for name in numbers}
    for _, path in layout.data_files(root):
        table = tables.read_parquet(path, list(numbers))
        for name, feature in numbers.items():
            for chunk in tables.numpy_chunks(feature, table.column(name)):
                samples[name].append(np.array(chunk[::step]).reshape(-1, feature.shape[-1]))
    return samples

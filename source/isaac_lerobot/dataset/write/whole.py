"""Whole: which episodes of a damaged dataset are whole, found by reading every row and every picture."""

from __future__ import annotations

import functools
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isaac_lerobot.dataset.format import episodes, layout, statistics
from isaac_lerobot.dataset.format.columns import as_array, numpy_chunks, python_array, python_values
from isaac_lerobot.dataset.format.episodes import EpisodeRow
from isaac_lerobot.dataset.format.features import Feature, parse_features
from isaac_lerobot.dataset.format.info import Info, read_info
from isaac_lerobot.dataset.format.statistics import PictureStatistics, Statistics
from isaac_lerobot.dataset.format.tasks import read_tasks
from isaac_lerobot.dataset.video.copying import cut
from isaac_lerobot.dataset.video.decoder import PictureFormat, still, thumbnails, video_frames
from isaac_lerobot.dataset.video.mp4 import read_mp4
from isaac_lerobot.dataset.write.assemble import Source, read_copyable, rows_of_episode, runs, task_text
from isaac_lerobot.errors import DatasetError


@dataclass(frozen=True)
class WholeEpisodes:
    """What is whole in a dataset.

    Attributes:
        source: The whole episodes.
        lost: Why each of the others is not, by index; -1 stands for those of a file that does not say which.
    """

    source: Source
    lost: Mapping[int, str]


def find_whole_episodes(root: Path) -> WholeEpisodes:
    """Find the whole episodes of a dataset.

    Raises:
        DatasetError: Its info cannot be read, or its features cannot be recorded by us.
    """
    info = read_info(root)
    info = replace(info, features=parse_features({name: one.definition() for name, one in info.features.items()}))
    lost: dict[int, str] = {}
    table = _readable_table(root, lost)
    rows = dict(_readable_rows(table, info, lost)) if table is not None else {}
    source = Source(root, info, _readable_tasks(root), [rows[index][0] for index in sorted(rows)], pa.table({}))
    source = replace(source, info=replace(info, features=_true_features(source)))
    good = [row for row in source.rows if not _note(lost, row, partial(_check_rows, source))]
    good = [row for row in good if not _note(lost, row, partial(_check_videos, source))]
    source = replace(source, rows=good)
    # What is left must be such that it can be cut out of its videos.
    while uncuttable := dict(_uncuttable(source)):
        lost |= uncuttable
        source = replace(source, rows=[row for row in source.rows if row.index not in uncuttable])
    good = list(source.rows)
    if not good or table is None:
        return WholeEpisodes(source, lost)
    table = table.take(python_array(pa.int64(), [rows[row.index][1] for row in good]))
    return WholeEpisodes(replace(source, table=_with_statistics(source, table)), lost)


def _note(lost: dict[int, str], row: EpisodeRow, check: Any) -> bool:
    """Run a check of an episode; return whether it failed."""
    try:
        check(row)
    except DatasetError as error:
        lost[row.index] = str(error).rstrip(".")
        return True
    return False


def _readable_table(root: Path, lost: dict[int, str]) -> pa.Table | None:
    paths = []
    for _, path in layout.episodes_files(root):
        try:
            episodes.read_files(root, [path], with_statistics=True)
            paths.append(path)
        except DatasetError as error:
            lost[-1] = str(error).rstrip(".")
    if not paths:
        lost.setdefault(-1, f"{root} has no episode table")
    return episodes.read_files(root, paths, with_statistics=True)


def _readable_rows(table: pa.Table, info: Info, lost: dict[int, str]) -> Iterator[tuple[int, tuple[EpisodeRow, int]]]:
    """Yield the rows that can be, by index, each with its place in the table."""
    seen: set[int] = set()
    for place in range(len(table)):
        try:
            (row,) = episodes.rows_of(table.slice(place, 1), info)
        except (DatasetError, KeyError) as error:
            lost[place] = str(error).rstrip(".")
            continue
        if row.index not in seen:
            seen.add(row.index)
            yield row.index, (row, place)


def _readable_tasks(root: Path) -> list[str]:
    try:
        return read_tasks(root)
    except DatasetError:
        return []


def _check_rows(source: Source, row: EpisodeRow) -> None:
    """Make sure that every value of an episode can be read, and that its tasks are known."""
    columns = {name: feature for name, feature in source.info.features.items() if not feature.is_video}
    path = source.root / layout.data_file(row.data)
    table = rows_of_episode(path, row, [*columns, "task_index"])
    for name, feature in columns.items():
        if feature.is_camera:
            for number, cell in enumerate(python_values(table[name])):
                still((cell or {}).get("bytes") or b"", feature.shape, f"{path}: {name}, frame {number}")
        else:
            as_array(table[name], feature)
    for number in set(python_values(table["task_index"])):
        task_text(source, row, number)


def _check_videos(source: Source, row: EpisodeRow) -> None:
    """Make sure that every picture of an episode can be decoded."""
    for name, (file, start) in row.videos.items():
        path = source.root / layout.video_file(name, file)
        mp4, feature = read_mp4(path), source.info.features[name]
        if start + row.length > (mp4.intact if not mp4.is_reordered or not mp4.cut_off else 0):
            raise DatasetError(f"{path} holds the data of {mp4.intact} of its {mp4.frames} frames.")
        if (mp4.height, mp4.width) != feature.shape[:2]:
            raise DatasetError(f"{path}: its pictures are {mp4.height}x{mp4.width}, not {feature.shape[:2]}.")
        if (mp4.codec, mp4.pix_fmt) != tuple((feature.info or {}).get(f"video.{key}") for key in ("codec", "pix_fmt")):
            raise DatasetError(f"{path} is {mp4.codec} {mp4.pix_fmt}, and most videos of {name} are not.")
        on_time = np.array_equal(mp4.pts * source.info.fps, np.arange(mp4.frames) * mp4.timescale)
        if not on_time or mp4.hidden or mp4.open_gop or mp4.tracks != ("vide",):
            raise DatasetError(f"{path}: its frames are not shown one every 1/{source.info.fps} s from 0 on, or there "
                               "is something else in it.")  # fmt: skip
        if _undecodable(path, path.stat().st_mtime_ns):
            _check_decodable(path, start, row.length, source.info.fps)


@functools.lru_cache(64)
def _undecodable(path: Path, changed: int) -> str:
    """Return what cannot be decoded of a video as it was last changed; empty where all of it can."""
    try:
        for _ in thumbnails(path, 8):
            pass
    except DatasetError as error:
        return str(error)
    return ""


def _check_decodable(path: Path, first: int, count: int, fps: int) -> None:
    """Make sure that some frames of a damaged video can be decoded.

    Raises:
        DatasetError: They cannot.
    """
    if not read_mp4(path).can_be_cut(first):
        raise DatasetError(_undecodable(path, path.stat().st_mtime_ns))
    # By themselves: ffmpeg reads ahead, and would find the damage of frames behind.
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder, "part.mp4")
        cut(path, part, first, count, fps)
        if sum(1 for _ in thumbnails(part, 8)) != count:
            raise DatasetError(f"{path}: not all frames from {first} to {first + count - 1} can be decoded.")


def _true_features(source: Source) -> dict[str, Feature]:
    """Return the features, with what most videos of each camera are in place of what is said of them."""
    features = dict(source.info.features)
    for name, feature in source.info.videos.items():
        found: Counter[tuple[str, str | None]] = Counter()
        for file in {row.videos[name][0] for row in source.rows}:
            with suppress(DatasetError):
                mp4 = read_mp4(source.root / layout.video_file(name, file))
                found[mp4.codec, mp4.pix_fmt] += mp4.frames
        if found:
            (codec, pix_fmt), _ = found.most_common(1)[0]
            height, width, channels = feature.shape
            true = {"height": height, "width": width, "channels": channels, "codec": codec, "pix_fmt": pix_fmt}
            said = {f"video.{key}": value for key, value in (true | {"fps": source.info.fps}).items()}
            features[name] = replace(feature, info=dict(feature.info or {}) | said | {"has_audio": False})
    return features


def _uncuttable(source: Source) -> Iterator[tuple[int, str]]:
    """Yield which episodes cannot be copied without those beside them that are lost, and why."""
    for name in source.info.videos:
        for path, run in runs(source, name):
            try:
                read_copyable(path, run[0].videos[name][1], sum(row.length for row in run), source.info.fps)
            except DatasetError as error:
                yield from ((row.index, str(error).rstrip(".")) for row in run)


def _with_statistics(source: Source, table: pa.Table) -> pa.Table:
    """Return rows of the episode table with all statistics; those that cannot be read are computed anew."""
    for name, feature in source.info.features.items():
        if not feature.has_statistics:
            continue
        try:
            # Those of numbers are quickly computed, and may be wrong.
            usable = feature.is_camera and bool(np.isfinite(episodes.statistics_in(table, feature)["mean"]).all())
        except DatasetError:
            usable = False
        if not usable:
            found = [_computed(source, row, feature) for row in source.rows]
            for key in statistics.KEYS:
                column = f"stats/{name}/{key}"
                field = episodes.episode_schema({name: feature}).field(column)
                values = python_array(field.type, [statistics.to_json({name: one})[name][key] for one in found])
                if column in table.column_names:
                    table = table.drop_columns([column])
                table = table.append_column(field, values)
    return table


def _computed(source: Source, row: EpisodeRow, feature: Feature) -> Statistics:
    if not feature.is_camera:
        table = rows_of_episode(source.root / layout.data_file(row.data), row, [feature.name])
        return statistics.column_statistics(feature, list(numpy_chunks(feature, table[feature.name])))
    found = PictureStatistics(feature.shape[0], feature.shape[1])
    for picture in _pictures(source, row, feature):
        found.add(picture)
    return found.result()


def _pictures(source: Source, row: EpisodeRow, feature: Feature) -> Iterator[Any]:
    if feature.is_video:
        file, start = row.videos[feature.name]
        form = PictureFormat(feature.shape[0], feature.shape[1])
        path = source.root / layout.video_file(feature.name, file)
        yield from video_frames(path, start, row.length, source.info.fps, form)
    else:
        table = rows_of_episode(source.root / layout.data_file(row.data), row, [feature.name])
        cells: Sequence[dict[str, bytes]] = python_values(table[feature.name])
        yield from (still(cell["bytes"], feature.shape, feature.name) for cell in cells)

"""Repair: brings a dataset back to what ``info.json`` counts, or to what is still complete of it.

What a killed recording leaves behind is files that nobody counts (see :mod:`commit`); removing them restores the
dataset exactly. That is :func:`recover`, which every append does first. :func:`repair_dataset` goes further: where
counted episodes are damaged (a file lost, a crash of another writer), it keeps the episodes before the first
damaged one and moves what belongs to later ones into ``.damaged``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from isaac_lerobot.dataset import durable, episode_rows, join, layout, metadata, replacement, statistics, tables
from isaac_lerobot.dataset.episode_rows import EpisodePlace
from isaac_lerobot.dataset.features import BOOKKEEPING
from isaac_lerobot.dataset.lock import DatasetLock
from isaac_lerobot.dataset.metadata import Info
from isaac_lerobot.dataset.mp4 import read_mp4
from isaac_lerobot.errors import DatasetError

DAMAGED = Path(".damaged")
"""Where :func:`repair_dataset` puts what is left of damaged episodes."""


@dataclass(frozen=True)
class _Step:
    """One thing to do: what to tell the user, and how to do it."""

    text: str
    carry_out: Callable[[], None]


def repair_dataset(root: Path | str, *, dry_run: bool = False) -> list[str]:
    """Bring a dataset back into order.

    Args:
        root: Folder of the dataset.
        dry_run: Only find out what would be done.

    Returns:
        What was done (or would be), in words; empty when the dataset is in order.

    Raises:
        DatasetError: There is no dataset, or nothing can be saved of it.
        DatasetLockedError: Somebody is recording into it.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"There is no dataset folder {root}.")
    with DatasetLock(root):
        done: list[str] = []
        for text, finish in _interrupted(root):
            done.append(text)
            if dry_run:
                return done
            finish()
        info = metadata.read_info(root)
        files = _Files(root, info.fps)
        places, damage = _complete_prefix(root, info, files)
        if damage:
            kept = _truncated(root, info, places)
            done.append(f"keep the first {len(places)} of {info.total_episodes} episodes: {damage}")
            if not dry_run:
                _replace_json(root, layout.INFO, kept.to_json())
            info = kept
        for step in _clean_up(root, info, places, files, keep_remains=bool(damage)):
            done.append(step.text)
            if not dry_run:
                step.carry_out()
        if not dry_run:
            durable.remove_tree(root / layout.STAGING)
        return done


def recover(root: Path) -> list[str]:
    """Remove what an interrupted recording left behind. Call with the lock held.

    Returns:
        What was done, in words.

    Raises:
        DatasetError: Counted episodes are damaged; only :func:`repair_dataset` decides about those.
    """
    done: list[str] = []
    for text, finish in _interrupted(root):
        finish()
        done.append(text)
    info = metadata.read_info(root)
    files = _Files(root, info.fps)
    places, damage = _complete_prefix(root, info, files)
    if damage:
        raise DatasetError(
            f"The dataset {root} is damaged: {damage}. `isaac-lerobot repair {root}` keeps the "
            f"{len(places)} episodes before that; with --dry-run it only says what it would do."
        )
    for step in list(_clean_up(root, info, places, files, keep_remains=False)):
        step.carry_out()
        done.append(step.text)
    durable.remove_tree(root / layout.STAGING)
    return done


def _interrupted(root: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what was interrupted half-way, and how it is ended; each must be ended before the next is asked for."""
    if replacement.is_pending(root):
        yield replacement.what_settles(root), partial(replacement.settle, root)
    if join.is_interrupted(root):
        yield "finish joining files, which was interrupted", partial(join.finish, root)


def _complete_prefix(root: Path, info: Info, files: _Files) -> tuple[list[EpisodePlace], str]:
    """Return where the complete episodes before the first damaged one lie, and what is damaged (or nothing)."""
    try:
        places = episode_rows.read_places(root, info)
    except (DatasetError, OSError, pa.ArrowException) as error:
        return [], f"the episode table cannot be read ({error})"
    good: list[EpisodePlace] = []
    expected = 0
    for index in range(info.total_episodes):
        if index >= len(places):
            return good, f"the episode table has {len(places)} of {info.total_episodes} episodes"
        place = places[index]
        problem = "" if place.index == index else f"row {index} of the episode table is of episode {place.index}"
        if not problem and place.first_index != expected:
            problem = f"episode {index} starts at index {place.first_index}, expected {expected}"
        problem = problem or files.problem(place)
        if problem:
            return good, problem
        good.append(place)
        expected += place.length
    if expected != info.total_frames:
        return good, f"the episodes have {expected} frames, info.json says {info.total_frames}"
    return good, ""


class _Files:
    """Looks at each file of a dataset once, and says whether an episode's part of it is there."""

    def __init__(self, root: Path, fps: int) -> None:
        self._root, self._fps = root, fps
        self._sizes: dict[Path, int | str] = {}
        self._used: dict[Path, int] = {}

    def problem(self, place: EpisodePlace) -> str:
        """Return why an episode is not complete, or an empty text. Call in the order of episodes."""
        data = layout.data_file(place.data)
        needed = self._used[data] = self._used.get(data, 0) + place.length
        found = [self._short(place, data, needed)]
        for name, (location, start) in place.videos.items():
            found.append(self._short(place, layout.video_file(name, location), start + place.length))
        return next(filter(None, found), "")

    def frames(self, path: Path) -> int | str:
        """Return the number of rows or frames of a file inside the dataset, or what is wrong with it."""
        if path not in self._sizes:
            self._sizes[path] = _frames_in(self._root / path)
        return self._sizes[path]

    def _short(self, place: EpisodePlace, path: Path, needed: int) -> str:
        size = self.frames(path)
        if isinstance(size, str):
            return f"episode {place.index}: {path} {size}"
        if size < needed:
            return f"episode {place.index}: {path} has {size} frames, {needed} are needed"
        return ""


def _frames_in(path: Path) -> int | str:
    """Return the number of rows or frames of a file, or what is wrong with it."""
    if not path.is_file():
        return "is missing"
    try:
        if path.suffix == ".mp4":
            return read_mp4(path).frames
        return int(pq.read_metadata(path).num_rows)
    except (DatasetError, OSError, pa.ArrowException):
        return "cannot be read"


def _truncated(root: Path, info: Info, places: Sequence[EpisodePlace]) -> Info:
    tasks = metadata.read_tasks(root)
    used = [tasks.index(task) for place in places for task in place.tasks if task in tasks]
    return replace(
        info,
        total_episodes=len(places),
        total_frames=sum(place.length for place in places),
        total_tasks=max(used, default=-1) + 1,
    )


def _clean_up(
    root: Path, info: Info, places: Sequence[EpisodePlace], files: _Files, *, keep_remains: bool
) -> Iterator[_Step]:
    """Yield the steps that remove whatever ``info`` does not count."""
    staging = root / layout.STAGING
    unfinished = sorted(path.name for path in staging.glob("*")) if staging.is_dir() else []
    if unfinished:
        yield _Step(
            f"remove unfinished work: {', '.join(unfinished[:5])}{' ...' if len(unfinished) > 5 else ''}",
            partial(_remove_staging, root),
        )
    # Rows first: a video without a row harms nobody, a row without its video does.
    for path, rows, counted in _table_files(root, places):
        if counted == 0:
            yield _removal(root, path, "of episodes that were not committed", keep_remains)
        elif counted < rows:
            yield _Step(f"drop {rows - counted} rows from {path}", partial(_shorten, root, path, counted))
    frames = _frames_per_data_file(places)
    for _, path in list(layout.data_files(root)):
        relative = path.relative_to(root)
        counted = frames.get(relative, 0)
        if counted == 0:
            yield _removal(root, relative, "of episodes that were not committed", keep_remains)
            continue
        have = files.frames(relative)
        if isinstance(have, int) and counted < have:
            yield _Step(f"drop {have - counted} rows from {relative}", partial(_shorten, root, relative, counted))
    videos = {layout.video_file(name, location) for place in places for name, (location, _) in place.videos.items()}
    for name in info.videos:
        for _, path in list(layout.video_files(root, name)):
            if path.relative_to(root) not in videos:
                yield _removal(root, path.relative_to(root), "that no episode uses", keep_remains)
    for path in sorted((root / layout.SIDECARS).glob("*/episode_*")):
        number = path.stem.removeprefix("episode_")
        if number.isdigit() and int(number) >= info.total_episodes:
            yield _removal(root, path.relative_to(root), "of an episode that was not committed", keep_remains)
    tasks = metadata.read_tasks(root)
    if len(tasks) > info.total_tasks:
        yield _Step(
            f"drop {len(tasks) - info.total_tasks} tasks that no episode uses",
            partial(_write_tasks, root, tasks[: info.total_tasks]),
        )
    if info.total_episodes and _counted_frames(root) != info.total_frames:
        yield _Step("compute stats.json anew from the episode table", partial(_write_statistics, root, info))


def _table_files(root: Path, places: Sequence[EpisodePlace]) -> list[tuple[Path, int, int]]:
    """Return each episode-table file with its number of rows, and how many of these are counted."""
    counted: dict[Path, int] = {}
    for place in places:
        counted[place.table] = counted.get(place.table, 0) + 1
    found = []
    for _, path in layout.episodes_files(root):
        relative = path.relative_to(root)
        rows = _frames_in(path)
        found.append((relative, rows if isinstance(rows, int) else 0, counted.get(relative, 0)))
    return found


def _frames_per_data_file(places: Sequence[EpisodePlace]) -> dict[Path, int]:
    frames: dict[Path, int] = {}
    for place in places:
        path = layout.data_file(place.data)
        frames[path] = frames.get(path, 0) + place.length
    return frames


def _removal(root: Path, path: Path, why: str, keep_remains: bool) -> _Step:
    if keep_remains:
        return _Step(f"move {path} to {DAMAGED}, {why}", partial(_move_away, root, path))
    return _Step(f"remove {path}, {why}", partial(_remove, root, path))


def _remove(root: Path, path: Path) -> None:
    durable.remove(root / path)
    durable.remove_empty_folder((root / path).parent)


def _move_away(root: Path, path: Path) -> None:
    target = root / DAMAGED / path
    durable.make_folder(target.parent)
    durable.replace(root / path, target)
    durable.remove_empty_folder((root / path).parent)


def _remove_staging(root: Path) -> None:
    durable.remove_tree(root / layout.STAGING)


def _shorten(root: Path, path: Path, rows: int) -> None:
    """Keep the first rows of a parquet file."""
    with pq.ParquetFile(root / path) as file:
        groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        schema = file.schema_arrow
    kept = []
    for group in groups:
        kept.append(group.slice(0, rows))
        rows -= len(kept[-1])
    _replace_parquet(root, path, [group for group in kept if len(group)], schema)


def _write_tasks(root: Path, tasks: Sequence[str]) -> None:
    content = metadata.tasks_table(tasks)
    _replace_parquet(root, layout.TASKS, [content], content.schema)


def _counted_frames(root: Path) -> int:
    known = metadata.read_statistics(root)
    return int(known["index"]["count"][0]) if "index" in known else -1


def _write_statistics(root: Path, info: Info) -> None:
    names = [name for name, feature in {**info.features, **BOOKKEEPING}.items() if not feature.is_text]
    table, _ = episode_rows.read_table(root, info)
    merged = {name: statistics.merge(episode_rows.statistics_of(table, info, name)) for name in names}
    _replace_json(root, layout.STATS, statistics.to_json(merged))


def _replace_json(root: Path, path: Path, content: object) -> None:
    durable.make_folder(root / layout.STAGING)
    staged = root / layout.STAGING / path.name
    durable.write_json(staged, content)
    durable.replace(staged, root / path)
    durable.sync_folder((root / path).parent)


def _replace_parquet(root: Path, path: Path, content: Sequence[pa.Table], schema: pa.Schema) -> None:
    durable.make_folder(root / layout.STAGING)
    staged = root / layout.STAGING / path.name
    tables.write_parquet(staged, content, schema)
    durable.sync_file(staged)
    durable.replace(staged, root / path)
    durable.sync_folder((root / path).parent)

"""Repair: brings a dataset back to what ``info.json`` counts, or to what is still complete of it.

What a killed recording leaves behind is files that nobody counts (see :mod:`commit`); removing them restores the
dataset exactly. That is :func:`recover`, which every append does first. :func:`repair_dataset` goes further: where
counted episodes are damaged (a file lost, a crash of another writer), it keeps the episodes before the first
damaged one. Whatever it takes out of the dataset then, it keeps in ``.damaged``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.disk.lock import DatasetLock
from isaac_lerobot.dataset.disk.single_file import replace_json
from isaac_lerobot.dataset.format import episode_rows, layout, metadata, statistics
from isaac_lerobot.dataset.format.episode_rows import EpisodePlace
from isaac_lerobot.dataset.format.features import BOOKKEEPING
from isaac_lerobot.dataset.format.metadata import Info
from isaac_lerobot.dataset.write import join, replacement
from isaac_lerobot.dataset.write.repair_files import Files, Step, removal, shortening, trimming
from isaac_lerobot.dataset.write.repair_tasks import collect_tasks, mend_tasks, needed_tasks
from isaac_lerobot.errors import DatasetError, DatasetLockedError


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
    with _right_to_look(root) if dry_run else DatasetLock(root):
        done: list[str] = []
        for text, finish in _interrupted(root):
            done.append(text)
            if dry_run:
                return [*done, "look at the rest, which is only known then"]
            finish()
        info = metadata.read_info(root)
        files = Files(root)
        places, damage = _complete_prefix(root, info, files)
        if damage and not places:
            raise DatasetError(f"Nothing can be saved of {root}: {damage}. It is left as it is.")
        tasks = collect_tasks(root, places)
        if damage:
            kept = _truncated(info, places, tasks)
            done.append(f"keep the first {len(places)} of {info.total_episodes} episodes: {damage}")
            if not dry_run:
                replace_json(root, layout.INFO, kept.to_json())
            info = kept
        steps = [
            *_clean_up(root, info, places, files, keep_remains=bool(damage)),
            *mend_tasks(root, info, places, tasks),
            *_mend_statistics(root, info),
            *_trim_videos(root, places, files),
        ]
        for step in steps:
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
    files = Files(root)
    places, damage = _complete_prefix(root, info, files)
    if damage:
        raise DatasetError(
            f"The dataset {root} is damaged: {damage}. `isaac-lerobot repair {root}` keeps the "
            f"{len(places)} episodes before that; with --dry-run it only says what it would do."
        )
    tasks = metadata.read_tasks(root)
    lost = sorted({task for place in places for task in place.tasks} - set(tasks))
    if lost:
        raise DatasetError(
            f"{layout.TASKS} of {root} lacks {', '.join(map(repr, lost[:3]))}, which episodes have. "
            f"`isaac-lerobot repair {root}` puts it together again."
        )
    steps = _clean_up(root, info, places, files, keep_remains=False)
    for step in [*steps, *mend_tasks(root, info, places, tasks), *_mend_statistics(root, info)]:
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


def _complete_prefix(root: Path, info: Info, files: Files) -> tuple[list[EpisodePlace], str]:
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


def _truncated(info: Info, places: Sequence[EpisodePlace], tasks: Sequence[str]) -> Info:
    return replace(
        info,
        total_episodes=len(places),
        total_frames=sum(place.length for place in places),
        total_tasks=needed_tasks(places, tasks),
    )


def _clean_up(
    root: Path, info: Info, places: Sequence[EpisodePlace], files: Files, *, keep_remains: bool
) -> Iterator[Step]:
    """Yield the steps that remove whatever ``info`` does not count."""
    staging = root / layout.STAGING
    unfinished = sorted(path.name for path in staging.glob("*")) if staging.is_dir() else []
    if unfinished:
        yield Step(
            f"remove unfinished work: {', '.join(unfinished[:5])}{' ...' if len(unfinished) > 5 else ''}",
            partial(_remove_staging, root),
        )
    # Rows first: a video without a row harms nobody, a row without its video does.
    for path, rows, counted in _table_files(root, places, files):
        if counted == 0:
            yield removal(root, path, "of episodes that were not committed", keep_remains)
        elif counted < rows:
            yield shortening(root, path, counted, rows - counted)
    frames = _frames_per_data_file(places)
    for _, path in list(layout.data_files(root)):
        relative = path.relative_to(root)
        counted = frames.get(relative, 0)
        if counted == 0:
            yield removal(root, relative, "of episodes that were not committed", keep_remains)
            continue
        have = files.frames(relative)
        if isinstance(have, int) and counted < have:
            yield shortening(root, relative, counted, have - counted)
    videos = {layout.video_file(name, location) for place in places for name, (location, _) in place.videos.items()}
    for name in info.videos:
        for _, path in list(layout.video_files(root, name)):
            if path.relative_to(root) not in videos:
                yield removal(root, path.relative_to(root), "that no episode uses", keep_remains)
    for path in sorted((root / layout.SIDECARS).glob("*/episode_*")):
        number = path.stem.removeprefix("episode_")
        if number.isdigit() and int(number) >= info.total_episodes:
            yield removal(root, path.relative_to(root), "of an episode that was not committed", keep_remains)


def _mend_statistics(root: Path, info: Info) -> Iterator[Step]:
    if info.total_episodes and _counted_frames(root) != info.total_frames:
        yield Step("compute stats.json anew from the episode table", partial(_write_statistics, root, info))


def _table_files(root: Path, places: Sequence[EpisodePlace], files: Files) -> list[tuple[Path, int, int]]:
    """Return each episode-table file with its number of rows, and how many of these are counted."""
    counted: dict[Path, int] = {}
    for place in places:
        counted[place.table] = counted.get(place.table, 0) + 1
    found = []
    for _, path in layout.episodes_files(root):
        relative = path.relative_to(root)
        rows = files.frames(relative)
        found.append((relative, rows if isinstance(rows, int) else 0, counted.get(relative, 0)))
    return found


def _frames_per_data_file(places: Sequence[EpisodePlace]) -> dict[Path, int]:
    frames: dict[Path, int] = {}
    for place in places:
        path = layout.data_file(place.data)
        frames[path] = frames.get(path, 0) + place.length
    return frames


def _remove_staging(root: Path) -> None:
    durable.remove_tree(root / layout.STAGING)


def _trim_videos(root: Path, places: Sequence[EpisodePlace], files: Files) -> Iterator[Step]:
    """Yield the steps that cut frames off videos that are longer than their episodes."""
    needed: dict[Path, int] = {}
    for place in places:
        for name, (location, start) in place.videos.items():
            path = layout.video_file(name, location)
            needed[path] = max(needed.get(path, 0), start + place.length)
    for path, frames in needed.items():
        have = files.frames(path)
        if isinstance(have, int) and have > frames:
            yield trimming(root, path, frames, have - frames)


@contextlib.contextmanager
def _right_to_look(root: Path) -> Iterator[None]:
    """Keep writers out while a dataset is looked at, unless nobody may write it anyway."""
    try:
        lock = DatasetLock(root)
    except DatasetLockedError:
        raise
    except DatasetError:
        yield
        return
    with lock:
        yield


def _counted_frames(root: Path) -> int:
    try:
        known = metadata.read_statistics(root)
    except DatasetError:
        return -1
    return int(known["index"]["count"][0]) if "index" in known else -1


def _write_statistics(root: Path, info: Info) -> None:
    names = [name for name, feature in {**info.features, **BOOKKEEPING}.items() if not feature.is_text]
    table, _ = episode_rows.read_table(root, info)
    merged = {name: statistics.merge(episode_rows.statistics_of(table, info, name)) for name in names}
    replace_json(root, layout.STATS, statistics.to_json(merged))

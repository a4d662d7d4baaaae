"""Recover: brings a dataset back to what ``info.json`` counts, after a recording that was interrupted.

What a killed recording leaves behind is files that nobody counts (see :mod:`commit`); removing them restores the
dataset exactly. Nothing that is counted is ever changed: where it is damaged, that is said, and the way out is
:func:`isaac_lerobot.dataset.salvage_dataset`. In a dataset that others wrote, nothing is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format import episodes, layout, statistics
from isaac_lerobot.dataset.format.columns import opened
from isaac_lerobot.dataset.format.episodes import EpisodeRow
from isaac_lerobot.dataset.format.features import Feature
from isaac_lerobot.dataset.format.info import Info, read_info
from isaac_lerobot.dataset.format.own import read_own
from isaac_lerobot.dataset.format.tasks import read_tasks, tasks_table
from isaac_lerobot.dataset.video.mp4 import read_mp4
from isaac_lerobot.dataset.write import join, overwrite
from isaac_lerobot.errors import DatasetError


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        text: What to tell the user, starting with a verb: it comes after "Would:" or "Did:".
        carry_out: Does it.
        changes_everything: Whether it cannot be said what else there is to do before it is done.
    """

    text: str
    carry_out: Callable[[], object]
    changes_everything: bool = False


def recover(root: Path) -> list[str]:
    """Remove what an interrupted recording left behind. Call with the lock held.

    Returns:
        What was done, in words.

    Raises:
        DatasetError: What is counted is damaged; nothing of it was changed.
    """
    done = []
    for step in steps(root):
        step.carry_out()
        done.append(step.text)
    if (root / layout.STAGING).exists():
        durable.remove_tree(root / layout.STAGING)
    return done


def steps(root: Path) -> Iterator[Step]:
    """Yield what there is to do; each step must be carried out, or left for good, before the next is asked for.

    Raises:
        DatasetError: As :func:`recover`.
    """
    if overwrite.is_pending(root):
        yield Step(overwrite.what_settles(root), partial(overwrite.settle, root), changes_everything=True)
    if join.is_interrupted(root):
        yield Step("finish joining files, which was interrupted", partial(join.finish, root), changes_everything=True)
    if names := sorted(path.name for path in (root / layout.STAGING).glob("*")):
        more = " ..." if len(names) > 5 else ""
        text = f"remove unfinished work: {', '.join(names[:5])}{more}"
        yield Step(text, partial(durable.remove_tree, root / layout.STAGING))
    info = read_info(root)
    ours = (root / layout.OWN_METADATA).is_file()
    try:
        rows = episodes.read_rows(root, info)
        _check_rows(root, info, rows)
        yield from _uncounted(root, info, rows, ours)
        yield from _tasks(root, info, rows, ours)
        yield from _statistics(root, info, rows)
    except DatasetError as error:
        raise DatasetError(
            f"The dataset {root} is damaged, and was left as it is: {error} "
            f"`isaac-lerobot salvage {root} INTO` copies every whole episode of it into a new one."
        ) from error


def _check_rows(root: Path, info: Info, rows: Sequence[EpisodeRow]) -> None:
    """Make sure that all that is counted is there.

    Raises:
        DatasetError: Says what is not.
    """
    index = 0
    needed: dict[Path, int] = {}
    frames: dict[Path, int] = {}
    for row in rows:
        if row.first_index != index:
            raise DatasetError(f"Episode {row.index} starts at index {row.first_index}, expected {index}.")
        index += row.length
        data = layout.data_file(row.data)
        needed[data] = needed.get(data, 0) + row.length
        places = [(data, needed[data])]
        places += [(layout.video_file(name, file), start + row.length) for name, (file, start) in row.videos.items()]
        for path, end in places:
            if path not in frames:
                frames[path] = _frames_in(root / path)
            if frames[path] < end:
                raise DatasetError(f"Episode {row.index}: {path} has {frames[path]} frames, and {end} are needed.")
    if index != info.total_frames:
        raise DatasetError(f"The episodes have {index} frames, and info.json says {info.total_frames}.")


def _frames_in(path: Path) -> int:
    if path.suffix == ".mp4":
        mp4 = read_mp4(path)
        if mp4.cut_off:
            raise DatasetError(f"{path} is cut off.")
        return mp4.frames
    with opened(path) as file:
        return int(file.metadata.num_rows)


def _uncounted(root: Path, info: Info, rows: Sequence[EpisodeRow], ours: bool) -> Iterator[Step]:
    """Yield the steps that remove what no episode uses.

    Raises:
        DatasetError: Rows of no episode lie where they cannot be removed.
    """
    # Rows first: a video without a row harms nobody, a row without its video does.
    counted = {path: len(range(rows.start, min(rows.stop, info.total_episodes)))
               for path, rows in episodes.counted_files(root, info)}  # fmt: skip
    for row in rows:
        data = root / layout.data_file(row.data)
        counted[data] = counted.get(data, 0) + row.length
    for _, path in [*layout.episodes_files(root), *layout.data_files(root)]:
        yield from _rows_of_nobody(root, path, counted.get(path, 0), ours)
    if not ours:
        return
    used = {layout.video_file(name, file) for row in rows for name, (file, _) in row.videos.items()}
    kept = read_own(root).foreign_files
    for name in info.videos:
        for _, path in list(layout.video_files(root, name)):
            if path.relative_to(root) not in used and path.relative_to(root).as_posix() not in kept:
                yield _removal(root, path, "that no episode uses")
    for path in sorted((root / layout.SIDECARS).glob("*/episode_*")):
        number = path.stem.removeprefix("episode_")
        if number.isdecimal() and int(number) >= info.total_episodes:
            yield _removal(root, path, "of an episode that was not committed")


def _rows_of_nobody(root: Path, path: Path, counted: int, ours: bool) -> Iterator[Step]:
    if ours and not counted:
        yield _removal(root, path, "of episodes that were not committed")
    elif counted != (have := _frames_in(path)):
        raise DatasetError(f"{path.relative_to(root)} has {have} rows, and the episodes that are counted {counted}.")


def _removal(root: Path, path: Path, why: str) -> Step:
    def remove() -> None:
        durable.remove(path)
        durable.remove_empty_folder(path.parent)

    return Step(f"remove {path.relative_to(root)}, {why}", remove)


def _tasks(root: Path, info: Info, rows: Sequence[EpisodeRow], ours: bool) -> Iterator[Step]:
    """Yield the steps that make the task file hold what the episodes use, and ``info.json`` count it.

    Raises:
        DatasetError: A text that episodes have is not in the file.
    """
    tasks = read_tasks(root)
    numbers = {task: number for number, task in reversed(list(enumerate(tasks)))}
    used = {task for row in rows for task in row.tasks}
    if lost := sorted(used - numbers.keys()):
        raise DatasetError(f"{layout.TASKS} lacks {', '.join(map(repr, lost[:3]))}, which episodes have.")
    needed = max((numbers[task] + 1 for task in used), default=0)
    kept = tasks[: max(info.total_tasks, needed)] if ours else tasks
    if len(kept) < len(tasks):
        content = tasks_table(kept)
        text = f"drop {len(tasks) - len(kept)} tasks that no episode uses"
        yield Step(text, partial(durable.replace_parquet, root, layout.TASKS, [content], content.schema))
    if info.total_tasks != len(kept):
        changed = replace(info, total_tasks=len(kept)).to_json()
        yield Step(f"set total_tasks to {len(kept)}", partial(durable.replace_json, root, layout.INFO, changed))


def _statistics(root: Path, info: Info, rows: Sequence[EpisodeRow]) -> Iterator[Step]:
    if not rows:
        return
    wanted = [feature for feature in {**info.features, **info.bookkeeping}.values() if feature.has_statistics]
    try:
        known = statistics.read_statistics(root, wanted)
        if int(known["index"]["count"][0]) == info.total_frames:
            return
    except DatasetError:
        pass
    text = "compute stats.json anew from the episode table"
    yield Step(text, partial(_write_statistics, root, info, rows, wanted))


def _write_statistics(root: Path, info: Info, rows: Sequence[EpisodeRow], wanted: Sequence[Feature]) -> None:
    table = episodes.read_table(root, info, with_statistics=True)
    merged = {feature.name: statistics.merge(episodes.statistics_in(table, feature)) for feature in wanted}
    merged |= join.bookkeeping_statistics(rows, info.fps)
    durable.replace_json(root, layout.STATS, statistics.to_json(merged))

"""Repair tasks: a task file that holds what the episodes use, put together again where it is damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from isaac_lerobot.dataset.disk.single_file import replace_json, replace_parquet
from isaac_lerobot.dataset.format import layout, metadata, tables
from isaac_lerobot.dataset.format.episode_rows import EpisodePlace
from isaac_lerobot.dataset.format.metadata import Info
from isaac_lerobot.dataset.write.repair_files import DAMAGED, Step, keep_copy
from isaac_lerobot.errors import DatasetError


def collect_tasks(root: Path, places: Sequence[EpisodePlace]) -> list[str]:
    """Return the task texts; where the file lacks some, put together from what rows and episodes say.

    Raises:
        DatasetError: Nothing tells which text a row means.
    """
    tasks = _readable_tasks(root)
    if {task for place in places for task in place.tasks} <= set(tasks):
        return tasks
    found: dict[int, str] = {}
    used: set[int] = set()
    texts = {place.index: place.tasks for place in places}
    for path in {layout.data_file(place.data) for place in places}:
        table = tables.read_parquet(root / path, ["episode_index", "task_index"])
        pairs = set(zip(table.column("episode_index").to_pylist(), table.column("task_index").to_pylist(), strict=True))
        for episode, number in pairs:
            if episode in texts:
                used.add(number)
                if len(texts[episode]) == 1:
                    found[number] = texts[episode][0]
    unknown = sorted(used - found.keys())
    if unknown:
        raise DatasetError(f"{layout.TASKS} of {root} is damaged, and nothing tells what task {unknown[0]} is.")
    return [found.get(number, f"task {number}") for number in range(max(found, default=-1) + 1)]


def needed_tasks(places: Sequence[EpisodePlace], tasks: Sequence[str]) -> int:
    """Return how many of the task texts, from the first on, hold all that episodes use."""
    used = {task for place in places for task in place.tasks}
    return max((number + 1 for number, task in enumerate(tasks) if task in used), default=0)


def mend_tasks(root: Path, info: Info, places: Sequence[EpisodePlace], tasks: Sequence[str]) -> Iterator[Step]:
    """Yield the steps that make the task file hold what the episodes use, and ``info.json`` count it.

    Args:
        root: Folder of the dataset.
        info: What it counts.
        places: Its episodes.
        tasks: What :func:`collect_tasks` found.
    """
    have = _readable_tasks(root)
    kept = list(tasks[: max(info.total_tasks, needed_tasks(places, tasks))])
    if have[: len(kept)] != kept:
        text = f"put {layout.TASKS} together again, {len(kept)} tasks, and keep the file as it was in {DAMAGED}"
        yield Step(text, partial(_rewrite_tasks, root, kept))
    elif len(have) > len(kept):
        # Texts of episodes that were never committed: nothing refers to them.
        yield Step(f"drop {len(have) - len(kept)} tasks that no episode uses", partial(_write_tasks, root, kept))
    if info.total_tasks != len(kept):
        changed = replace(info, total_tasks=len(kept))
        yield Step(f"set total_tasks to {len(kept)}", partial(replace_json, root, layout.INFO, changed.to_json()))


def _readable_tasks(root: Path) -> list[str]:
    try:
        return metadata.read_tasks(root)
    except DatasetError:
        return []


def _rewrite_tasks(root: Path, tasks: Sequence[str]) -> None:
    if (root / layout.TASKS).is_file():
        keep_copy(root, layout.TASKS)
    _write_tasks(root, tasks)


def _write_tasks(root: Path, tasks: Sequence[str]) -> None:
    content = metadata.tasks_table(tasks)
    replace_parquet(root, layout.TASKS, [content], content.schema)

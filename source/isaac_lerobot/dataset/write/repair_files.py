"""Repair files: what can be done to a single file of a damaged dataset, so that nothing of it is lost for good."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.disk.single_file import replace_parquet
from isaac_lerobot.dataset.format import layout
from isaac_lerobot.dataset.format.episode_rows import EpisodePlace
from isaac_lerobot.dataset.video import ffmpeg
from isaac_lerobot.dataset.video.mp4 import read_mp4
from isaac_lerobot.errors import DatasetError

DAMAGED = Path(".damaged")
"""Where what is left of damaged episodes goes."""


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        text: What to tell the user, starting with a verb: it comes after "Would:" or "Did:".
        carry_out: Does it.
    """

    text: str
    carry_out: Callable[[], None]


class Files:
    """Looks at each file of a dataset once, and says whether an episode's part of it is there."""

    def __init__(self, root: Path) -> None:
        self._root = root
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
    if not path.is_file():
        return "is missing"
    try:
        if path.suffix == ".mp4":
            mp4 = read_mp4(path)
            return "is cut off" if mp4.cut_off else mp4.frames
        return int(pq.read_metadata(path).num_rows)
    except (DatasetError, OSError, pa.ArrowException):
        return "cannot be read"


def removal(root: Path, path: Path, why: str, keep_remains: bool) -> Step:
    """Return the step that removes a file, or moves it into ``.damaged``."""
    if keep_remains:
        return Step(f"move {path} to {DAMAGED}, {why}", partial(_move_away, root, path))
    return Step(f"remove {path}, {why}", partial(_remove, root, path))


def _remove(root: Path, path: Path) -> None:
    durable.remove(root / path)
    durable.remove_empty_folder((root / path).parent)


def _move_away(root: Path, path: Path) -> None:
    durable.replace(root / path, _place_in_damaged(root, path))
    durable.remove_empty_folder((root / path).parent)


def keep_copy(root: Path, path: Path) -> None:
    """Put a file into ``.damaged`` as it is, before it is changed."""
    durable.link_or_copy(root / path, _place_in_damaged(root, path))


def _place_in_damaged(root: Path, path: Path) -> Path:
    """Return where remains of a file go; those of an earlier repair are not overwritten."""
    target = root / DAMAGED / path
    names = (target.with_name(f"{target.stem}.{number}{target.suffix}") for number in itertools.count(1))
    durable.make_folder(target.parent)
    return next(name for name in itertools.chain([target], names) if not name.exists())


def shortening(root: Path, path: Path, rows: int, dropped: int) -> Step:
    """Return the step that keeps the first ``rows`` of a parquet file, and the whole of it in ``.damaged``.

    A kill leaves whole files that nobody counts, so whatever has to be cut out of a file may be worth something.
    """
    text = f"drop {dropped} rows from {path}, and keep the file as it was in {DAMAGED}"
    return Step(text, partial(_shorten, root, path, rows))


def trimming(root: Path, path: Path, frames: int, dropped: int) -> Step:
    """Return the step that keeps the first ``frames`` of a video, and the whole of it in ``.damaged``.

    Nothing is encoded anew: a video whose pictures are not stored in the order they are shown stays as it is.
    """
    text = f"cut {dropped} frames off {path} if copying can do it, and keep the file as it was in {DAMAGED}"
    return Step(text, partial(_trim, root, path, frames))


def _shorten(root: Path, path: Path, rows: int) -> None:
    keep_copy(root, path)
    with pq.ParquetFile(root / path) as file:
        groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        schema = file.schema_arrow
    kept = []
    for group in groups:
        kept.append(group.slice(0, rows))
        rows -= len(kept[-1])
    replace_parquet(root, path, [group for group in kept if len(group)], schema)


def _trim(root: Path, path: Path, frames: int) -> None:
    staged = root / layout.STAGING / path.name
    durable.make_folder(staged.parent)
    copied = ["-map", "0:v", "-c", "copy", "-frames:v", str(frames), "-movflags", "+faststart", str(staged)]
    if not ffmpeg.run([*ffmpeg.mp4_input(root / path), *copied]) and read_mp4(staged).frames == frames:
        durable.sync_file(staged)
        keep_copy(root, path)
        durable.replace(staged, root / path)
        durable.sync_folder((root / path).parent)

"""Repair files: what can be done to a single file of a damaged dataset, so that nothing of it is lost for good."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from isaac_lerobot.dataset import durable, layout, tables
from isaac_lerobot.dataset.episode_rows import EpisodePlace
from isaac_lerobot.dataset.mp4 import read_mp4
from isaac_lerobot.dataset.video import find_ffmpeg
from isaac_lerobot.errors import DatasetError

DAMAGED = Path(".damaged")
"""Where what is left of damaged episodes goes."""


@dataclass(frozen=True)
class Step:
    """One thing to do: what to tell the user, and how to do it."""

    text: str
    carry_out: Callable[[], None]


class Files:
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
            self._sizes[path] = frames_in(self._root / path)
        return self._sizes[path]

    def _short(self, place: EpisodePlace, path: Path, needed: int) -> str:
        size = self.frames(path)
        if isinstance(size, str):
            return f"episode {place.index}: {path} {size}"
        if size < needed:
            return f"episode {place.index}: {path} has {size} frames, {needed} are needed"
        return ""


def frames_in(path: Path) -> int | str:
    """Return the number of rows or frames of a file, or what is wrong with it."""
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


def dropped(number: int, what: str, path: Path) -> str:
    """Say what :func:`shorten` or :func:`trim_video` does."""
    return f"drop {number} {what} from {path}, and keep the file as it was in {DAMAGED}"


def shorten(root: Path, path: Path, rows: int) -> None:
    """Keep the first rows of a parquet file. A kill leaves whole files, so whatever is cut out of one is kept."""
    keep_copy(root, path)
    with pq.ParquetFile(root / path) as file:
        groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        schema = file.schema_arrow
    kept = []
    for group in groups:
        kept.append(group.slice(0, rows))
        rows -= len(kept[-1])
    replace_parquet(root, path, [group for group in kept if len(group)], schema)


def trim_video(root: Path, path: Path, frames: int) -> None:
    """Keep the first frames of a video, without encoding anew; the whole one is kept in ``.damaged``."""
    staged = root / layout.STAGING / path.name
    durable.make_folder(staged.parent)
    command = [find_ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y", "-i", str(root / path)]
    command += ["-map", "0:v", "-c", "copy", "-frames:v", str(frames), "-movflags", "+faststart", str(staged)]
    done = subprocess.run(command, capture_output=True, check=False, start_new_session=True)
    # Pictures that are not stored in the order they are shown cannot be cut by copying; the video stays as it is then.
    if done.returncode == 0 and read_mp4(staged).frames == frames:
        durable.sync_file(staged)
        keep_copy(root, path)
        durable.replace(staged, root / path)
        durable.sync_folder((root / path).parent)


def replace_json(root: Path, path: Path, content: object) -> None:
    """Replace a JSON file of a dataset in one durable step."""
    durable.make_folder(root / layout.STAGING)
    staged = root / layout.STAGING / path.name
    durable.write_json(staged, content)
    durable.replace(staged, root / path)
    durable.sync_folder((root / path).parent)


def replace_parquet(root: Path, path: Path, content: Sequence[pa.Table], schema: pa.Schema) -> None:
    """Replace a parquet file of a dataset in one durable step."""
    durable.make_folder(root / layout.STAGING)
    staged = root / layout.STAGING / path.name
    tables.write_parquet(staged, content, schema)
    durable.sync_file(staged)
    durable.replace(staged, root / path)
    durable.sync_folder((root / path).parent)

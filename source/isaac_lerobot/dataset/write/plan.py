"""Plan: which files of a dataset are joined into which. Looks only, changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from isaac_lerobot.dataset.format import episodes, layout
from isaac_lerobot.dataset.format.episodes import EpisodeRow
from isaac_lerobot.dataset.format.info import Info
from isaac_lerobot.dataset.format.layout import Location
from isaac_lerobot.dataset.video.mp4 import read_mp4
from isaac_lerobot.errors import DatasetError

MAX_VIDEO_SECONDS = 1000.0
"""Readers compare times in float32, which cannot tell frames apart well enough from 1024 s on."""
_MEBI = 2**20
_TABLE_BYTES = 16 * _MEBI
"""Size from which a file of the episode table is not joined further: it is read whole to be written anew."""


@dataclass(frozen=True)
class Unit:
    """A file as it is, with the episodes in it.

    Attributes:
        path: Where it lies inside the dataset.
        location: Its numbers.
        episodes: The episodes in it.
        size: Its size [bytes].
        frames: Number of frames of a video, else 0.
        kind: What videos must have in common to be joined by copying; None where this one cannot be.
    """

    path: Path
    location: Location
    episodes: range
    size: int
    frames: int = 0
    kind: object = ()


@dataclass(frozen=True)
class Target:
    """A file as it is to be, of one or more files as they are."""

    location: Location
    units: tuple[Unit, ...]

    @property
    def is_new(self) -> bool:
        """Whether it is not simply the file that is there."""
        return len(self.units) > 1 or self.units[0].location != self.location

    @property
    def episodes(self) -> range:
        """The episodes in it."""
        return range(self.units[0].episodes.start, self.units[-1].episodes.stop)


@dataclass
class Plan:
    """Which files there are to be."""

    data: list[Target] = field(default_factory=list)
    tables: list[Target] = field(default_factory=list)
    videos: dict[str, list[Target]] = field(default_factory=dict)

    @property
    def data_changes(self) -> bool:
        """Whether the data folder is to be another."""
        return any(target.is_new for target in self.data)

    @property
    def new_videos(self) -> list[tuple[str, Target]]:
        """The videos to be written, with their cameras."""
        return [(name, target) for name, targets in self.videos.items() for target in targets if target.is_new]

    @property
    def changed_episodes(self) -> set[int]:
        """The episodes that come to lie elsewhere."""
        targets = [*self.data, *(target for _, target in self.new_videos)]
        return {index for target in targets if target.is_new for index in target.episodes}


def make_plan(
    root: Path, info: Info, rows: Sequence[EpisodeRow], joined: int, *, everything: bool = False, untouched: int = 0
) -> Plan:
    """Plan the joining of a dataset's files.

    Args:
        root: Folder of the dataset.
        info: Its info.
        rows: Its episodes.
        joined: Number of episodes whose files were joined before, or were others'. Such a file is touched again only
            when at least as much was recorded after it, so that many short recordings cost little more than a long one.
        everything: Touch all files that are smaller than half the format's size.
        untouched: Number of episodes whose files stay as they are.
    """
    rule = _Rule(joined, everything, untouched)
    plan = Plan()
    units = _units(root, [row.data for row in rows], layout.data_file)
    plan.data = rule.targets(units, int(info.data_files_size_in_mb * _MEBI), layout.locations(info.chunks_size))
    plan.tables = rule.targets(_table_units(root, info), _TABLE_BYTES, layout.locations(info.chunks_size))
    for name in info.videos:
        units = _units(root, [row.videos[name][0] for row in rows], _video_path(name))
        units = [_measured(root, unit, info.fps) for unit in units]
        taken = {location for location, _ in layout.video_files(root, name)}
        free = (location for location in layout.locations(info.chunks_size) if location not in taken)
        limit = int(info.video_files_size_in_mb * _MEBI)
        plan.videos[name] = rule.targets(units, limit, free, int(MAX_VIDEO_SECONDS * info.fps))
    return plan


@dataclass(frozen=True)
class _Rule:
    """Which files are joined."""

    joined: int
    everything: bool
    untouched: int

    def targets(
        self, units: Sequence[Unit], limit: int, numbers: Iterator[Location], most_frames: int = 0
    ) -> list[Target]:
        """Return the files to be. Videos stay where they are unless joined; rows are numbered from the start again."""
        found = []
        for group in self._groups(units, limit, most_frames):
            was_joined = group[0].episodes.stop <= max(self.joined, self.untouched)
            stays = most_frames and len(group) == 1 and (was_joined or group[0].kind is None)
            found.append(Target(group[0].location if stays else next(numbers), tuple(group)))
        return found

    def _groups(self, units: Sequence[Unit], limit: int, most_frames: int) -> Iterator[list[Unit]]:
        after, alone = 0, []
        for unit in reversed(units):
            keep = unit.size >= limit / 2 or (not self.everything and unit.size > after)
            alone.append(unit.episodes.stop <= self.untouched or (unit.episodes.stop <= self.joined and keep))
            after += unit.size
        group: list[Unit] = []
        size, frames, previous_alone = 0, 0, False
        for unit, is_alone in zip(units, reversed(alone), strict=True):
            fits = size + unit.size < limit and (not most_frames or frames + unit.frames <= most_frames)
            same = bool(group) and group[0].kind == unit.kind and unit.kind is not None
            if group and (is_alone or previous_alone or not fits or not same):
                yield group
                group, size, frames = [], 0, 0
            group.append(unit)
            size, frames, previous_alone = size + unit.size, frames + unit.frames, is_alone
        if group:
            yield group


def _video_path(name: str) -> Callable[[Location], Path]:
    return lambda location: layout.video_file(name, location)


def _units(root: Path, locations: Sequence[Location], path_of: Callable[[Location], Path]) -> list[Unit]:
    """Return the files that hold the episodes, in order.

    Raises:
        DatasetError: The episodes of a file do not follow on each other.
    """
    first = {location: index for index, location in reversed(list(enumerate(locations)))}
    units: list[Unit] = []
    for start, stop in itertools.pairwise([*sorted(first.values()), len(locations)]):
        path = path_of(locations[start])
        if set(locations[start:stop]) != {locations[start]}:
            raise DatasetError(f"{root / path}: its episodes do not follow on each other. Run `isaac-lerobot check`.")
        units.append(Unit(path, locations[start], range(start, stop), (root / path).stat().st_size))
    return units


def _table_units(root: Path, info: Info) -> list[Unit]:
    """Return the files of the episode table."""
    units = []
    for path, rows in episodes.counted_files(root, info):
        location = Location.of(path)
        if rows and location is not None:
            held = range(rows.start, min(rows.stop, info.total_episodes))
            units.append(Unit(path.relative_to(root), location, held, path.stat().st_size))
    return units


def _measured(root: Path, unit: Unit, fps: int) -> Unit:
    mp4 = read_mp4(root / unit.path)
    return replace(unit, frames=mp4.frames, kind=mp4.kind(fps))

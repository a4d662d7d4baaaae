"""Layout: where each file of a dataset lies, and how files are numbered.

While recording, every episode has files of its own, at chunk numbers above those of the joined files, so that
the order of the paths stays the order of the episodes (readers concatenate all files in path order).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isaac_lerobot.errors import DatasetError

CODEBASE_VERSION = "v3.0"
CHUNKS_SIZE = 1000
DATA_FILES_SIZE_IN_MB = 100
VIDEO_FILES_SIZE_IN_MB = 200
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"

INFO = Path("meta/info.json")
STATS = Path("meta/stats.json")
TASKS = Path("meta/tasks.parquet")
OWN_METADATA = Path("meta/isaac_lerobot.json")
"""What we know of the whole dataset and lerobot has no place for (environment, versions, ...)."""
SIDECARS = Path("isaac/episodes")
"""What we know of each episode and lerobot has no place for (seed, initial state, states for replay, ...)."""
STAGING = Path(".recording")
"""Everything unfinished; whatever lies here after a crash is removed by the next open."""
LOCK = Path(".recording.lock")
REPLACED = Path(".replaced")
"""An overwritten dataset, until the new one has an episode; see :mod:`overwrite`."""
PARTS = ("meta", "data", "videos", "images", "isaac")
"""What a dataset consists of, in the order in which it is moved away. A card (``README.md``) is its owner's."""

_NUMBERS = re.compile(r"chunk-(\d{3}|[1-9]\d{3,})/file-(\d{3}|[1-9]\d{3,})\.[a-z0-9]+$")


@dataclass(frozen=True, order=True)
class Location:
    """Chunk and file number of a file."""

    chunk: int
    file: int

    def next(self, chunks_size: int = CHUNKS_SIZE) -> Location:
        """Return the number after this one; ``chunks_size`` files make a chunk."""
        if self.file + 1 < chunks_size:
            return Location(self.chunk, self.file + 1)
        return Location(self.chunk + 1, 0)

    @classmethod
    def of(cls, path: Path) -> Location | None:
        """Read chunk and file number from a path, or None where it has none."""
        match = _NUMBERS.search(path.as_posix())
        return cls(int(match[1]), int(match[2])) if match else None


def locations(chunks_size: int) -> Iterator[Location]:
    """Yield the numbers of joined files, from the first on."""
    location = Location(0, 0)
    while True:
        yield location
        location = location.next(chunks_size)


def next_episode_location(last: Location | None, chunks_size: int) -> Location:
    """Return where the next file of a single episode goes, after ``last``, the last file that exists.

    Chunk 0 is left to joined files.
    """
    if last is None or last.chunk == 0:
        return Location(1, 0)
    return last.next(chunks_size)


def data_file(location: Location) -> Path:
    """Return the path of a data file inside the dataset."""
    return Path(DATA_PATH.format(chunk_index=location.chunk, file_index=location.file))


def episodes_file(location: Location) -> Path:
    """Return the path of an episode-table file inside the dataset."""
    return Path(EPISODES_PATH.format(chunk_index=location.chunk, file_index=location.file))


def video_file(key: str, location: Location) -> Path:
    """Return the path of a video file inside the dataset."""
    return Path(VIDEO_PATH.format(video_key=key, chunk_index=location.chunk, file_index=location.file))


def sidecar_file(index: int, suffix: str) -> Path:
    """Return the path of one of an episode's own files inside the dataset, e.g. for suffix ``.json``."""
    return SIDECARS / f"chunk-{index // CHUNKS_SIZE:03d}" / f"episode_{index:06d}{suffix}"


def data_files(root: Path) -> Iterator[tuple[Location, Path]]:
    """Yield the data files of a dataset with their numbers, in path order (that of readers)."""
    return _numbered(root / "data", ".parquet")


def episodes_files(root: Path) -> Iterator[tuple[Location, Path]]:
    """Yield the episode-table files of a dataset with their numbers, in path order (that of readers)."""
    return _numbered(root / "meta/episodes", ".parquet")


def video_files(root: Path, key: str) -> Iterator[tuple[Location, Path]]:
    """Yield a camera's video files with their numbers, in path order."""
    return _numbered(root / "videos" / key, ".mp4")


def last(files: Iterable[tuple[Location, Path]]) -> Location | None:
    """Return the highest location in use, or None."""
    return max((location for location, _ in files), default=None)


def _numbered(folder: Path, suffix: str) -> Iterator[tuple[Location, Path]]:
    # Not by glob, which takes a folder that cannot be looked into for an empty one.
    try:
        chunks = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        paths = [path for chunk in chunks for path in sorted(chunk.iterdir()) if path.suffix == suffix]
    except OSError as error:
        raise DatasetError(f"{folder} cannot be looked into: {error}.") from error
    for path in paths:
        location = Location.of(path)
        if location is not None:
            yield location, path


def files_in(folder: Path) -> list[Path]:
    """Return all files in a folder and those in it, sorted; none where there is no such folder.

    Raises:
        OSError: A folder cannot be looked into.
    """
    found: list[Path] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            found += files_in(path)
        elif path.is_file():
            found.append(path)
    return found

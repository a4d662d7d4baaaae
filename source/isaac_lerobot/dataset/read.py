"""Reads a LeRobot v3.0 dataset, whether lerobot or this package wrote it: episode by episode, frame-exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from isaac_lerobot.dataset.format import episodes, layout
from isaac_lerobot.dataset.format.columns import as_array, opened, python_values
from isaac_lerobot.dataset.format.episodes import EpisodeRow
from isaac_lerobot.dataset.format.info import read_info_with_content
from isaac_lerobot.dataset.format.json_file import read_json_if_there
from isaac_lerobot.dataset.format.sidecar import Sidecar, read_sidecar
from isaac_lerobot.dataset.format.tasks import read_tasks
from isaac_lerobot.dataset.video.decoder import PictureFormat, still, video_frames
from isaac_lerobot.dataset.video.depth import DepthCode
from isaac_lerobot.dataset.video.mp4 import read_mp4
from isaac_lerobot.errors import DatasetError, nearest

Array = NDArray[Any]


class DatasetReader:
    """A LeRobot v3.0 dataset on disk, opened for reading.

    Only the metadata is held in memory; a :class:`RecordedEpisode` reads its own rows and pictures when asked.

    Args:
        root: The dataset's folder, the one with ``meta/`` in it.

    Attributes:
        root: The dataset's folder.
        info: Content of ``meta/info.json``.
        features: Every feature by name, the bookkeeping ones too; ``info["features"]`` has their definitions.
        fps: Frames per second [1/s].
        tasks: Task texts; a row's ``task_index`` is a position in this list.

    Raises:
        DatasetError: The folder is not a readable LeRobot v3.0 dataset.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._info, self.info = read_info_with_content(self.root)
        self.features = {**self._info.features, **self._info.bookkeeping}
        self.fps = self._info.fps
        self.tasks = read_tasks(self.root)
        self._table = episodes.read_table(self.root, self._info)
        self._sizes: dict[Path, tuple[int, int]] = {}

    @property
    def num_episodes(self) -> int:
        """Number of episodes."""
        return self._info.total_episodes

    @property
    def num_frames(self) -> int:
        """Number of frames over all episodes."""
        return self._info.total_frames

    @property
    def robot_type(self) -> str | None:
        """What the recording robot is called, where the dataset says so."""
        return self._info.robot_type

    @property
    def cameras(self) -> list[str]:
        """Names of the features that are pictures, videos and stills alike."""
        return [name for name, feature in self.features.items() if feature.is_camera]

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """What the recorder kept of the whole dataset (environment, versions, ...); empty for other datasets."""
        return read_json_if_there(self.root / layout.OWN_METADATA)

    def episode(self, index: int) -> RecordedEpisode:
        """The episode with this index; nothing of it is read yet.

        Raises:
            DatasetError: There is no such episode.
        """
        if not 0 <= index < self.num_episodes:
            raise DatasetError(f"{self.root} has the episodes 0 to {self.num_episodes - 1}, not {index}.")
        record = {name: python_values(self._table[name].slice(index, 1))[0] for name in self._table.column_names}
        return RecordedEpisode(self, EpisodeRow.from_values(record, self._info), record)

    def __len__(self) -> int:
        return self.num_episodes

    def __iter__(self) -> Iterator[RecordedEpisode]:
        return (self.episode(index) for index in range(self.num_episodes))

    @cached_property
    def _first_row(self) -> dict[tuple[int, int], int]:
        """The dataset-wide ``index`` of the first row of every data file, by (chunk, file)."""
        first: dict[tuple[int, int], int] = {}
        names = ("data/chunk_index", "data/file_index", "dataset_from_index")
        for chunk, file, start in zip(*(self._table[name].to_pylist() for name in names), strict=True):
            if start is not None:
                first[chunk, file] = min(start, first.get((chunk, file), start))
        return first

    def _size_of_pictures(self, path: Path) -> tuple[int, int]:
        if path not in self._sizes:
            mp4 = read_mp4(path)
            self._sizes[path] = mp4.height, mp4.width
        return self._sizes[path]


class RecordedEpisode:
    """One episode of a :class:`DatasetReader`; rows and pictures are read when they are asked for.

    Attributes:
        index: Position in the dataset, from 0.
        length: Number of frames.
        tasks: Texts of the tasks that occur in it.
        record: The episode's row of the episode table, statistics left out (``success`` and ``seed``, say).
    """

    def __init__(self, dataset: DatasetReader, row: EpisodeRow, record: dict[str, Any]) -> None:
        self._dataset, self._row = dataset, row
        self.record: Mapping[str, Any] = record
        self.index, self.length = row.index, row.length
        self.tasks = list(row.tasks)

    @property
    def task(self) -> str:
        """Text of the episode's first task; empty where it has none."""
        return self.tasks[0] if self.tasks else ""

    @cached_property
    def success(self) -> bool | None:
        """Whether the episode succeeded; None where the dataset does not say.

        From the episode table's ``success`` column, else from ``next.success`` of any frame.
        """
        if self._row.success is None and "next.success" in self._dataset.features:
            return bool(self["next.success"].any())
        return self._row.success

    @cached_property
    def columns(self) -> Mapping[str, Array]:
        """All features but the pictures, by name; see :meth:`__getitem__`."""
        names = [name for name in self._dataset.features if name not in self._dataset.cameras]
        return self._read(names)

    def __getitem__(self, name: str) -> Array:
        """The values of one feature over the episode.

        Returns:
            Shape (length,) for features of shape [1], else (length, *shape), in the feature's dtype; texts
            as an array of ``object``.

        Raises:
            DatasetError: There is no such feature, it is a camera, or the data file is damaged.
        """
        if "columns" in self.__dict__ and name in self.columns:
            return self.columns[name]
        if name in self._dataset.cameras:
            raise DatasetError(f"{name} is a camera: its pictures come from images({name!r}).")
        if name not in self._dataset.features:
            known = nearest(name, self._dataset.features)
            raise DatasetError(f"{self._dataset.root} has no feature {name!r}. {known}")
        return self._read([name])[name]

    def images(self, camera: str, start: int = 0, stop: int | None = None) -> Iterator[Array]:
        """Decode the pictures of one camera, one at a time and in order.

        Args:
            camera: Name of the camera's feature.
            start: First frame of the episode wanted.
            stop: Frame after the last one wanted; None: to the end.

        Yields:
            RGB: uint8 of shape (H, W, 3). Depth: float32 of shape (H, W, 1) in the camera's ``depth_unit``
            [mm or m]. Grey stills: uint8 or uint16 of shape (H, W, 1).

        Raises:
            DatasetError: There is no such camera or frame, or its file is missing or damaged.
        """
        if camera not in self._dataset.cameras:
            known = nearest(camera, self._dataset.cameras)
            raise DatasetError(f"{self._dataset.root} has no camera {camera!r}. {known}")
        stop = self.length if stop is None else stop
        if not 0 <= start <= stop <= self.length:
            raise DatasetError(
                f"Episode {self.index} has the frames 0 to {self.length - 1}, not {start} to {stop - 1}."
            )
        shape = self._dataset.features[camera].shape
        if len(shape) != 3 or shape[2] not in (1, 3):
            raise DatasetError(f"{camera} has the shape {list(shape)}, which no picture has: (height, width, 3) or 1.")
        if start == stop:
            return iter(())
        read = self._video if self._dataset.features[camera].is_video else self._stills
        return read(camera, start, stop)

    def sidecar(self) -> Sidecar:
        """What the recorder kept of the episode beside LeRobot's files (seed, initial state, states for replay)."""
        return read_sidecar(self._dataset.root, self.index)

    def _video(self, camera: str, start: int, stop: int) -> Iterator[Array]:
        location, begin = self._row.videos[camera]
        path = self._dataset.root / layout.video_file(camera, location)
        if not path.is_file():
            raise DatasetError(f"{path} is missing, and with it the pictures of episode {self.index}. Copy the "
                               "dataset again from where it is whole.")  # fmt: skip
        feature = self._dataset.features[camera]
        height, width, channels = feature.shape
        if (size := self._dataset._size_of_pictures(path)) != (height, width):
            raise DatasetError(f"{path}: its pictures are {size[0]}x{size[1]}, and info.json says {height}x{width}.")
        code = DepthCode.of(feature)
        form = PictureFormat(height, width, code.pix_fmt if code else "rgb24" if channels == 3 else "gray")
        pictures = video_frames(path, begin + start, stop - start, self._dataset.fps, form)
        return (code.decode(picture) for picture in pictures) if code else pictures

    def _stills(self, camera: str, start: int, stop: int) -> Iterator[Array]:
        shape, number = self._dataset.features[camera].shape, start
        for rows in self._batches([camera], start, stop, _BATCH_STILLS):
            for cell in rows.column(camera):
                where = f"Frame {number} of {camera} in episode {self.index} of {self._dataset.root}"
                content = cell.as_py() or {}
                if not isinstance(encoded := content.get("bytes"), bytes):
                    raise DatasetError(f"{where} is missing.")
                yield still(encoded, shape, where)
                number += 1

    def _read(self, names: list[str]) -> dict[str, Array]:
        table = self._rows(names)
        return {name: as_array(table[name], self._dataset.features[name]) for name in names}

    def _rows(self, names: list[str]) -> pa.Table:
        """The episode's rows, of the named columns."""
        return pa.Table.from_batches(self._batches(names, 0, self.length, _BATCH_ROWS))

    def _batches(self, names: list[str], start: int, stop: int, size: int) -> Iterator[pa.RecordBatch]:
        """The episode's rows ``start`` to ``stop``, ``size`` at a time at most, from the row groups that hold them.

        Raises:
            DatasetError: They cannot be read, or belong to another episode.
        """
        location = self._row.data
        path = self._dataset.root / layout.data_file(location)
        begin = self._row.first_index - self._dataset._first_row[location.chunk, location.file]
        first, end, found = begin + start, begin + stop, 0
        if not path.is_file():
            raise DatasetError(f"{path} is missing, and with it episode {self.index}. Copy the dataset again from "
                               "where it is whole.")  # fmt: skip
        with opened(path) as file:
            missing = [name for name in names if name not in file.schema_arrow.names]
            if missing:
                raise DatasetError(f"{path} has no column {missing[0]!r}, though info.json declares it.")
            groups, row = _overlapping_groups(file.metadata, first, end)
            columns = list(dict.fromkeys([*names, "episode_index"]))
            for batch in file.iter_batches(size, row_groups=groups, columns=columns):
                wanted = batch.slice(min(len(batch), max(0, first - row)), max(0, end - max(row, first)))
                row += len(batch)
                if len(wanted):
                    found += self._owned(wanted, path)
                    yield wanted
        if found != stop - start:
            raise DatasetError(f"{path}: rows {first} to {end - 1} should be episode {self.index}, and there are "
                               f"{found} of them. Run `isaac-lerobot check`.")  # fmt: skip

    def _owned(self, rows: pa.RecordBatch, path: Path) -> int:
        owners = set(rows.column("episode_index").to_pylist())
        if owners != {self.index}:
            raise DatasetError(f"{path}: there are rows of the episodes {sorted(owners, key=str)} where those of "
                               f"episode {self.index} should be. Run `isaac-lerobot check`.")  # fmt: skip
        return len(rows)


_BATCH_ROWS, _BATCH_STILLS = 65536, 16


def _overlapping_groups(metadata: pq.FileMetaData, begin: int, end: int) -> tuple[list[int], int]:
    """Row groups holding any of the rows begin..end-1, and the number of rows before the first of them."""
    groups: list[int] = []
    row, skipped = 0, 0
    for number in range(metadata.num_row_groups):
        rows = metadata.row_group(number).num_rows
        if row + rows <= begin:
            skipped = row + rows
        elif row < end:
            groups.append(number)
        row += rows
    return groups, skipped

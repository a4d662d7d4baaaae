"""Reads a LeRobot v3.0 dataset, whether lerobot or this package wrote it: episode by episode, frame-exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from isaac_lerobot.dataset.format import layout, metadata
from isaac_lerobot.dataset.format.columns import as_array
from isaac_lerobot.dataset.format.features import Feature
from isaac_lerobot.dataset.format.sidecar import Sidecar, read_sidecar
from isaac_lerobot.dataset.video.decoder import PictureFormat, still, video_frames
from isaac_lerobot.dataset.video.depth import DepthCode
from isaac_lerobot.errors import DatasetError, first_line, nearest

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
        self.info = _read_info(self.root)
        self.features = _read_features(self.root, self.info["features"])
        self.fps = int(self.info["fps"])
        self.tasks = _read_tasks(self.root)
        self._table = _read_episode_table(self.root)
        self._path_templates: dict[str, str] = {
            "data": self.info.get("data_path") or layout.DATA_PATH,
            "video": self.info.get("video_path") or layout.VIDEO_PATH,
        }

    @property
    def num_episodes(self) -> int:
        """Number of episodes."""
        return int(self._table.num_rows)

    @property
    def num_frames(self) -> int:
        """Number of frames over all episodes."""
        return sum(self._table["length"].to_pylist())

    @property
    def robot_type(self) -> str | None:
        """What the recording robot is called, where the dataset says so."""
        return self.info.get("robot_type")

    @property
    def cameras(self) -> list[str]:
        """Names of the features that are pictures, videos and stills alike."""
        return [name for name, feature in self.features.items() if feature.is_camera]

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """What the recorder kept of the whole dataset (environment, versions, ...); empty for other datasets."""
        return metadata.read_own(self.root)

    def episode(self, index: int) -> RecordedEpisode:
        """The episode with this index; nothing of it is read yet.

        Raises:
            DatasetError: There is no such episode.
        """
        if not 0 <= index < self.num_episodes:
            raise DatasetError(f"{self.root} has the episodes 0 to {self.num_episodes - 1}, not {index}.")
        return RecordedEpisode(self, index, self._table.slice(index, 1).to_pylist()[0])

    def __len__(self) -> int:
        return self.num_episodes

    def __iter__(self) -> Iterator[RecordedEpisode]:
        return (self.episode(index) for index in range(self.num_episodes))

    def _data_file(self, chunk: int, file: int) -> Path:
        return self.root / self._path_templates["data"].format(chunk_index=chunk, file_index=file)

    def _video_file(self, camera: str, chunk: int, file: int) -> Path:
        return self.root / self._path_templates["video"].format(video_key=camera, chunk_index=chunk, file_index=file)

    @cached_property
    def _first_row(self) -> dict[tuple[int, int], int]:
        """The dataset-wide ``index`` of the first row of every data file, by (chunk, file)."""
        first: dict[tuple[int, int], int] = {}
        chunks, files, starts = (
            self._table[name].to_pylist() for name in ("data/chunk_index", "data/file_index", "dataset_from_index")
        )
        for chunk, file, start in zip(chunks, files, starts, strict=True):
            first[chunk, file] = min(start, first.get((chunk, file), start))
        return first


class RecordedEpisode:
    """One episode of a :class:`DatasetReader`; rows and pictures are read when they are asked for.

    Attributes:
        index: Position in the dataset, from 0.
        length: Number of frames.
        tasks: Texts of the tasks that occur in it.
        record: The episode's row of the episode table, statistics left out (``success`` and ``seed``, say).
    """

    def __init__(self, dataset: DatasetReader, index: int, record: dict[str, Any]) -> None:
        self._dataset = dataset
        self.index = index
        self.record: Mapping[str, Any] = record
        self.length = int(record["length"])
        self.tasks: list[str] = list(record.get("tasks") or [])

    @property
    def task(self) -> str:
        """Text of the episode's first task; empty where it has none."""
        return self.tasks[0] if self.tasks else ""

    @cached_property
    def success(self) -> bool | None:
        """Whether the episode succeeded; None where the dataset does not say.

        From the episode table's ``success`` column, else from ``next.success`` of any frame.
        """
        value = self.record.get("success")
        if value is None and "next.success" in self._dataset.features:
            return bool(self["next.success"].any())
        return None if value is None else bool(value)

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
        if start == stop:
            return iter(())
        read = self._video if self._dataset.features[camera].is_video else self._stills
        return read(camera, start, stop)

    def sidecar(self) -> Sidecar:
        """What the recorder kept of the episode beside LeRobot's files (seed, initial state, states for replay)."""
        return read_sidecar(self._dataset.root, self.index)

    def _video(self, camera: str, start: int, stop: int) -> Iterator[Array]:
        chunk, file, begin = (
            self.record.get(f"videos/{camera}/{part}") for part in ("chunk_index", "file_index", "from_timestamp")
        )
        if chunk is None or file is None or begin is None:
            raise DatasetError(f"{self._dataset.root}: the episode table does not say where episode {self.index} of "
                               f"{camera} lies. Run `isaac-lerobot repair` on the dataset.")  # fmt: skip
        path = self._dataset._video_file(camera, chunk, file)
        if not path.is_file():
            raise DatasetError(f"{path} is missing, and with it the pictures of episode {self.index}. Copy the "
                               "dataset again from where it is whole.")  # fmt: skip
        feature = self._dataset.features[camera]
        height, width, channels = feature.shape
        code = DepthCode.of(feature)
        form = PictureFormat(height, width, code.pix_fmt if code else "rgb24" if channels == 3 else "gray")
        first = round(begin * self._dataset.fps) + start
        pictures = video_frames(path, first, stop - start, self._dataset.fps, form)
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
        place = self.record["data/chunk_index"], self.record["data/file_index"]
        path = self._dataset._data_file(*place)
        begin = self.record["dataset_from_index"] - self._dataset._first_row[place]
        first, end, found = begin + start, begin + stop, 0
        try:
            with pq.ParquetFile(path) as file:
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
        except FileNotFoundError:
            raise DatasetError(f"{path} is missing, and with it episode {self.index}. Copy the dataset again from "
                               "where it is whole.") from None  # fmt: skip
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{path} cannot be read ({first_line(error)}). Run `isaac-lerobot repair` on the "
                               "dataset.") from error  # fmt: skip
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


def _read_info(root: Path) -> dict[str, Any]:
    path = root / layout.INFO
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatasetError(f"{root} is no LeRobot dataset: it has no meta/info.json. Name the folder that has "
                           "meta/, data/ and videos/ in it.") from None  # fmt: skip
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read ({error}). Run `isaac-lerobot repair` on the dataset.") from error
    version = info.get("codebase_version") if isinstance(info, dict) else None
    if version != layout.CODEBASE_VERSION:
        raise DatasetError(f"{path} is of the format version {version!r}, and only 'v3.0' can be read. lerobot's own "
                           "converter brings older datasets to v3.0.")  # fmt: skip
    missing = [key for key in ("fps", "features") if key not in info]
    if missing:
        raise DatasetError(f"{path} lacks {missing[0]!r}. Run `isaac-lerobot check` on the dataset.")
    return dict(info)


def _read_features(root: Path, definitions: dict[str, Any]) -> dict[str, Feature]:
    # Depth cameras and language columns are read though the writer does not make them: hence no parse_features.
    try:
        return {
            name: Feature(name, entry["dtype"], tuple(entry["shape"]), entry.get("names"), entry.get("info"))
            for name, entry in definitions.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise DatasetError(f"{root / layout.INFO}: a feature has no usable definition ({error!r}). Run `isaac-lerobot "
                           "check` on the dataset.") from error  # fmt: skip


def _read_tasks(root: Path) -> list[str]:
    try:
        return metadata.read_tasks(root)
    except (KeyError, TypeError, pa.ArrowException, OSError) as error:
        raise DatasetError(f"{root / layout.TASKS} cannot be read ({first_line(error)}). Run `isaac-lerobot check` on "
                           "the dataset.") from error  # fmt: skip


def _read_episode_table(root: Path) -> pa.Table:
    """The rows of all episodes in order, without the statistics."""
    files = sorted((root / "meta" / "episodes").glob("*/*.parquet"))
    if not files:
        return pa.table({name: pa.array([], pa.int64()) for name in _EPISODE_COLUMNS})
    tables = [_read_table(path, "stats/") for path in files]
    table = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    missing = [name for name in _EPISODE_COLUMNS if name not in table.column_names]
    if missing:
        raise DatasetError(f"{root}/meta/episodes lacks the column {missing[0]!r}. Run `isaac-lerobot check`.")
    indices = table["episode_index"].to_pylist()
    if indices != list(range(len(indices))):
        raise DatasetError(f"{root}/meta/episodes: row i must be episode i, and the rows are the episodes "
                           f"{indices[:8]}... Run `isaac-lerobot repair` on the dataset.")  # fmt: skip
    return table


_EPISODE_COLUMNS = ("episode_index", "length", "data/chunk_index", "data/file_index", "dataset_from_index")


def _read_table(path: Path, without: str | None = None) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if without is None or not name.startswith(without)]
            return file.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} cannot be read ({first_line(error)}). Run `isaac-lerobot repair` on the "
                           "dataset.") from error  # fmt: skip


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

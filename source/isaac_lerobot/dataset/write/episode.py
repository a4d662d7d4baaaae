"""Episode: one recording from its first frame to ``save`` or ``discard``."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isaac_lerobot.dataset.format.features import Feature, FrameCheck
from isaac_lerobot.dataset.format.json_file import check_json
from isaac_lerobot.dataset.format.sidecar import extra_features, extra_schema
from isaac_lerobot.dataset.format.statistics import PictureStatistics, Statistics
from isaac_lerobot.dataset.video.encoder import VideoStream, reserve
from isaac_lerobot.dataset.write.commit import FinishedEpisode
from isaac_lerobot.dataset.write.rows import RowBuffer
from isaac_lerobot.dataset.write.tensors import StagedFrame, TensorStaging
from isaac_lerobot.errors import DatasetError, EncoderError, FeatureError

if TYPE_CHECKING:
    from isaac_lerobot.dataset.write.writer import DatasetWriter


class Episode:
    """An episode being recorded. Made by :meth:`DatasetWriter.begin_episode`; use it from one thread at a time.

    Several episodes may be open at once. Every frame goes through memory of fixed size: nothing here grows with
    the length of the episode.
    """

    def __init__(
        self,
        folder: Path,
        features: Mapping[str, Feature],
        open_stream: Callable[[Path, tuple[int, ...]], VideoStream],
        task: str,
        attributes: Mapping[str, Any],
        home: DatasetWriter,
    ) -> None:
        self.task, self.home = task, home
        self._folder, self._features = folder, features
        self._check = FrameCheck(features)
        self._rows = RowBuffer(folder / "rows.arrow", features)
        self._streams = {
            name: open_stream(folder / f"{name}.mp4", feature.shape)
            for name, feature in features.items()
            if feature.is_video
        }
        self._stills = {
            name: PictureStatistics(feature.shape[0], feature.shape[1])
            for name, feature in features.items()
            if feature.dtype == "image"
        }
        self._picture_check = FrameCheck({name: features[name] for name in self._streams})
        self._staging = TensorStaging()
        self._added = 0
        self._pictured = 0
        self._extra: RowBuffer | None = None
        self._extra_shapes: dict[str, tuple[int, ...]] = {}
        self._extra_features: dict[str, Feature] = {}
        self._attributes = dict(attributes)
        self._arrays: dict[str, NDArray[Any]] = {}
        self._success: bool | None = None
        self._left = threading.Event()
        self._state = "open"
        self._error: DatasetError | None = None
        self._process = os.getpid()
        self.waited_s = 0.0

    def __len__(self) -> int:
        """Return the number of frames so far."""
        return self._added

    @property
    def is_open(self) -> bool:
        """Whether frames can still be added."""
        return self._state == "open"

    @property
    def queue_depth(self) -> int:
        """Number of frames of the slowest camera that wait for their encoder."""
        return max((stream.depth for stream in self._streams.values()), default=0)

    def add_frame(self, frame: Mapping[str, Any], extra: Mapping[str, Any] | None = None) -> None:
        """Add a frame. Its values are copied; the caller may reuse its arrays at once.

        Waits while an encoder is behind by more frames than its ring holds; frames are never dropped.

        Args:
            frame: One value per feature, as numpy arrays (or CPU/CUDA torch tensors) of the declared shape and
                dtype; cameras uint8 ``(H, W, 3)``. Without the bookkeeping features.
            extra: Numeric values kept beside the dataset (states for replay, ...), one column each; the same
                names, shapes and dtypes in every frame of the episode.

        Raises:
            FeatureError: The frame does not fit; nothing was added.
            EncoderError: An encoder failed; the episode can only be discarded.
            DatasetError: The episode is over, or its rows could not be written.
        """
        self._need_open("add a frame to")
        staged = self._staging.stage(frame, extra)
        values = self._check(staged.frame)
        self._check_extra(staged.extra)
        self._added += 1
        for arrived in self._staging.queue(replace(staged, frame=values)):
            self._record(arrived)

    def add_pictures(self, pictures: Mapping[str, NDArray[Any]]) -> None:
        """Add the pictures of the next frame; its other values come by :meth:`add_rows`, at the latest before saving.

        The two are for whoever records many environments at once: pictures go to their encoders as they come, all
        other values in blocks of many frames.

        Args:
            pictures: One per ``video`` feature, uint8 ``(H, W, 3)``; copied before this returns.

        Raises:
            FeatureError: They are not the dataset's cameras; nothing was added.
            EncoderError: An encoder failed; the episode can only be discarded.
        """
        self._need_open("add pictures to")
        values = self._picture_check(pictures)
        try:
            self.waited_s += reserve(self._streams.values())
            for name, stream in self._streams.items():
                stream.put(values[name])
        except EncoderError as error:
            self._fail(error)
            raise
        self._pictured += 1

    def add_rows(self, rows: Mapping[str, NDArray[Any]], extra: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Add the values of one or more frames whose pictures were added, or are still to come.

        Args:
            rows: By feature, all but the ``video`` ones, arrays ``(frames, *shape)`` of the declared dtype.
            extra: As for :meth:`add_frame`, with ``frames`` in front of each shape.

        Raises:
            FeatureError: They do not fit; nothing was added.
            DatasetError: The episode is over, or its rows could not be written.
        """
        self._need_open("add rows to")
        count = len(next(iter(rows.values()), ()))
        self._check_rows(rows, count)
        self._check_extra({name: value[0] for name, value in (extra or {}).items()} if count else None)
        try:
            self._rows.extend(rows, count)
            if self._extra is not None and extra is not None:
                self._extra.extend({name: value.reshape(count, -1) for name, value in extra.items()}, count)
        except (OSError, MemoryError, pa.ArrowException) as error:
            raise self._fail(DatasetError(f"The rows of the episode could not be written: {error}.")) from error
        self._added += count

    def save(
        self,
        success: bool | None = None,
        *,
        attributes: Mapping[str, Any] | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> int:
        """End the episode and have it committed to the dataset that it was begun for; returns at once.

        The arguments, the result and the errors are those of :meth:`DatasetWriter.save`, which can save it elsewhere.
        """
        return self.home.save(self, success, attributes=attributes, arrays=arrays)

    def end(
        self,
        success: bool | None,
        attributes: Mapping[str, Any] | None,
        arrays: Mapping[str, NDArray[Any]] | None,
    ) -> None:
        """Take no more frames. For the writer that saves it.

        Raises:
            DatasetError: The episode has no frames, is over already, or has failed; or what is to be kept with it
                cannot be.
        """
        self._need_open("save")
        if not len(self):
            raise DatasetError("The episode has no frames and cannot be saved; discard it.")
        together = self._attributes | dict(attributes or {})
        check_json(attributes, "attributes of the episode")
        kept = {name: np.array(value) for name, value in (arrays or {}).items()}
        objects = [name for name, value in kept.items() if value.dtype.hasobject]
        if objects:
            raise DatasetError(f"The arrays {objects} hold Python objects; numbers can be kept.")
        for arrived in self._staging.rest():
            self._record(arrived)
        if self._streams and self._pictured != self._added:
            raise DatasetError(
                f"The episode has {self._added} rows and {self._pictured} pictures of each camera; a frame is both."
            )
        self._attributes, self._arrays, self._success = together, kept, success
        self._state = "saving"
        for stream in self._streams.values():
            stream.end()

    def discard(self) -> None:
        """Throw the episode away. Does nothing when it is over already, or in a forked child."""
        if self._state != "open" or not self._is_ours:
            return
        self._state = "discarded"
        self.clean_up()
        self.home.forget(self)

    def finish(self) -> FinishedEpisode:
        """Wait for the encoders and return everything that is to be committed. For the writer's own thread.

        Raises:
            DatasetError: A video or the rows could not be completed.
        """
        videos = {name: stream.result() for name, stream in self._streams.items()}
        stills: dict[str, Statistics] = {name: pictures.result() for name, pictures in self._stills.items()}
        try:
            rows = self._rows.table()
            extra = self._extra.table() if self._extra is not None else None
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"The rows of the episode could not be completed: {error}.") from error
        if extra is not None:
            extra = extra.cast(extra_schema(self._extra_features, self._extra_shapes))
        return FinishedEpisode(
            folder=self._folder,
            task=self.task,
            length=len(self),
            success=self._success,
            rows=rows,
            videos=videos,
            stills=stills,
            extra=extra,
            arrays=self._arrays,
            attributes=self._attributes,
        )

    def clean_up(self) -> None:
        """Stop the encoders and remove the unfinished files."""
        for stream in self._streams.values():
            stream.abort()
        for buffer in (self._rows, self._extra):
            if buffer is not None:
                try:
                    buffer.close()
                except (OSError, pa.ArrowException):
                    pass
        shutil.rmtree(self._folder, ignore_errors=True)
        self._left.set()

    def leave(self) -> None:
        """Take notice that it is committed, and nothing of it is left in its folder. For the writer's own thread."""
        self._left.set()

    @property
    def has_left(self) -> bool:
        """Whether nothing of it is left in its folder."""
        return self._left.is_set()

    def wait_until_left(self) -> None:
        """Wait until nothing of it is left in its folder."""
        self._left.wait()

    def _record(self, staged: StagedFrame) -> None:
        """Copy a frame, whose values have arrived, to the rows and the encoders."""
        values, extra = staged.frame, staged.extra
        try:
            self.waited_s += reserve(self._streams.values())
            self._rows.append(values)
            if self._extra is not None and extra is not None:
                self._extra.append({name: np.asarray(value).reshape(-1) for name, value in extra.items()})
            for name, stream in self._streams.items():
                stream.put(values[name])
        except EncoderError as error:
            self._fail(error)
            raise
        except (OSError, MemoryError, pa.ArrowException) as error:
            raise self._fail(DatasetError(f"The rows of the episode could not be written: {error}.")) from error
        self._pictured += 1
        for name, pictures in self._stills.items():
            pictures.add(values[name])
        self._staging.give_back(staged)

    @property
    def _is_ours(self) -> bool:
        """Whether this is the process that began the episode, and no forked child of it."""
        return os.getpid() == self._process

    def _need_open(self, action: str) -> None:
        if not self._is_ours:
            raise DatasetError(f"Cannot {action} this episode: it is recorded by process {self._process}, not here.")
        if self._state == "open":
            return
        if self._error is not None:
            raise DatasetError(f"Cannot {action} this episode: it has failed ({self._error}). Discard it.")
        raise DatasetError(f"Cannot {action} this episode: it is {self._state} already. Begin a new one.")

    def _fail(self, error: DatasetError) -> DatasetError:
        self._error = error
        self._state = "failed"
        self.clean_up()
        self.home.forget(self)
        return error

    def _check_rows(self, rows: Mapping[str, NDArray[Any]], count: int) -> None:
        wanted = {name: feature for name, feature in self._features.items() if not feature.is_video}
        problems = [f"{name!r} is missing" for name in wanted if name not in rows]
        problems += [f"{name!r} is no such feature" for name in rows if name not in wanted]
        for name, feature in wanted.items():
            if not feature.is_number:
                problems.append(f"{name!r} holds no numbers; add it frame by frame with add_frame")
            elif name in rows and (rows[name].shape != (count, *feature.shape) or rows[name].dtype != feature.dtype):
                given = f"{rows[name].dtype} {rows[name].shape}"
                problems.append(f"{name!r} is {given}, the dataset has {feature.dtype} {(count, *feature.shape)}")
        if problems:
            raise FeatureError(f"The rows do not fit the dataset: {'; '.join(problems)}.")

    def _check_extra(self, extra: Mapping[str, Any] | None) -> None:
        if not len(self) and extra:
            self._extra_features = extra_features(extra)
            self._extra_shapes = {name: np.asarray(value).shape for name, value in extra.items()}
            self._extra = RowBuffer(self._folder / "extra.arrow", self._extra_features)
            return
        given = {name: np.asarray(value) for name, value in (extra or {}).items()}
        for name in self._extra_features.keys() ^ given.keys():
            raise FeatureError(f"The extra value {name!r} must be given for every frame of an episode or for none.")
        for name, value in given.items():
            shape, dtype = self._extra_shapes[name], self._extra_features[name].dtype
            if value.shape != shape or value.dtype != dtype:
                raise FeatureError(
                    f"The extra value {name!r} was {dtype} {shape} in the first frame "
                    f"and is {value.dtype} {value.shape} now."
                )

"""Encoder: one camera of one episode on its way from the simulation's thread into an mp4 file.

``put`` copies a frame into memory of the pool and returns. The pool's threads encode the frames of all cameras,
those of one camera in order and one after the other, and count their statistics. When the memory is full, or a camera
is far behind, ``reserve`` waits: a frame is never dropped, so that picture k always belongs to row k.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isaac_lerobot.dataset.format.statistics import PictureStatistics, Statistics
from isaac_lerobot.dataset.video import pool as pools
from isaac_lerobot.dataset.video.codec import VideoCodec
from isaac_lerobot.dataset.video.engine import Engine, open_engine
from isaac_lerobot.dataset.video.mp4 import read_mp4
from isaac_lerobot.dataset.video.pool import EncoderPool, Picture, encoder_pool
from isaac_lerobot.errors import DatasetError, EncoderError

_WAITING = 30
"""Most frames of one camera that wait."""
_TURN_FRAMES = 8
"""Most frames of one camera that are encoded before it is another's turn."""


@dataclass(frozen=True)
class EncodedVideo:
    """A finished mp4 file.

    Attributes:
        path: Where it lies.
        frames: Number of frames in it.
        statistics: Statistics of its pictures.
    """

    path: Path
    frames: int
    statistics: Statistics


class VideoStream:
    """Encodes the frames of one camera during one episode.

    Args:
        path: The mp4 file to write.
        shape: Shape of a frame, ``(height, width, 3)``.
        fps: Frames per second.
        codec: Encoder and settings.
        pool: Who encodes; by default all of this process's threads for it.

    Attributes:
        progress: Number of frames encoded.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], fps: int, codec: VideoCodec, pool: EncoderPool | None = None
    ) -> None:
        self.path, self.shape = path, shape
        self._fps, self._codec, self.pool = fps, codec, pool or encoder_pool()
        self.progress = 0
        self._reserved: Picture | None = None
        self._waiting: deque[Picture] = deque()
        self._frames = 0
        self._ended = self._aborted = self._complete = self._scheduled = self._hangs = False
        self._error: EncoderError | None = None
        self._statistics = PictureStatistics(shape[0], shape[1])
        self._engine: Engine | None = None

    @property
    def depth(self) -> int:
        """Number of frames that wait for the encoder."""
        return len(self._waiting)

    @property
    def error(self) -> EncoderError | None:
        """What stopped it."""
        return self._error

    def accept(self, buffer: Picture) -> None:
        """Take the memory for the next frame. For :func:`reserve`, with the pool's lock held."""
        self._reserved = buffer

    @property
    def has_room(self) -> bool:
        """Whether one frame more may wait."""
        return len(self._waiting) < _WAITING

    def put(self, frame: Picture) -> None:
        """Copy a frame, uint8 ``(H, W, 3)``. Call :func:`reserve` before each.

        Raises:
            EncoderError: There is no thread to encode it.
        """
        buffer = self._reserved
        assert buffer is not None, "reserve was not called"
        np.copyto(buffer, frame)
        with self.pool.changed:
            self._reserved = None
            if self._error is not None:  # the next frame is told
                self.pool.give_back([buffer])
                return
            self._waiting.append(buffer)
            self._frames += 1
            self._schedule()

    def end(self) -> None:
        """Say that no more frames come; returns at once."""
        with self.pool.changed:
            self._ended = True
            if self._error is None:
                self._schedule()

    def result(self) -> EncodedVideo:
        """Wait for the finished file.

        Raises:
            EncoderError: It could not be made.
        """
        with self.pool.changed:
            while self._scheduled and self._error is None:
                self.pool.wait()
        if self._error is not None:
            raise self._error
        if not self._complete:
            raise EncoderError(f"The video {self.path.stem} was not encoded to its end.")
        return EncodedVideo(self.path, self._frames, self._statistics.result())

    def abort(self) -> None:
        """Stop without a result and wait until nothing of it is running; its memory is free at once."""
        with self.pool.changed:
            self._aborted = self._ended = True
            self._free_waiting()
            if self._reserved is not None:
                self.pool.give_back([self._reserved])
                self._reserved = None
            if self._engine is not None and self._scheduled:
                self._engine.kill()
            while self._scheduled and not self._hangs:
                self.pool.wait()
            if self._scheduled:
                return
        self._stop_engine()

    def turn(self) -> bool:
        """Encode some of the waiting frames, or complete the file. For the pool."""
        with self.pool.changed:
            batch = [self._waiting.popleft() for _ in range(min(_TURN_FRAMES, len(self._waiting)))]
            goes_on = not self._aborted and self._error is None
        failure = self._try(batch) if goes_on else None
        with self.pool.changed:
            self.pool.give_back(batch)
            if failure is not None and self._error is None and not self._aborted:
                self._error = failure
            if self._error is not None or self._aborted or self._complete:
                self._free_waiting()
            elif self._waiting or (self._ended and not self._complete):
                return True
            else:
                self._scheduled = False
                return False
        self._stop_engine()
        with self.pool.changed:
            self._scheduled = False
        return False

    def give_up(self) -> None:
        """Fail, as the encoder hangs. For the pool."""
        self._hangs = True
        self._error = EncoderError(
            f"The video encoder {self._codec.encoder} for {self.path.stem} hangs: it has taken no picture for "
            f"{pools.PATIENCE_S:.0f} s."
        )
        if self._engine is not None:
            self._engine.kill()

    def _try(self, batch: list[Picture]) -> EncoderError | None:
        """Encode frames, or complete the file where there are none; return what went wrong."""
        try:
            if self._engine is None:
                self._engine = open_engine(self.path, self.shape, self._fps, self._codec)
            for picture in batch:
                if self._aborted:
                    return None
                self._engine.write(picture)
                self._statistics.add(picture)
                self.progress += 1
            if not batch:
                self._finish(self._engine)
        except Exception as error:  # noqa: BLE001 - whatever it is, the episode must not be taken for complete
            return error if isinstance(error, EncoderError) else EncoderError(self._explain(error))
        return None

    def _finish(self, engine: Engine) -> None:
        engine.finish()
        mp4 = read_mp4(self.path)
        if mp4.frames != self._frames or not mp4.is_constant(self._fps):
            raise EncoderError(
                f"{self.path} was given {self._frames} frames of 1/{self._fps} s, and has {mp4.extent()}."
            )
        self._complete = True

    def _explain(self, error: Exception) -> str:
        who = f"The video encoder {self._codec.encoder} for {self.path.stem}"
        if not isinstance(error, OSError | DatasetError):
            return f"Encoding {self.path.stem} failed: {type(error).__name__}: {error}."
        if self._engine is None:
            return f"{who} could not be started: {str(error).rstrip('.')}."
        return who + self._engine.explain(error)

    def _schedule(self) -> None:
        if not self._scheduled and not self._aborted:
            self._scheduled = True
            try:
                self.pool.schedule(self)
            except EncoderError as error:
                self._scheduled, self._error = False, error
                self._free_waiting()
                raise

    def _free_waiting(self) -> None:
        self.pool.give_back(list(self._waiting))
        self._waiting.clear()
        self.pool.changed.notify_all()

    def _stop_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.stop()


def reserve(streams: Collection[VideoStream]) -> float:
    """Wait until there is room for one frame of each of an episode's streams; return how long that took [s].

    All are given room at once: two that wait for what the other has would wait for ever.

    Raises:
        EncoderError: An encoder failed; the episode cannot be completed.
    """
    began = 0.0
    if not streams:
        return began
    pool = next(iter(streams)).pool
    with pool.changed:
        while True:
            error = next((stream.error for stream in streams if stream.error is not None), None)
            if error is not None:
                raise error
            if all(stream.has_room for stream in streams):
                buffers = pool.take([stream.shape for stream in streams])
                if buffers is not None:
                    break
            began = began or time.perf_counter()
            pool.wait()
        for stream, buffer in zip(streams, buffers, strict=True):
            stream.accept(buffer)
    return time.perf_counter() - began if began else 0.0

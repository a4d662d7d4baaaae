"""Encoder: one camera of one episode on its way from the simulation's thread into an mp4 file.

``put`` copies a frame into a ring of reused buffers and returns. A thread of the stream's own starts ffmpeg,
writes the frames to it and counts their statistics. When the ring is full, ``put`` waits: a frame is never
dropped, so that picture k always belongs to row k.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset.format.statistics import PictureStatistics, Statistics
from isaac_lerobot.dataset.video import ffmpeg
from isaac_lerobot.dataset.video.codec import VideoCodec
from isaac_lerobot.dataset.video.mp4 import read_mp4
from isaac_lerobot.errors import DatasetError, EncoderError

Picture = NDArray[np.uint8]

_RING_BYTES = 32 * 2**20
_RING_FRAMES = (4, 30)
_PIPE_BYTES = 2**20
_FFMPEG_ERRNO = 128
"""ffmpeg ends with 256 minus the system's error number where one stopped it."""
_STOPPING = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ENOENT,
    errno.ENOMEM,
}  # fmt: skip
"""System errors that stop an encoder; other numbers are ffmpeg's own."""
TICKS_PER_FRAME = 512
"""Ticks of the video's clock per frame, as ffmpeg chooses for lerobot: 1/15360 s at 30 fps."""


class BufferPool:
    """Frame buffers, reused from episode to episode."""

    def __init__(self) -> None:
        self._free: dict[tuple[int, ...], list[Picture]] = {}
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...]) -> Picture:
        """Return a buffer of uint8 ``shape``; its content is arbitrary."""
        with self._lock:
            free = self._free.get(shape)
            if free:
                return free.pop()
        return np.empty(shape, np.uint8)

    def give_back(self, buffer: Picture) -> None:
        """Take a buffer back that nobody uses any more."""
        with self._lock:
            self._free.setdefault(buffer.shape, []).append(buffer)


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
        pool: Where the buffers come from.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], fps: int, codec: VideoCodec, pool: BufferPool) -> None:
        self.path = path
        self._shape, self._fps, self._codec, self._pool = shape, fps, codec, pool
        self.capacity = max(_RING_FRAMES[0], min(_RING_FRAMES[1], _RING_BYTES // int(np.prod(shape))))
        self._changed = threading.Condition()
        self._waiting: deque[Picture] = deque()
        self._buffers = 0
        self._spare: list[Picture] = []
        self._frames = 0
        self._ended = self._aborted = self._complete = False
        self._error: EncoderError | None = None
        self._statistics = PictureStatistics(shape[0], shape[1])
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._said = _memory_file()

    @property
    def depth(self) -> int:
        """Number of frames that wait for the encoder."""
        return len(self._waiting)

    def reserve(self) -> float:
        """Wait until there is room for one frame; return how long that took [s].

        Raises:
            EncoderError: The encoder failed; the episode cannot be completed.
        """
        if self._error is None and (self._spare or self._buffers < self.capacity):
            return 0.0
        began = time.perf_counter()
        with self._changed:
            self._changed.wait_for(lambda: self._spare or self._buffers < self.capacity or self._error)
            if self._error is not None:
                raise self._error
        return time.perf_counter() - began

    def put(self, frame: Picture) -> None:
        """Copy a frame, uint8 ``(H, W, 3)``, into the ring. Call :meth:`reserve` first."""
        with self._changed:
            if self._spare:
                buffer = self._spare.pop()
            else:
                buffer = self._pool.take(self._shape)
                self._buffers += 1
        np.copyto(buffer, frame)
        with self._changed:
            self._waiting.append(buffer)
            self._frames += 1
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"encode {self.path.stem}", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Say that no more frames come; returns at once."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def result(self) -> EncodedVideo:
        """Wait for the finished file.

        Raises:
            EncoderError: It could not be made.
        """
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
        if not self._complete:
            raise EncoderError(f"The video {self.path.stem} was not encoded to its end.")
        return EncodedVideo(self.path, self._frames, self._statistics.result())

    def abort(self) -> None:
        """Stop without a result and wait until the process is gone."""
        with self._changed:
            self._aborted = self._ended = True
            self._changed.notify_all()
        process = self._process
        if process is not None:
            process.kill()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._encode()
        except Exception as error:  # noqa: BLE001 - whatever it is, the episode must not be taken for complete
            failure = error if isinstance(error, EncoderError) else EncoderError(self._explain(error))
            with self._changed:
                self._error = failure
                self._changed.notify_all()
        finally:
            self._stop_process()
            with self._changed:
                while self._waiting:
                    self._pool.give_back(self._waiting.popleft())
                while self._spare:
                    self._pool.give_back(self._spare.pop())
                self._changed.notify_all()
            self._said.close()

    def _encode(self) -> None:
        process = self._process = self._start()
        assert process.stdin is not None
        descriptor = process.stdin.fileno()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._aborted:
                    return
                if not self._waiting:
                    break
                buffer = self._waiting[0]
            ffmpeg.write_all(descriptor, memoryview(buffer).cast("B"))
            self._statistics.add(buffer)
            with self._changed:
                if self._waiting:
                    self._spare.append(self._waiting.popleft())
                self._changed.notify_all()
        process.stdin.close()
        if process.wait() != 0:
            raise EncoderError(self._explain(None))
        mp4 = read_mp4(self.path)
        if mp4.frames != self._frames or not mp4.is_constant(self._fps):
            raise EncoderError(
                f"{self.path} was given {self._frames} frames of 1/{self._fps} s, and has {mp4.extent()}."
            )
        self._complete = True

    def _start(self) -> subprocess.Popen[bytes]:
        height, width = self._shape[:2]
        arguments = [
            *ffmpeg.raw_input(height, width, self._fps),
            *("-an", "-filter_threads", "1"),
            *self._codec.arguments(height, width),
            *("-video_track_timescale", str(self._fps * TICKS_PER_FRAME), "-f", "mp4", f"file:{self.path}"),
        ]
        process = ffmpeg.start_fed(arguments, self._said, os.environ | {"SVT_LOG": "1"})
        _widen(process)
        return process

    def _explain(self, error: Exception | None) -> str:
        if error is not None and not isinstance(error, OSError | DatasetError):
            return f"Encoding {self.path.stem} failed: {type(error).__name__}: {error}."
        code = self._process.wait() if self._process is not None else None
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        # 255 is what ffmpeg ends with for any reason, not the negative of an errno.
        if code is not None and _FFMPEG_ERRNO < code < 255 and 256 - code in _STOPPING:
            lines.insert(0, os.strerror(256 - code))
        detail = "; ".join(lines[:3]) or (str(error) if error is not None else "no message")
        ending = f" ended with code {code}" if code is not None else " could not be started"
        return f"The video encoder {self._codec.encoder} for {self.path.stem}{ending}: {detail.rstrip('.')}."

    def _stop_process(self) -> None:
        process = self._process
        if process is None:
            return
        if process.stdin is not None and not process.stdin.closed:
            try:
                process.stdin.close()
            except OSError:
                pass
        if process.poll() is None:
            process.kill()
        process.wait()


def _memory_file() -> IO[bytes]:
    """Return a file for what ffmpeg says, on Linux one that can be written when the disk is full."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("ffmpeg"), "w+b")
    else:
        return tempfile.TemporaryFile("w+b")


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Let a whole small frame fit into the pipe: fewer switches between the feeding thread and ffmpeg."""
    if sys.platform == "linux":
        import fcntl

        assert process.stdin is not None
        with contextlib.suppress(OSError):  # more than an ordinary user may have
            fcntl.fcntl(process.stdin.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

"""Engine: what encodes the pictures of one camera, x264 within this process or an ffmpeg of its own.

Both make the same files: see ``docs/decisions/encoders-in-process.md``.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.util
import os
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from isaac_lerobot.dataset.video import ffmpeg
from isaac_lerobot.dataset.video.codec import VideoCodec, try_encoder
from isaac_lerobot.dataset.video.pool import Picture
from isaac_lerobot.errors import EncoderError, install_line

TICKS_PER_FRAME = 512
"""Ticks of the video's clock per frame, as ffmpeg chooses for lerobot: 1/15360 s at 30 fps."""
_PIPE_BYTES = 2**20
_FFMPEG_ERRNO = 128
"""ffmpeg ends with 256 minus the system's error number where one stopped it."""
_STOPPING = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ENOENT,
    errno.ENOMEM,
}  # fmt: skip
"""System errors that stop an encoder; other numbers are ffmpeg's own."""


class Engine(Protocol):
    """Encodes pictures into an mp4 file. Used by one thread at a time, but for :meth:`kill`."""

    def write(self, picture: Picture) -> None:
        """Encode a picture, uint8 ``(H, W, 3)``."""

    def finish(self) -> None:
        """Complete the file."""

    def kill(self) -> None:
        """Have a call that goes on in another thread end as soon as can be."""

    def stop(self) -> None:
        """Leave nothing running or open. Does no harm after :meth:`finish`, and may be repeated."""

    def explain(self, error: Exception) -> str:
        """Return what stopped it, for an error that one of the calls has raised, as the end of a sentence."""


def open_engine(path: Path, shape: tuple[int, ...], fps: int, codec: VideoCodec) -> Engine:
    """Return the engine that a codec asks for, ready for the first picture.

    Args:
        path: The mp4 file to write.
        shape: Shape of a picture, ``(height, width, 3)``.
        fps: Frames per second.
        codec: Encoder and settings.

    Raises:
        EncoderError: It cannot be had.
        OSError: The file cannot be made, or the program not be started.
    """
    kind = Library if runs_in_process(codec) else Program
    return kind(path, shape, fps, codec)


def runs_in_process(codec: VideoCodec) -> bool:
    """Whether a codec encodes within this process; x264 does, unless it is told otherwise or PyAV is missing."""
    if codec.engine == "auto":
        return codec.encoder == "libx264" and importlib.util.find_spec("av") is not None
    return codec.engine == "library"


def check_encoder(codec: VideoCodec) -> None:
    """Make sure that frames can be encoded: there is an ffmpeg, and the encoder encodes a test frame.

    Raises:
        EncoderError: They cannot be.
    """
    ffmpeg.find_ffmpeg()  # joins and decodes what any engine has encoded
    reason = ""
    if runs_in_process(codec):
        reason = _try_library(codec)
    elif codec.encoder != "libx264":  # which every ffmpeg has; the others need a driver, or such a build
        reason = try_encoder(codec)
    if reason:
        raise EncoderError(f"The video encoder {codec.encoder} does not work here: {reason}. Use codec h264 or auto.")


@functools.cache
def _try_library(codec: VideoCodec) -> str:
    """Encode one frame in this process; return what went wrong, or an empty text."""
    shape = (256, 256, 3)
    with tempfile.TemporaryDirectory() as folder:
        try:
            engine = Library(Path(folder) / "test.mp4", shape, 30, codec)
            engine.write(np.zeros(shape, np.uint8))
            engine.finish()
        except (EncoderError, OSError, ValueError) as error:
            return str(error).rstrip(".")
    return ""


class Library:
    """The encoder as a library within this process, by PyAV. Takes no thread of its own where the codec has one."""

    def __init__(self, path: Path, shape: tuple[int, ...], fps: int, codec: VideoCodec) -> None:
        try:
            import av
            from av.video.reformatter import Interpolation, VideoReformatter
        except ImportError as error:
            raise EncoderError(f"engine=library needs PyAV ({error}). Run: {install_line('av')}") from error
        height, width = shape[:2]
        self._wrap = av.VideoFrame.from_numpy_buffer
        self._reformat = VideoReformatter().reformat
        self._format = codec.pixel_format(height, width)
        # ffmpeg converts bicubically; PyAV, by itself, does not.
        self._conversion = {"format": self._format, "interpolation": Interpolation.BICUBIC, **_no_threads()}
        self._tick, self._next = Fraction(1, fps), 0
        clock = {"video_track_timescale": str(fps * TICKS_PER_FRAME)}
        self._file: Any = av.open(f"file:{path}", "w", format="mp4", options=clock)
        try:
            stream: Any = self._file.add_stream(codec.encoder, rate=fps, options=_plain(codec.options(height, width)))
            stream.width, stream.height, stream.pix_fmt = width, height, self._format
            context = stream.codec_context
            context.time_base, context.thread_type = self._tick, "AUTO"
            if codec.canonical == "hevc":
                context.codec_tag = "hvc1"
            context.open()
        except BaseException:
            self.stop()
            raise
        self._stream = stream

    def write(self, picture: Picture) -> None:
        """Encode a picture, uint8 ``(H, W, 3)``."""
        frame = self._reformat(self._wrap(picture, "rgb24"), **self._conversion)
        frame.pts, frame.time_base = self._next, self._tick
        self._next += 1
        self._mux(frame)

    def finish(self) -> None:
        """Complete the file."""
        self._mux(None)
        self._file.close()

    def kill(self) -> None:
        """Do nothing: a call into a library cannot be ended from outside."""

    def stop(self) -> None:
        """Close the file."""
        with contextlib.suppress(Exception):  # the disk is full, or nothing was written: the file is not wanted
            self._file.close()

    def explain(self, error: Exception) -> str:
        """Return what stopped it."""
        said = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        return f" failed: {said.rstrip('.')}."

    def _mux(self, frame: Any) -> None:
        packets = self._stream.encode(frame)
        if packets:
            self._file.mux(packets)


@functools.cache
def _no_threads() -> dict[str, Any]:
    """Return what keeps a conversion of pictures from taking a thread for each core: PyAV 15 takes none by itself."""
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter

    try:
        VideoReformatter().reformat(VideoFrame(16, 16, "rgb24"), format="yuv420p", threads=1)
    except TypeError:
        return {}
    return {"threads": 1}


def _plain(options: dict[str, str]) -> dict[str, str]:
    """Return options as a library takes them: which stream they are for goes without saying."""
    return {name.partition(":")[0]: value for name, value in options.items()}


class Program:
    """The encoder as a process of its own, an ffmpeg that reads pictures from a pipe."""

    def __init__(self, path: Path, shape: tuple[int, ...], fps: int, codec: VideoCodec) -> None:
        height, width = shape[:2]
        arguments = [
            *ffmpeg.raw_input(height, width, fps),
            *("-an", "-filter_threads", "1"),
            *codec.arguments(height, width),
            *("-video_track_timescale", str(fps * TICKS_PER_FRAME), "-f", "mp4", f"file:{path}"),
        ]
        self._said = _memory_file()
        try:
            self._process = ffmpeg.start_fed(arguments, self._said, os.environ | {"SVT_LOG": "1"})
        except BaseException:
            self._said.close()
            raise
        assert self._process.stdin is not None
        self._pipe = self._process.stdin
        _widen(self._pipe)

    def write(self, picture: Picture) -> None:
        """Encode a picture, uint8 ``(H, W, 3)``."""
        ffmpeg.write_all(self._pipe.fileno(), memoryview(picture).cast("B"))

    def finish(self) -> None:
        """Complete the file."""
        self._pipe.close()
        code = self._process.wait()
        if code != 0:
            raise OSError(f"code {code}")

    def kill(self) -> None:
        """End the process."""
        self._process.kill()

    def stop(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._pipe.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._said.close()

    def explain(self, error: Exception) -> str:
        """Return how the process ended, and its first words."""
        code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        # 255 is what ffmpeg ends with for any reason, not the negative of an errno.
        if _FFMPEG_ERRNO < code < 255 and 256 - code in _STOPPING:
            lines.insert(0, os.strerror(256 - code))
        detail = "; ".join(lines[:3]) or ("no message" if code else str(error))
        return f" ended with code {code}: {detail.rstrip('.')}."


def _memory_file() -> IO[bytes]:
    """Return a file for what ffmpeg says, on Linux one that can be written when the disk is full."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("ffmpeg"), "w+b")
    else:
        return tempfile.TemporaryFile("w+b")


def _widen(pipe: IO[bytes]) -> None:
    """Let a whole small frame fit into the pipe: fewer switches between the feeding thread and ffmpeg."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # more than an ordinary user may have
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

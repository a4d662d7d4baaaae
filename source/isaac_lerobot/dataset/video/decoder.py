"""Pictures out of files: a stretch of frames of an mp4, or encoded stills, decoded by ffmpeg one at a time."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset.video.codec import find_ffmpeg, write_all
from isaac_lerobot.errors import DatasetError

Picture = NDArray[Any]


@dataclass(frozen=True)
class PictureFormat:
    """What ffmpeg is asked for, and the array that it gives.

    Attributes:
        height: Picture height [px].
        width: Picture width [px].
        pix_fmt: ``rgb24``, ``gray`` (8 bit), ``gray12le`` or ``gray16le``, as ffmpeg names them.
    """

    height: int
    width: int
    pix_fmt: str = "rgb24"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Array shape (H, W, C)."""
        return self.height, self.width, 3 if self.pix_fmt == "rgb24" else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """``uint8``, or little-endian ``uint16`` for more than 8 bits."""
        return np.dtype("<u2" if self.pix_fmt.endswith("le") else "u1")

    @property
    def bytes(self) -> int:
        """Size of one decoded picture."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


def video_frames(path: Path, first: int, count: int, fps: int, form: PictureFormat) -> Iterator[Picture]:
    """Decode ``count`` frames from frame number ``first`` of an mp4 whose frame k is shown at k / fps.

    Yields:
        Arrays of ``form.shape`` and ``form.dtype``, each its own memory.

    Raises:
        DatasetError: ffmpeg cannot decode the file, or it holds fewer frames.
    """
    # ffmpeg starts decoding at a key frame at or before the input time. With open GOPs the frames just before
    # that key frame's own time are lost, so it is sent further back than any reordering reaches, and the
    # frames up to the wanted one are dropped by their time, half a frame early so that rounding cannot matter.
    start = max(0, first - _REORDERING)
    seek = ["-ss", f"{(start - 0.5) / fps:.6f}"] if start else []
    origin = (start - 0.5) / fps if start else 0.0
    skip = max(0.0, (first - 0.5) / fps - origin)
    command = [*seek, "-i", str(path), "-ss", f"{skip:.6f}", "-map", "0:v:0", "-frames:v", str(count)]
    number = 0
    for picture in _decode(command, form, str(path), None):
        yield picture
        number += 1
    if number != count:
        raise DatasetError(
            f"{path}: holds {number} of the {count} frames from frame {first} on. Run `isaac-lerobot check` on "
            "the dataset; a copy that was cut short has to be copied again."
        )


def thumbnails(path: Path, size: int) -> Iterator[Picture]:
    """Decode every picture of a video, each scaled down to ``size`` x ``size`` by averaging.

    Yields:
        uint8 of shape (size, size, 3), RGB.

    Raises:
        DatasetError: ffmpeg meets anything wrong, however well it could have covered it up.
    """
    scale = f"scale={size}:{size}:flags=area"
    yield from _decode(
        ["-xerror", "-i", str(path), "-map", "0:v:0", "-vf", scale], PictureFormat(size, size), str(path), None
    )


def stills(encoded: Iterable[bytes], form: PictureFormat, where: str) -> Iterator[Picture]:
    """Decode PNG pictures, one array of ``form.shape`` and ``form.dtype`` for each.

    Raises:
        DatasetError: ffmpeg cannot decode them.
    """
    yield from _decode(["-f", "image2pipe", "-c:v", "png", "-i", "-"], form, where, encoded)


_REORDERING = 17  # frames; H.264 and HEVC reorder over 16 at most


def _decode(command: list[str], form: PictureFormat, where: str, feed: Iterable[bytes] | None) -> Iterator[Picture]:
    # The command line is ours but for the executable's name and a path, and no shell sees it.
    full = [find_ffmpeg(), "-nostdin", "-v", "error", *command, "-fps_mode", "passthrough", "-f", "rawvideo"]
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                [*full, "-pix_fmt", form.pix_fmt, "-"],
                stdin=subprocess.PIPE if feed is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                bufsize=0,
            )
        except OSError as error:
            raise DatasetError(f"ffmpeg cannot be started to decode {where}: {error}. Run `pip install "
                               "'imageio[ffmpeg]'`, or set IMAGEIO_FFMPEG_EXE to an ffmpeg.") from error  # fmt: skip
        feeder = None
        if feed is not None and process.stdin is not None:
            feeder = threading.Thread(target=_feed, args=(process.stdin, feed), daemon=True)
            feeder.start()
        assert process.stdout is not None
        try:
            while (picture := _read_picture(process.stdout, form)) is not None:
                yield picture
            failed = process.wait() != 0
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().splitlines()
            if failed or (said and "-xerror" in command):
                raise DatasetError(f"{where}: ffmpeg cannot decode it ({said[-1] if said else 'it said nothing'}).")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            if feeder is not None:
                feeder.join()


def _feed(pipe: IO[bytes], encoded: Iterable[bytes]) -> None:
    try:
        with pipe:
            for picture in encoded:
                write_all(pipe.fileno(), memoryview(picture))
    except (BrokenPipeError, OSError):
        pass  # ffmpeg ended first: the reading side reports why.


def _read_picture(pipe: IO[bytes], form: PictureFormat) -> Picture | None:
    picture = np.empty(form.bytes, np.uint8)
    view, filled = memoryview(picture), 0
    while filled < form.bytes:
        got = pipe.readinto(view[filled:])  # type: ignore[attr-defined]
        if not got:
            return None
        filled += got
    return picture.view(form.dtype).reshape(form.shape)

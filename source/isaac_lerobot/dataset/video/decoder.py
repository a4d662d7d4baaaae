"""Pictures out of files: a stretch of frames of an mp4, decoded by ffmpeg one at a time, or single stills."""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isaac_lerobot.dataset.video import ffmpeg
from isaac_lerobot.errors import DatasetError, first_line

Picture = NDArray[Any]


@dataclass(frozen=True)
class PictureFormat:
    """What ffmpeg is asked for, and the array that it gives.

    Attributes:
        height: Picture height [px].
        width: Picture width [px].
        pix_fmt: ``rgb24``, ``gray`` (8 bit) or ``gray12le``, as ffmpeg names them.
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
    # ffmpeg starts decoding at a key frame at or before the input time. With open GOPs the frames just before that key
    # frame's own time are lost, so it is sent further back than any reordering reaches, and the frames up to the wanted
    # one are dropped by their time. The end is a time too, not a number: a frame that cannot be decoded must be missed,
    # and not made up for by a later one. A quarter of a frame keeps either clear of roundings.
    start = max(0, first - _REORDERING)
    skip = max(0.0, first - start - 0.25) / fps
    end = (first - start + count - 0.25) / fps
    stretch = ["-ss", f"{skip:.6f}", "-t", f"{end - skip:.6f}", "-map", "0:v:0"]
    command = [*(("-ss", f"{start / fps:.6f}") if start else ()), *ffmpeg.mp4_input(path), *stretch]
    number = 0
    for picture in _decode(command, form, path):
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
    scaled = [*ffmpeg.mp4_input(path), "-map", "0:v:0", "-vf", f"scale={size}:{size}:flags=area"]
    yield from _decode(["-xerror", *scaled], PictureFormat(size, size), path, strictly=True)


def still(encoded: bytes, shape: tuple[int, ...], where: str) -> Picture:
    """Decode a picture that was kept as a file of its own (PNG, JPEG).

    Args:
        encoded: The file.
        shape: The shape it must have, (H, W, 3) or (H, W, 1).
        where: What it is, for the message.

    Returns:
        uint8 of that shape; uint16 for 16-bit grey.

    Raises:
        DatasetError: It cannot be decoded, or is of another size.
    """
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG", "TIFF")) as image:
            if image.size != (width, height):
                raise DatasetError(f"{where} has {image.height}x{image.width} pixels, not {height}x{width}.")
            grey = image if image.mode in ("L", "I;16", "I") else image.convert("L")
            picture = np.asarray(image.convert("RGB") if channels == 3 else grey)
    except DatasetError:
        raise
    except Exception as error:
        raise DatasetError(f"{where} cannot be decoded ({first_line(error)}).") from error
    return picture.astype(np.uint8 if picture.dtype == np.uint8 else np.uint16, copy=False).reshape(shape)


_REORDERING = 17  # frames; H.264 and HEVC reorder over 16 at most


def _decode(arguments: list[str], form: PictureFormat, where: Path, *, strictly: bool = False) -> Iterator[Picture]:
    output = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", form.pix_fmt, "-"]
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                ffmpeg.command("-noautorotate", *arguments, *output),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                bufsize=0,
                **ffmpeg.APART,
            )
        except OSError as error:
            raise DatasetError(f"ffmpeg cannot be started to decode {where}: {error}.") from error
        assert process.stdout is not None
        try:
            while (picture := _read_picture(process.stdout, form)) is not None:
                yield picture
            failed = process.wait() != 0
            complaints.seek(0)
            said = ffmpeg.said(complaints)
            if failed or (said and strictly):
                raise DatasetError(f"{where}: ffmpeg cannot decode it ({said or 'it said nothing'}).")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _read_picture(pipe: IO[bytes], form: PictureFormat) -> Picture | None:
    picture = np.empty(form.bytes, np.uint8)
    view, filled = memoryview(picture), 0
    while filled < form.bytes:
        got = pipe.readinto(view[filled:])  # type: ignore[attr-defined]
        if not got:
            return None
        filled += got
    return picture.view(form.dtype).reshape(form.shape)

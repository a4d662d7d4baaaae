"""mp4: what the boxes of a video file say, without decoding a picture, whatever the file's size.

Box names and fields are those of ISO/IEC 14496-12 (the container) and 14496-15 (the codec configurations).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from isaac_lerobot.dataset.video.boxes import BoxError, Ints, Samples, Track, boxes, movie, movie_timescale
from isaac_lerobot.errors import DatasetError


class Mp4Error(DatasetError):
    """The file has no readable mp4 structure.

    Attributes:
        problem: What is wrong, as a clause about the file, without its name.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} is no complete mp4 file: {problem}.")
        self.problem = problem


@dataclass(frozen=True)
class Mp4:
    """What the boxes of one mp4 file say about its picture stream.

    Attributes:
        codec: ``h264``, ``hevc``, ``av1``, ``vp9``, ``mpeg4``, or the file's own four-character code.
        configuration: The codec's parameter sets; only files with equal ones may be joined as they are.
        width: Picture width [px].
        height: Picture height [px].
        pix_fmt: Pixel format as ffmpeg names it (full range counts as limited), None where the boxes do not
            tell.
        timescale: Ticks per second of ``pts``, ``steps`` and ``duration``.
        pts: Presentation time of every frame, ascending, edit list applied [ticks]. Shape (frames,), int64.
        steps: The distinct durations of the frames, ascending [ticks]; one for a constant rate.
        duration: Sum of the frames' durations [ticks].
        hidden: Frames that an edit list keeps from being shown.
        sizes: Sizes of the frames as they are stored [bytes]. Shape (frames,), int64.
        keys: Which of these are key frames. Shape (frames,), bool.
        is_reordered: Whether frames are stored in another order than they are shown in.
        cut_off: Samples whose bytes lie beyond the end of the file.
        intact: Number of frames, as they are stored, before the first of these.
        tracks: Kinds of all tracks (``vide``, ``soun``, ...), in file order.
        open_gop: True where pictures precede the HEVC key frame that they are predicted across (RASL).
    """

    codec: str
    configuration: bytes
    width: int
    height: int
    pix_fmt: str | None
    timescale: int
    pts: Ints
    steps: tuple[int, ...]
    duration: int
    hidden: int
    sizes: Ints
    keys: NDArray[np.bool_]
    is_reordered: bool
    cut_off: int
    intact: int
    tracks: tuple[str, ...]
    open_gop: bool

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.pts)

    def is_constant(self, fps: int) -> bool:
        """Whether every frame lasts 1/fps."""
        # A single frame carries whatever duration the muxer chose; nothing comes after it.
        return self.frames <= 1 or (len(self.steps) == 1 and self.steps[0] * fps == self.timescale)

    def kind(self, fps: int) -> object:
        """Return what files must have in common to be joined by copying; None where this one cannot be at all."""
        is_joinable = self.is_constant(fps) and self.timescale % fps == 0
        return (self.configuration, self.timescale) if is_joinable else None

    def can_be_cut(self, first: int) -> bool:
        """Whether frames from number ``first`` on can be copied without those before."""
        return not self.is_reordered and not self.hidden and first < self.frames and bool(self.keys[first])

    def extent(self) -> str:
        """Number and durations of the frames in words, for messages."""
        steps = ", ".join(map(str, self.steps[:5])) + (", ..." if len(self.steps) > 5 else "")
        return f"{self.frames} frames in steps of {steps or 'none'} / {self.timescale} s"


def read_mp4(path: Path) -> Mp4:
    """Read the structure of the mp4 file at ``path``.

    Raises:
        Mp4Error: It cannot be opened, has no complete ``moov`` box or no picture track, or its boxes contradict
            each other.
    """
    if path.exists() and not path.is_file():
        raise Mp4Error(path, "it is no file")
    try:
        with path.open("rb") as file:
            return _read(file)
    except BoxError as error:
        raise Mp4Error(path, str(error)) from error
    except (struct.error, IndexError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise Mp4Error(path, f"its boxes contradict each other ({error})") from error
    except OSError as error:
        raise Mp4Error(path, f"it cannot be read ({error.strerror or error})") from error


def _read(file: BinaryIO) -> Mp4:
    size = file.seek(0, 2)
    moov = movie(file, size)
    tracks = [Track(body) for name, body in boxes(moov) if name == b"trak"]
    video = next((track for track in tracks if track.handler == "vide"), None)
    if video is None:
        raise BoxError("it has no picture track")
    samples = video.samples(size)
    shift, end = video.edit(movie_timescale(moov))
    pts = np.sort(samples.pts) + shift
    beyond = samples.offsets + samples.sizes > size
    codec = _CODECS.get(video.format, video.format.decode("latin-1"))
    return Mp4(
        codec=codec,
        configuration=_configuration(video),
        width=video.width,
        height=video.height,
        pix_fmt=_pix_fmt(video),
        timescale=video.timescale,
        pts=pts,
        steps=tuple(np.unique(samples.durations).tolist()),
        duration=int(samples.durations.sum()),
        hidden=int((pts < 0).sum() + (0 if end is None else (pts >= end).sum())),
        sizes=samples.sizes,
        keys=samples.keys,
        is_reordered=bool((np.diff(samples.pts) <= 0).any()),
        cut_off=int(beyond.sum()),
        intact=int(np.argmax(beyond)) if beyond.any() else len(pts),
        tracks=tuple(track.handler for track in tracks),
        open_gop=codec == "hevc" and _has_skipped_leading(file, samples, _nal_length_size(video)),
    )


# Codecs -----------------------------------------------------------------------------------------------------

_CODECS = {
    b"avc1": "h264",
    b"avc3": "h264",
    b"hvc1": "hevc",
    b"hev1": "hevc",
    b"av01": "av1",
    b"vp09": "vp9",
    b"vp08": "vp8",
    b"mp4v": "mpeg4",
}
_CONFIGURATIONS = (b"avcC", b"hvcC", b"av1C")
_RASL = (8, 9)  # NAL types of HEVC pictures that cannot be decoded after a random access


def _configuration(video: Track) -> bytes:
    """The codec's configuration box, or the whole sample entry of a codec that has none we know."""
    found = next(((name, body) for name in _CONFIGURATIONS if (body := video.extension(name))), None)
    return b"".join(found or (video.format, video.entry))


def _pix_fmt(video: Track) -> str | None:
    for name, read in zip(_CONFIGURATIONS, (_avc_format, _hevc_format, _av1_format), strict=True):
        if body := video.extension(name):
            layout = read(body)
            colour = video.extension(b"colr")
            if layout == "yuv444p" and colour[:4] == b"nclx" and colour[8:10] == b"\0\0":
                return "gbrp"
            return layout
    return None


def _nal_length_size(video: Track) -> int:
    body = video.extension(b"hvcC")
    return (body[21] & 3) + 1 if len(body) > 21 else 4


def _format(chroma: int, depth: int) -> str:
    base = ("gray", "yuv420p", "yuv422p", "yuv444p")[chroma]
    return base if depth == 8 else f"{base}{depth}le"


def _avc_format(body: bytes) -> str | None:
    if body[1] in (66, 77, 88):
        return "yuv420p"
    at = 6
    for mask in (0x1F, 0xFF):
        for _ in range(body[at - 1] & mask):
            at += 2 + struct.unpack_from(">H", body, at)[0]
        at += 1
    # at - 1 is the first byte of the extension that profiles from High on carry.
    return _format(body[at - 1] & 3, (body[at] & 7) + 8) if len(body) > at else None


def _hevc_format(body: bytes) -> str:
    return _format(body[16] & 3, (body[17] & 7) + 8)


def _av1_format(body: bytes) -> str:
    bits = body[2]
    depth = (12 if bits & 0x20 else 10) if bits & 0x40 else 8
    chroma = 0 if bits & 0x10 else 3 - bool(bits & 0x08) - bool(bits & 0x04)
    return _format(chroma, depth)


def _has_skipped_leading(file: BinaryIO, samples: Samples, length_size: int) -> bool:
    """True where frames shown before a key frame but stored after it are of a kind lost on random access."""
    key_pts = samples.pts[np.maximum.accumulate(np.where(samples.keys, np.arange(len(samples.keys)), 0))]
    for frame in np.flatnonzero(samples.pts < key_pts)[:64]:
        file.seek(int(samples.offsets[frame]))
        body = file.read(int(samples.sizes[frame]))
        at = 0
        while at + length_size < len(body):
            if (body[at + length_size] >> 1) & 0x3F in _RASL:
                return True
            at += length_size + int.from_bytes(body[at : at + length_size], "big")
    return False

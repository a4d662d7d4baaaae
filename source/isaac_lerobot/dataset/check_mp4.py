"""The structure of an mp4 file, read from its boxes alone: no picture is decoded, whatever the file's size.

Box names and fields are those of ISO/IEC 14496-12 (the container) and 14496-15 (the codec configurations).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Mp4Error(ValueError):
    """The file has no readable mp4 structure."""


@dataclass(frozen=True)
class Mp4:
    """What the boxes of one mp4 file say about its picture stream.

    Attributes:
        codec: ``h264``, ``hevc``, ``av1``, ``vp9``, ``mpeg4``, or the file's own four-character code.
        width: Picture width [px].
        height: Picture height [px].
        pix_fmt: Pixel format as ffmpeg names it (full range counts as limited), None where the boxes do not
            tell.
        timescale: Ticks per second of ``pts`` and ``duration``.
        pts: Presentation time of every frame, ascending, edit list applied [ticks]. Shape (frames,), int64.
        duration: Sum of the frames' durations [ticks].
        hidden: Frames that an edit list keeps from being shown.
        cut_off: Samples whose bytes lie beyond the end of the file.
        tracks: Kinds of all tracks (``vide``, ``soun``, ...), in file order.
        open_gop: True where pictures precede the HEVC key frame that they are predicted across (RASL).
    """

    codec: str
    width: int
    height: int
    pix_fmt: str | None
    timescale: int
    pts: Ints
    duration: int
    hidden: int
    cut_off: int
    tracks: tuple[str, ...]
    open_gop: bool

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.pts)


def read_mp4(path: Path) -> Mp4:
    """Read the structure of the mp4 file at ``path``.

    Raises:
        Mp4Error: No complete ``moov`` box, no picture track, or boxes that contradict each other.
        OSError: The file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            return _read(file)
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            if isinstance(error, Mp4Error):
                raise
            raise Mp4Error(f"its boxes contradict each other ({error})") from error


def _read(file: BinaryIO) -> Mp4:
    size = file.seek(0, 2)
    moov, fragments = _top_level(file, size)
    movie_timescale = _movie_timescale(moov)
    tracks = [_Track(body) for name, body in _boxes(moov) if name == b"trak"]
    video = next((track for track in tracks if track.handler == "vide"), None)
    if video is None:
        raise Mp4Error("it has no picture track")
    samples = video.samples(size)
    if fragments:
        samples = samples.followed_by(_fragment_samples(video.number, _child(moov, b"mvex"), fragments, size))
    shift, end = video.edit(movie_timescale)
    order = np.argsort(samples.pts, kind="stable")
    pts = samples.pts[order] + shift
    codec = video.codec()
    return Mp4(
        codec=codec,
        width=video.width,
        height=video.height,
        pix_fmt=video.pix_fmt(),
        timescale=video.timescale,
        pts=pts,
        duration=int(samples.durations.sum()),
        hidden=int((pts < 0).sum() + (0 if end is None else (pts >= end).sum())),
        cut_off=int((samples.offsets + samples.sizes > size).sum()),
        tracks=tuple(track.handler for track in tracks),
        open_gop=codec == "hevc" and _has_skipped_leading(file, samples, video.nal_length_size()),
    )


# Boxes ------------------------------------------------------------------------------------------------------


def _boxes(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(body):
        size, name = struct.unpack_from(">I4s", body, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", body, at + 8)
            head = 16
        elif size == 0:
            size = len(body) - at
        if size < head:
            raise Mp4Error(f"box {name!r} has the impossible size {size}")
        yield name, body[at + head : at + size]
        at += size


def _child(body: bytes, *path: bytes) -> bytes:
    """The body of the box found by following ``path`` down from ``body``; empty where there is none."""
    for wanted in path:
        body = next((inner for name, inner in _boxes(body) if name == wanted), b"")
    return body


def _top_level(file: BinaryIO, size: int) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The body of ``moov``, and (file offset, body) of every ``moof``."""
    moov, fragments, at = b"", [], 0
    while at + 8 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
            head = 16
        elif length == 0:
            length = size - at
        if length < head:
            raise Mp4Error(f"box {name!r} at byte {at} has the impossible size {length}")
        if name in (b"moov", b"moof"):
            if at + length > size:
                raise Mp4Error(f"it ends inside its {name.decode()} box")
            body = file.read(length - head)
            if name == b"moov":
                moov = body
            else:
                fragments.append((at, body))
        at += length
    if not moov:
        raise Mp4Error("it has no moov box: its encoder was stopped before it closed the file")
    return moov, fragments


def _movie_timescale(moov: bytes) -> int:
    header = _child(moov, b"mvhd")
    return int(struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0])


def _table(body: bytes, columns: int, head: int = 4) -> Ints:
    """The rows of a box that holds a count and then that many rows of 32-bit numbers."""
    if not body:
        return np.zeros((0, columns), np.int64)
    (count,) = struct.unpack_from(">I", body, head)
    return np.frombuffer(body, ">u4", count * columns, head + 4).astype(np.int64).reshape(count, columns)


# Samples ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Samples:
    """The frames of a track in decoding order; every array has the shape (frames,)."""

    pts: Ints
    durations: Ints
    offsets: Ints
    sizes: Ints
    keys: NDArray[np.bool_]

    def followed_by(self, other: _Samples) -> _Samples:
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return _Samples(*(np.concatenate(pair) for pair in pairs))


class _Track:
    def __init__(self, trak: bytes) -> None:
        self._edits = _child(trak, b"edts", b"elst")
        media = _child(trak, b"mdia")
        header, handler, track = _child(media, b"mdhd"), _child(media, b"hdlr"), _child(trak, b"tkhd")
        if not (header and handler and track):
            raise Mp4Error("a track lacks its tkhd, mdhd or hdlr box")
        self.number: int = struct.unpack_from(">I", track, 20 if track[0] == 1 else 12)[0]
        self.timescale: int = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
        self.handler: str = handler[8:12].decode("latin-1")
        self._table = _child(media, b"minf", b"stbl")
        self._entry = next(_boxes(_child(self._table, b"stsd")[8:]), (b"", b""))

    @property
    def width(self) -> int:
        return int(struct.unpack_from(">H", self._entry[1], 24)[0])

    @property
    def height(self) -> int:
        return int(struct.unpack_from(">H", self._entry[1], 26)[0])

    def codec(self) -> str:
        return _CODECS.get(self._entry[0], self._entry[0].decode("latin-1"))

    def _configuration(self, name: bytes) -> bytes:
        return _child(self._entry[1][_VISUAL_ENTRY_HEAD:], name)

    def pix_fmt(self) -> str | None:
        for name, read in ((b"avcC", _avc_format), (b"hvcC", _hevc_format), (b"av1C", _av1_format)):
            if body := self._configuration(name):
                layout = read(body)
                colour = self._configuration(b"colr")
                if layout == "yuv444p" and colour[:4] == b"nclx" and colour[8:10] == b"\0\0":
                    return "gbrp"
                return layout
        return None

    def nal_length_size(self) -> int:
        body = self._configuration(b"hvcC")
        return (body[21] & 3) + 1 if len(body) > 21 else 4

    def samples(self, limit: int) -> _Samples:
        """Samples listed in the track itself (none where all are in fragments), at most ``limit``."""
        durations = _repeat(_table(_child(self._table, b"stts"), 2), limit)
        sizes = _sample_sizes(_child(self._table, b"stsz"), limit)
        if len(sizes) != len(durations):
            raise Mp4Error(f"it lists {len(sizes)} sample sizes and {len(durations)} durations")
        pts = np.cumsum(durations) - durations
        # Offsets are signed in version 1, and written as signed by many in version 0 too.
        shifts = _repeat(_table(_child(self._table, b"ctts"), 2), limit).astype(np.uint32).view(np.int32)
        if len(shifts):
            pts = pts + shifts[: len(pts)]
        keys = np.ones(len(pts), bool)
        if key_list := _child(self._table, b"stss"):
            keys[:] = False
            keys[_table(key_list, 1)[:, 0] - 1] = True
        return _Samples(pts, durations, self._offsets(sizes), sizes, keys)

    def _offsets(self, sizes: Ints) -> Ints:
        chunks = _table(_child(self._table, b"stco"), 1)[:, 0]
        if wide := _child(self._table, b"co64"):
            (count,) = struct.unpack_from(">I", wide, 4)
            chunks = np.frombuffer(wide, ">u8", count, 8).astype(np.int64)
        runs = _table(_child(self._table, b"stsc"), 3)
        if not len(sizes):
            return sizes
        lengths = np.diff(np.append(runs[:, 0], len(chunks) + 1))
        per_chunk = np.repeat(runs[:, 1], lengths)
        if per_chunk.sum() != len(sizes) or len(per_chunk) != len(chunks):
            raise Mp4Error("its chunk table does not cover its samples")
        before = np.cumsum(sizes) - sizes
        first = np.cumsum(per_chunk) - per_chunk
        offsets: Ints = np.repeat(chunks - before[first], per_chunk) + before
        return offsets

    def edit(self, movie_timescale: int) -> tuple[int, int | None]:
        """Ticks to add to a media time, and the time from which on frames are hidden (None: never)."""
        if not self._edits:
            return 0, None
        wide = self._edits[0] == 1
        (count,) = struct.unpack_from(">I", self._edits, 4)
        row = ">Qq4x" if wide else ">Ii4x"
        delay = 0
        for length, start in struct.iter_unpack(row, self._edits[8 : 8 + count * struct.calcsize(row)]):
            ticks = -(-length * self.timescale // movie_timescale)
            if start == -1:
                delay += ticks
            else:
                return delay - start, (delay + ticks if length else None)
        return delay, None


def _plausible(count: int, limit: int) -> int:
    # No file has more frames than bytes: a damaged count must not make us fill the memory.
    if count > limit:
        raise Mp4Error(f"it claims {count} frames in {limit} bytes")
    return count


def _repeat(rows: Ints, limit: int) -> Ints:
    _plausible(int(rows[:, 0].sum()), limit)
    repeated: Ints = np.repeat(rows[:, 1], rows[:, 0])
    return repeated


def _sample_sizes(stsz: bytes, limit: int) -> Ints:
    if not stsz:
        return np.zeros(0, np.int64)
    same, count = struct.unpack_from(">II", stsz, 4)
    _plausible(count, limit)
    return np.full(count, same, np.int64) if same else np.frombuffer(stsz, ">u4", count, 12).astype(np.int64)


def _fragment_samples(track: int, mvex: bytes, fragments: list[tuple[int, bytes]], limit: int) -> _Samples:
    defaults = next((body for name, body in _boxes(mvex) if body[4:8] == struct.pack(">I", track)), b"")
    duration, size, flags = struct.unpack_from(">III", defaults, 12) if defaults else (0, 0, 0)
    rows: list[tuple[int, int, int, int, bool]] = []
    clock = 0
    for start, moof in fragments:
        for name, traf in _boxes(moof):
            if name == b"traf" and _child(traf, b"tfhd")[4:8] == struct.pack(">I", track):
                clock = _add_fragment(rows, traf, start, clock, (duration, size, flags, limit))
    columns = zip(*rows, strict=True) if rows else ((),) * 5
    pts, durations, offsets, sizes, keys = (np.array(column, np.int64) for column in columns)
    return _Samples(pts, durations, offsets, sizes, keys.astype(bool))


def _add_fragment(
    rows: list[tuple[int, int, int, int, bool]], traf: bytes, start: int, clock: int, default: tuple[int, ...]
) -> int:
    header = _child(traf, b"tfhd")
    options, at, base, values = int.from_bytes(header[1:4], "big"), 8, start, list(default)
    if options & 0x1:
        (base,) = struct.unpack_from(">Q", header, at)
        at += 8
    at += 4 if options & 0x2 else 0
    for place, bit in enumerate((0x8, 0x10, 0x20)):
        if options & bit:
            (values[place],) = struct.unpack_from(">I", header, at)
            at += 4
    if time := _child(traf, b"tfdt"):
        (clock,) = struct.unpack_from(">Q" if time[0] == 1 else ">I", time, 4)
    offset = base
    for name, trun in _boxes(traf):
        if name != b"trun":
            continue
        bits, count, at = int.from_bytes(trun[1:4], "big"), struct.unpack_from(">I", trun, 4)[0], 8
        _plausible(len(rows) + count, default[3])
        if bits & 0x1:
            offset = base + struct.unpack_from(">i", trun, at)[0]
            at += 4
        first_flags = struct.unpack_from(">I", trun, at)[0] if bits & 0x4 else values[2]
        at += 4 if bits & 0x4 else 0
        for number in range(count):
            duration, size, flags, shift = values[0], values[1], values[2], 0
            if number == 0:
                flags = first_flags
            if bits & 0x100:
                duration, at = struct.unpack_from(">I", trun, at)[0], at + 4
            if bits & 0x200:
                size, at = struct.unpack_from(">I", trun, at)[0], at + 4
            if bits & 0x400:
                flags, at = struct.unpack_from(">I", trun, at)[0], at + 4
            if bits & 0x800:
                shift, at = struct.unpack_from(">i", trun, at)[0], at + 4
            rows.append((clock + shift, duration, offset, size, not flags & 0x10000))
            clock, offset = clock + duration, offset + size
    return clock


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
_VISUAL_ENTRY_HEAD = 78  # bytes of a VisualSampleEntry before its child boxes
_RASL = (8, 9)  # NAL types of HEVC pictures that cannot be decoded after a random access


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


def _has_skipped_leading(file: BinaryIO, samples: _Samples, length_size: int) -> bool:
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

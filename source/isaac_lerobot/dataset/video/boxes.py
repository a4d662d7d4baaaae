"""The boxes of an mp4 file, and the frames that their tables list.

Box names and fields are those of ISO/IEC 14496-12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_VISUAL_ENTRY_HEAD = 78  # bytes of a VisualSampleEntry before its child boxes


class BoxError(ValueError):
    """The boxes are not those of a whole mp4 file; says what is wrong, as a clause about the file."""


# Boxes ------------------------------------------------------------------------------------------------------


def boxes(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and body of each box in ``body``."""
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
            raise BoxError(f"box {name!r} has the impossible size {size}")
        yield name, body[at + head : at + size]
        at += size


def child(body: bytes, *path: bytes) -> bytes:
    """The body of the box found by following ``path`` down from ``body``; empty where there is none."""
    for wanted in path:
        body = next((inner for name, inner in boxes(body) if name == wanted), b"")
    return body


def movie(file: BinaryIO, size: int) -> bytes:
    """The body of ``moov``."""
    moov, at = b"", 0
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
            raise BoxError(f"box {name!r} at byte {at} has the impossible size {length}")
        if name == b"moof":
            raise BoxError("its frames are listed in fragments. `ffmpeg -i IN -c copy OUT` makes a file with one list")
        if name == b"moov":
            if at + length > size:
                raise BoxError("it ends inside its moov box")
            moov = file.read(length - head)
        at += length
    if not moov:
        raise BoxError("it has no moov box: its encoder was stopped before it closed the file")
    return moov


def movie_timescale(moov: bytes) -> int:
    """Return the ticks per second of the movie's own times, those of edit lists."""
    header = child(moov, b"mvhd")
    return int(struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0])


def _table(body: bytes, columns: int, head: int = 4) -> Ints:
    """The rows of a box that holds a count and then that many rows of 32-bit numbers."""
    if not body:
        return np.zeros((0, columns), np.int64)
    (count,) = struct.unpack_from(">I", body, head)
    return np.frombuffer(body, ">u4", count * columns, head + 4).astype(np.int64).reshape(count, columns)


# Samples ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Samples:
    """The frames of a track in decoding order; every array has the shape (frames,)."""

    pts: Ints
    durations: Ints
    offsets: Ints
    sizes: Ints
    keys: NDArray[np.bool_]


class Track:
    """One ``trak`` box."""

    def __init__(self, trak: bytes) -> None:
        self._edits = child(trak, b"edts", b"elst")
        media = child(trak, b"mdia")
        header, handler = child(media, b"mdhd"), child(media, b"hdlr")
        if not (header and handler):
            raise BoxError("a track lacks its mdhd or hdlr box")
        self.timescale: int = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
        self.handler: str = handler[8:12].decode("latin-1")
        self._table = child(media, b"minf", b"stbl")
        self._entry = next(boxes(child(self._table, b"stsd")[8:]), (b"", b""))

    @property
    def width(self) -> int:
        """Width of a frame as the sample entry has it [px]."""
        return int(struct.unpack_from(">H", self._entry[1], 24)[0])

    @property
    def height(self) -> int:
        """Height of a frame as the sample entry has it [px]."""
        return int(struct.unpack_from(">H", self._entry[1], 26)[0])

    @property
    def format(self) -> bytes:
        """Four-character code of the samples' format."""
        return self._entry[0]

    @property
    def entry(self) -> bytes:
        """Body of the sample entry."""
        return self._entry[1]

    def extension(self, name: bytes) -> bytes:
        """Body of a box behind the fixed fields of a visual sample entry; empty where there is none."""
        return child(self._entry[1][_VISUAL_ENTRY_HEAD:], name)

    def samples(self, limit: int) -> Samples:
        """The samples, at most ``limit``."""
        durations = _repeat(_table(child(self._table, b"stts"), 2), limit)
        sizes = _sample_sizes(child(self._table, b"stsz"), limit)
        if len(sizes) != len(durations):
            raise BoxError(f"it lists {len(sizes)} sample sizes and {len(durations)} durations")
        pts = np.cumsum(durations) - durations
        # Offsets are signed in version 1, and written as signed by many in version 0 too.
        shifts = _repeat(_table(child(self._table, b"ctts"), 2), limit).astype(np.uint32).view(np.int32)
        if len(shifts):
            pts = pts + shifts[: len(pts)]
        keys = np.ones(len(pts), bool)
        if key_list := child(self._table, b"stss"):
            keys[:] = False
            keys[_table(key_list, 1)[:, 0] - 1] = True
        return Samples(pts, durations, self._offsets(sizes), sizes, keys)

    def _offsets(self, sizes: Ints) -> Ints:
        chunks = _table(child(self._table, b"stco"), 1)[:, 0]
        if wide := child(self._table, b"co64"):
            (count,) = struct.unpack_from(">I", wide, 4)
            chunks = np.frombuffer(wide, ">u8", count, 8).astype(np.int64)
        runs = _table(child(self._table, b"stsc"), 3)
        if not len(sizes):
            return sizes
        lengths = np.diff(np.append(runs[:, 0], len(chunks) + 1))
        per_chunk = np.repeat(runs[:, 1], lengths)
        if per_chunk.sum() != len(sizes) or len(per_chunk) != len(chunks):
            raise BoxError("its chunk table does not cover its samples")
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
        raise BoxError(f"it claims {count} frames in {limit} bytes")
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

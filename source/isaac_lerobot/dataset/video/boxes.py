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


def top_level(file: BinaryIO, size: int) -> tuple[bytes, list[tuple[int, bytes]]]:
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
            raise BoxError(f"box {name!r} at byte {at} has the impossible size {length}")
        if name in (b"moov", b"moof"):
            if at + length > size:
                raise BoxError(f"it ends inside its {name.decode()} box")
            body = file.read(length - head)
            if name == b"moov":
                moov = body
            else:
                fragments.append((at, body))
        at += length
    if not moov:
        raise BoxError("it has no moov box: its encoder was stopped before it closed the file")
    return moov, fragments


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

    def followed_by(self, other: Samples) -> Samples:
        """Return these samples and then the others."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return Samples(*(np.concatenate(pair) for pair in pairs))


class Track:
    """One ``trak`` box."""

    def __init__(self, trak: bytes) -> None:
        self._edits = child(trak, b"edts", b"elst")
        media = child(trak, b"mdia")
        header, handler, track = child(media, b"mdhd"), child(media, b"hdlr"), child(trak, b"tkhd")
        if not (header and handler and track):
            raise BoxError("a track lacks its tkhd, mdhd or hdlr box")
        self.number: int = struct.unpack_from(">I", track, 20 if track[0] == 1 else 12)[0]
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
        """Samples listed in the track itself (none where all are in fragments), at most ``limit``."""
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


def fragment_samples(track: int, mvex: bytes, fragments: list[tuple[int, bytes]], limit: int) -> Samples:
    """Return the samples of a track that lie in fragments, at most ``limit``."""
    defaults = next((body for name, body in boxes(mvex) if body[4:8] == struct.pack(">I", track)), b"")
    duration, size, flags = struct.unpack_from(">III", defaults, 12) if defaults else (0, 0, 0)
    rows: list[tuple[int, int, int, int, bool]] = []
    clock = 0
    for start, moof in fragments:
        for name, traf in boxes(moof):
            if name == b"traf" and child(traf, b"tfhd")[4:8] == struct.pack(">I", track):
                clock = _add_fragment(rows, traf, start, clock, (duration, size, flags, limit))
    columns = zip(*rows, strict=True) if rows else ((),) * 5
    pts, durations, offsets, sizes, keys = (np.array(column, np.int64) for column in columns)
    return Samples(pts, durations, offsets, sizes, keys.astype(bool))


def _add_fragment(
    rows: list[tuple[int, int, int, int, bool]], traf: bytes, start: int, clock: int, default: tuple[int, ...]
) -> int:
    header = child(traf, b"tfhd")
    options, at, base, values = int.from_bytes(header[1:4], "big"), 8, start, list(default)
    if options & 0x1:
        (base,) = struct.unpack_from(">Q", header, at)
        at += 8
    at += 4 if options & 0x2 else 0
    for place, bit in enumerate((0x8, 0x10, 0x20)):
        if options & bit:
            (values[place],) = struct.unpack_from(">I", header, at)
            at += 4
    if time := child(traf, b"tfdt"):
        (clock,) = struct.unpack_from(">Q" if time[0] == 1 else ">I", time, 4)
    offset = base
    for name, trun in boxes(traf):
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

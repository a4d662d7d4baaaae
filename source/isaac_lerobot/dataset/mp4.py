"""mp4: the few facts about a video file that decide whether readers find the right frame.

Only the boxes needed for that are read (ISO/IEC 14496-12): no decoder, microseconds per file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from isaac_lerobot.errors import DatasetError

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_CODEC_BOXES = {b"avcC", b"hvcC", b"av1C"}
_SAMPLE_ENTRY_SIZE = 8 + 78


@dataclass(frozen=True)
class VideoFacts:
    """What the index of an mp4 file says.

    Attributes:
        frames: Number of frames.
        timescale: Ticks per second of the video's clock.
        steps: The distinct frame durations [ticks]; one for a constant rate.
        configuration: The codec's parameter sets; only files with equal ones may be joined.
    """

    frames: int
    timescale: int
    steps: tuple[int, ...]
    configuration: bytes

    def is_constant(self, fps: int) -> bool:
        """Whether every frame lasts 1/fps."""
        # The last frame's duration is of no consequence, and single frames carry whatever the muxer chose.
        return self.frames <= 1 or (len(self.steps) == 1 and self.steps[0] * fps == self.timescale)


def read_facts(path: Path) -> VideoFacts:
    """Read the index of an mp4 file with one video track.

    Raises:
        DatasetError: The file is no complete mp4.
    """
    try:
        boxes = dict(_walk(_movie_box(path)))
        sizes, times, media = boxes[b"stsz"], boxes[b"stts"], boxes[b"mdhd"]
        timescale = struct.unpack_from(">I", media, 20 if media[0] == 1 else 12)[0]
        entries = struct.unpack_from(">I", times, 4)[0]
        runs = [struct.unpack_from(">II", times, 8 + 8 * i) for i in range(entries)]
        return VideoFacts(
            frames=struct.unpack_from(">I", sizes, 8)[0],
            timescale=timescale,
            steps=tuple(sorted({step for _, step in runs})),
            configuration=_configuration(boxes[b"stsd"]),
        )
    except (OSError, KeyError, struct.error, ValueError) as error:
        raise DatasetError(f"{path} is no complete mp4 file: {error!r}.") from error


def _movie_box(path: Path) -> bytes:
    """Return the content of the top-level ``moov`` box."""
    with path.open("rb") as file:
        while True:
            head = file.read(8)
            if len(head) < 8:
                raise ValueError("it has no index (moov)")
            size, kind = struct.unpack(">I4s", head)
            used = 8
            if size == 1:
                size, used = struct.unpack(">Q", file.read(8))[0], 16
            if kind == b"moov":
                content = file.read(size - used)
                if len(content) < size - used:
                    raise ValueError("its index is cut off")
                return content
            if size < used:
                raise ValueError("it has no index (moov)")
            file.seek(size - used, 1)


def _walk(content: bytes) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    offset = 0
    while offset + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, offset)
        if size < 8:
            raise ValueError(f"box {kind!r} of size {size}")
        inside = content[offset + 8 : offset + size]
        found += _walk(inside) if kind in _CONTAINERS else [(kind, inside)]
        offset += size
    return found


def _configuration(descriptions: bytes) -> bytes:
    entry = descriptions[8:]
    for kind, inside in _walk(entry[_SAMPLE_ENTRY_SIZE:]):
        if kind in _CODEC_BOXES:
            return kind + inside
    return entry

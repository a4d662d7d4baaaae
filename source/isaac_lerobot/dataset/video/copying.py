"""Copying: frames of mp4 files into other mp4 files, as they are encoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isaac_lerobot.dataset.video import ffmpeg
from isaac_lerobot.dataset.video.mp4 import read_mp4
from isaac_lerobot.errors import DatasetError


def concatenate(sources: Sequence[Path], target: Path, fps: int) -> None:
    """Write the frames of several mp4 files of constant rate and one configuration into one.

    Args:
        sources: The files, in order.
        target: The file to write; a listing is written beside it.
        fps: Frames per second.

    Raises:
        DatasetError: ffmpeg could not do it, or the result has other frames than the sources.
    """
    first = read_mp4(sources[0])
    frames = first.frames + sum(read_mp4(source).frames for source in sources[1:])
    step = first.timescale // fps
    listing = target.with_suffix(".txt")
    lines = "".join(f"file {_quoted(source)}\n" for source in sources)
    listing.write_text("ffconcat version 1.0\n" + lines, encoding="utf-8")
    # The concatenation works in microseconds; snapping to the frame grid keeps times exact over any number of files.
    grid = f"setts=pts=round(PTS/{step})*{step}:dts=round(DTS/{step})*{step}:duration={step}"
    failure = ffmpeg.run(
        [
            *("-f", "concat", "-safe", "0", "-i", f"file:{listing}", "-map", "0:v", "-c", "copy", "-bsf:v", grid),
            *("-video_track_timescale", str(first.timescale), "-movflags", "+faststart", "-f", "mp4", f"file:{target}"),
        ]
    )
    if failure:
        raise DatasetError(f"ffmpeg could not join {sources[0]} and {len(sources) - 1} more videos: {failure}.")
    mp4 = read_mp4(target)
    if mp4.frames != frames or not mp4.is_constant(fps) or mp4.timescale != first.timescale:
        raise DatasetError(
            f"Joining {sources[0]} and {len(sources) - 1} more gave {mp4.extent()}, not {frames} frames of 1/{fps} s."
        )


def cut(source: Path, target: Path, first: int, count: int, fps: int) -> None:
    """Write ``count`` frames of an mp4 file, from number ``first`` on, into another.

    Args:
        source: The file; frame ``first`` can be cut at, see :meth:`Mp4.can_be_cut`.
        target: The file to write.
        first: Number of the first frame.
        count: How many.
        fps: Frames per second.

    Raises:
        DatasetError: ffmpeg could not do it, or copied other frames.
    """
    whole = read_mp4(source)
    step = whole.timescale // fps
    # A quarter of a frame later, lest a time rounded down should mean the key frame before.
    seek = ["-ss", f"{(first + 0.25) / fps:.6f}"] if first else []
    failure = ffmpeg.run(
        [
            *(*seek, *ffmpeg.mp4_input(source), "-map", "0:v", "-c", "copy", "-frames:v", str(count)),
            *("-bsf:v", f"setts=ts=N*{step}:duration={step}", "-video_track_timescale", str(whole.timescale)),
            *("-f", "mp4", f"file:{target}"),
        ]
    )
    if failure:
        raise DatasetError(f"ffmpeg could not copy {count} frames of {source}: {failure}.")
    part = read_mp4(target)
    if not np.array_equal(part.sizes, whole.sizes[first : first + count]) or not part.is_constant(fps):
        raise DatasetError(f"Copying the frames {first} to {first + count - 1} of {source} gave {part.extent()}.")


def _quoted(path: Path) -> str:
    return "'" + str(path.resolve()).replace("'", "'\\''") + "'"

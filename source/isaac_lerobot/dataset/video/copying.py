"""Copying: frames of mp4 files into other mp4 files, as they are encoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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


def _quoted(path: Path) -> str:
    return "'" + str(path.resolve()).replace("'", "'\\''") + "'"

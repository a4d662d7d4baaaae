"""Rules for the mp4 files under ``videos/``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isaac_lerobot.dataset.check.evidence import Evidence, Segment, Video
from isaac_lerobot.dataset.check.report import shortened
from isaac_lerobot.dataset.check.rule import ERROR, TOLERANCE, WARNING, Complaints, rule
from isaac_lerobot.dataset.video.mp4 import Mp4

_FLOAT32_LIMIT = 1024.0  # s; from here on float32 seconds are more than the tolerance apart
_SAFE_EPISODE = 64.0  # s; shorter episodes pass even there (measured, lerobot-format.md part 6)
_PICTURE_TOLERANCE = 0.06  # of the full scale, between a codec's mean and the statistics'


@rule("video-missing", ERROR, "lerobot does not load the dataset, and asks the Hub for the file")
def _there(evidence: Evidence) -> Complaints:
    """Every mp4 that an episode names is there."""
    for (camera, name), segments in evidence.segments.items():
        if not (evidence.root / name).is_file():
            episodes = shortened(segment.episode for segment in segments)
            yield name, f"it is missing, and {camera} of the episodes {episodes} with it"


@rule("video-extra", WARNING, "it takes space for nothing, and goes to the Hub too")
def _referenced(evidence: Evidence) -> Complaints:
    """Every mp4 shows an episode."""
    wanted = {name for _, name in evidence.segments}
    _ = evidence.episode_numbers("length")
    for name in evidence.videos:
        if name not in wanted:
            yield name, "no episode lies in it"


@rule("video-unreadable", ERROR, "none of its pictures can be read")
def _readable(evidence: Evidence) -> Complaints:
    """Every mp4 has a complete index (`moov`)."""
    for video in evidence.videos.values():
        if video.error:
            yield video.name, video.error


@rule("video-cut-off", ERROR, "early frames are read, later ones fail or are wrong. Copy the file again")
def _complete(evidence: Evidence) -> Complaints:
    """Every mp4 has the data of all its frames."""
    for video, mp4, _ in evidence.readable_videos():
        if mp4.cut_off:
            yield video.name, f"the data of {mp4.cut_off} of its {mp4.frames} frames lie behind its end"


@rule("video-tracks", ERROR, "merging fails, and info.json's has_audio is not true")
def _tracks(evidence: Evidence) -> Complaints:
    """An mp4 has one stream of pictures and nothing else."""
    for video, mp4, _ in evidence.readable_videos():
        if mp4.tracks != ("vide",):
            kinds = {"vide": "pictures", "soun": "sound"}
            yield video.name, f"its tracks are {shortened(kinds.get(track, track) for track in mp4.tracks)}"


def _shown(evidence: Evidence) -> Iterator[tuple[Video, Mp4, list[Segment]]]:
    """The readable mp4s that show episodes, with these."""
    for (_, name), segments in evidence.segments.items():
        video = evidence.videos.get(name)
        if video is not None and video.mp4 is not None:
            yield video, video.mp4, segments


@rule(
    "video-frames", ERROR, "rows show the pictures of other rows, without a word, or there are none for the last ones"
)
def _frames(evidence: Evidence) -> Complaints:
    """An mp4 has exactly as many frames as its episodes have rows."""
    for video, mp4, segments in _shown(evidence):
        length = sum(segment.length for segment in segments)
        if mp4.frames != length:
            episodes = shortened(segment.episode for segment in segments)
            yield video.name, f"it has {mp4.frames} frames, and its episodes ({episodes}) have {length} rows"


@rule("video-pts", ERROR, "lerobot rejects frames, or shows others")
def _pts(evidence: Evidence) -> Complaints:
    """Frame k of a file is shown at `k / fps`, the first at 0, with no gap and no double."""
    for video, mp4, _ in evidence.readable_videos():
        frames = np.arange(mp4.frames)
        off = mp4.pts / mp4.timescale - frames / evidence.fps
        wrong = np.flatnonzero(np.abs(off) > TOLERANCE / 2)
        if mp4.frames and mp4.pts[0] != 0:
            yield video.name, f"its first frame is shown at {mp4.pts[0] / mp4.timescale:.4f} s, not at 0"
        elif len(wrong):
            frame = int(wrong[0])
            shown, due = mp4.pts[frame] / mp4.timescale, frame / evidence.fps
            yield video.name, f"frame {frame} is shown at {shown:.4f} s, and is due at {due:.4f} s"


@rule("video-pts-exact", WARNING, "errors add up when files are joined")
def _exact_pts(evidence: Evidence) -> Complaints:
    """The file's clock can hold these times exactly."""
    for video, mp4, _ in evidence.readable_videos():
        off = np.abs(mp4.pts * evidence.fps - np.arange(mp4.frames) * mp4.timescale)
        worst = float(off.max(initial=0)) / mp4.timescale / evidence.fps
        if 0 < worst <= TOLERANCE / 2:
            yield (
                video.name,
                f"its clock of {mp4.timescale} Hz cannot hold {evidence.fps} fps; frames are up to {worst:.1e} s off",
            )


@rule("video-edit-list", ERROR, "readers that honour it count other frames")
def _edited(evidence: Evidence) -> Complaints:
    """No edit list hides frames."""
    for video, mp4, _ in evidence.readable_videos():
        if mp4.hidden:
            yield video.name, f"its edit list hides {mp4.hidden} of its {mp4.frames} frames"


@rule("video-rate", ERROR, "torchcodec counts frames by it and lerobot shows the wrong ones, or fails")
def _rate(evidence: Evidence) -> Complaints:
    """The average rate is `fps`."""
    for video, mp4, feature in evidence.readable_videos():
        # Depth is read by pyav, which goes by the frames' times and not by their average rate.
        if mp4.frames and not feature.is_depth:
            rate = mp4.frames * mp4.timescale / max(1, mp4.duration)
            if abs(rate - evidence.fps) / evidence.fps * mp4.frames >= 0.5:
                yield video.name, f"its frames last {1 / rate:.6f} s on average, and 1/fps is {1 / evidence.fps:.6f} s"


@rule("video-size", ERROR, "readers get another shape than info.json says")
def _size(evidence: Evidence) -> Complaints:
    """Pictures have the declared size."""
    for video, mp4, feature in evidence.readable_videos():
        if tuple(feature.shape[:2]) != (mp4.height, mp4.width):
            yield video.name, f"its pictures are {mp4.height}x{mp4.width}, and info.json says {list(feature.shape)}"


def _as_declared(evidence: Evidence, key: str, attribute: str) -> Complaints:
    for video, mp4, feature in evidence.readable_videos():
        said, found = (feature.info or {}).get(key), getattr(mp4, attribute)
        if said is not None and found is not None and _plain(said) != _plain(found):
            yield video.name, f"info.json's {key} is {said!r}, and the file's {found!r}"


def _plain(name: object) -> object:
    """Names of one thing under one name: full range, and RGB, which mp4 boxes show as 4:4:4 only."""
    return {"yuvj420p": "yuv420p", "yuvj444p": "yuv444p", "gbrp": "yuv444p"}.get(str(name), name)


@rule("video-codec", ERROR, "lerobot-edit-dataset encodes with the wrong one")
def _codec(evidence: Evidence) -> Complaints:
    """`video.codec` is the file's."""
    return _as_declared(evidence, "video.codec", "codec")


@rule("video-pix-fmt", ERROR, "lerobot-edit-dataset encodes with the wrong one")
def _pix_fmt(evidence: Evidence) -> Complaints:
    """`video.pix_fmt` is the file's."""
    return _as_declared(evidence, "video.pix_fmt", "pix_fmt")


@rule("video-info", ERROR, "merging with other datasets is refused or goes wrong")
def _described(evidence: Evidence) -> Complaints:
    """The other `info` values are true (height, width, fps, channels, no sound)."""
    for camera, feature in evidence.cameras.items():
        true = {
            "video.height": feature.shape[0],
            "video.width": feature.shape[1],
            "video.fps": evidence.fps,
            "video.channels": feature.shape[-1],
            "has_audio": False,
        }
        for key, value in true.items():
            said = (feature.info or {}).get(key, value)
            if said != value:
                yield f"feature {camera}", f"info.json's {key} is {said!r}, and should be {value!r}"


@rule("video-differs", ERROR, "lerobot joins them as they are, and the result cannot be decoded")
def _alike(evidence: Evidence) -> Complaints:
    """All files of a camera have one codec, size and pixel format."""
    first: dict[str, tuple[Video, Mp4]] = {}
    for video, mp4, _ in evidence.readable_videos():
        other, model = first.setdefault(video.camera, (video, mp4))
        for what in ("codec", "width", "height", "pix_fmt"):
            if (mine := getattr(mp4, what)) != (theirs := getattr(model, what)):
                yield video.name, f"its {what} is {mine}, and that of {other.name} is {theirs}"


@rule("video-open-gop", ERROR, "random access gives wrong frames. Encode with open-gop=0 or without B-frames")
def _closed_gops(evidence: Evidence) -> Complaints:
    """HEVC has closed GOPs."""
    for video, mp4, feature in evidence.readable_videos():
        if mp4.open_gop and not feature.is_depth:
            yield video.name, "it is HEVC with open GOPs"


@rule(
    "video-float32", ERROR, "lerobot raises FrameTimestampError for them. Split the file, so that it stays below 1024 s"
)
def _single_precision(evidence: Evidence) -> Complaints:
    """Every frame passes lerobot's comparison of times in float32."""
    for video, mp4, segments in _shown(evidence):
        if mp4.frames / evidence.fps < _FLOAT32_LIMIT:
            continue
        failing = 0
        for segment in segments:
            # What lerobot computes: double start + float32 time, compared with the frame's time, both in float32.
            time = (np.arange(segment.length) / evidence.fps).astype(np.float32)
            first = round(segment.start * evidence.fps)
            shown = mp4.pts[first : first + segment.length] / mp4.timescale
            asked = (segment.start + time[: len(shown)].astype(np.float64)).astype(np.float32)
            failing += int((np.abs(asked - shown.astype(np.float32)) >= TOLERANCE).sum())
        if failing:
            yield (
                video.name,
                f"it lasts {mp4.frames / evidence.fps:.0f} s, and {failing} frames fail lerobot's test of time",
            )


@rule(
    "video-long", WARNING, "float32 seconds are coarser than lerobot's tolerance there: after an edit frames may fail"
)
def _length(evidence: Evidence) -> Complaints:
    """An mp4 with episodes over 64 s stays below 1024 s."""
    for video, mp4, segments in _shown(evidence):
        longest = max(segment.length for segment in segments) / evidence.fps
        seconds = mp4.frames / evidence.fps
        if seconds >= _FLOAT32_LIMIT and longest > _SAFE_EPISODE:
            yield video.name, f"it lasts {seconds:.0f} s, and its longest episode {longest:.0f} s"


@rule("video-decode", ERROR, "training stops there", deep=True)
def _decodable(evidence: Evidence) -> Complaints:
    """Every frame can be decoded."""
    for video, mp4, _ in evidence.readable_videos():
        means, error = evidence.decoded(video)
        if error:
            yield video.name, f"it cannot be decoded without errors ({error})"
        elif len(means) != mp4.frames:
            yield video.name, f"{len(means)} of its {mp4.frames} frames can be decoded"


@rule("video-picture", ERROR, "it probably shows another episode's pictures", deep=True)
def _pictures(evidence: Evidence) -> Complaints:
    """An episode's pictures are as bright as its statistics say."""
    means_by_camera = evidence.episode_statistics([f"stats/{camera}/mean" for camera in evidence.cameras])
    for video, _, segments in _shown(evidence):
        column = means_by_camera.get(f"stats/{video.camera}/mean")
        if column is None or evidence.cameras[video.camera].is_depth:
            continue
        means, error = evidence.decoded(video)
        if error:
            continue
        for segment in segments:
            first, expected = round(segment.start * evidence.fps), np.ravel(column[segment.episode])
            found = means[first : first + segment.length]
            if len(found) and expected.shape == (3,):
                off = float(np.abs(found.mean(axis=0) - expected).max())
                if off > _PICTURE_TOLERANCE:
                    yield (
                        f"episode {segment.episode}, {video.camera}",
                        f"its pictures' mean is {off:.2f} off its statistics",
                    )

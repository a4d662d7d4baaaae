"""The mp4 structure: real encoders' files, files built from boxes alone, and damaged ones."""

import contextlib
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isaac_lerobot.dataset.check import RULES, Report
from isaac_lerobot.dataset.check.evidence import Evidence, Segment, Video
from isaac_lerobot.dataset.format.features import Feature
from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg
from isaac_lerobot.dataset.video.mp4 import Mp4, Mp4Error, read_mp4
from isaac_lerobot.errors import DatasetError

OPEN, CLOSED = ("keyint=8:min-keyint=8:scenecut=0:log-level=none:open-gop=" + flag for flag in "10")
ENCODERS = {
    "h264 with B-frames": (("-c:v", "libx264", "-pix_fmt", "yuv420p"), "h264", "yuv420p", False),
    "h264 baseline": (("-c:v", "libx264", "-profile:v", "baseline", "-pix_fmt", "yuv420p"), "h264", "yuv420p", False),
    "h264 4:4:4": (("-c:v", "libx264", "-pix_fmt", "yuv444p"), "h264", "yuv444p", False),
    "h264 10 bit": (("-c:v", "libx264", "-pix_fmt", "yuv420p10le"), "h264", "yuv420p10le", False),
    "hevc open": (("-c:v", "libx265", "-x265-params", OPEN, "-pix_fmt", "yuv420p"), "hevc", "yuv420p", True),
    "hevc closed": (("-c:v", "libx265", "-x265-params", CLOSED, "-pix_fmt", "yuv420p"), "hevc", "yuv420p", False),
    "hevc depth": (("-c:v", "libx265", "-x265-params", CLOSED, "-pix_fmt", "gray12le"), "hevc", "gray12le", False),
    "av1": (("-c:v", "libsvtav1", "-g", "2", "-pix_fmt", "yuv420p"), "av1", "yuv420p", False),
    "mpeg4": (("-c:v", "mpeg4", "-pix_fmt", "yuv420p"), "mpeg4", None, False),
}


def _encode(path: Path, *options: str, frames: int = 24) -> Path:
    source = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=10", "-frames:v", str(frames)]
    subprocess.run([find_ffmpeg(), "-v", "error", *source, *options, str(path)], check=True)
    return path


@pytest.mark.parametrize("name", ENCODERS)
def test_files_of_encoders(tmp_path: Path, name: str) -> None:
    options, codec, pix_fmt, open_gop = ENCODERS[name]
    mp4 = read_mp4(_encode(tmp_path / "video.mp4", *options))
    assert (mp4.codec, mp4.pix_fmt, mp4.width, mp4.height) == (codec, pix_fmt, 64, 48)
    np.testing.assert_array_equal(mp4.pts * 10, np.arange(24) * mp4.timescale)
    assert mp4.duration * 10 == 24 * mp4.timescale
    assert (mp4.hidden, mp4.cut_off, mp4.tracks, mp4.open_gop) == (0, 0, ("vide",), open_gop)
    assert mp4.is_constant(10)
    assert not mp4.is_constant(20)
    assert mp4.extent() == f"24 frames in steps of {mp4.timescale // 10} / {mp4.timescale} s"


def test_configuration_tells_which_files_can_be_joined(tmp_path: Path) -> None:
    plain = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
    files = {"a": plain, "same": plain, "no B-frames": (*plain, "-bf", "0"), "other codec": ("-c:v", "mpeg4")}
    found = {name: read_mp4(_encode(tmp_path / f"{name}.mp4", *files[name])).configuration for name in files}
    assert found["a"] == found["same"] != b""
    assert len(set(found.values())) == 3


def test_the_order_of_boxes_does_not_matter(tmp_path: Path) -> None:
    plain = ("-c:v", "libx264", "-bf", "0", "-g", "5", "-pix_fmt", "yuv420p")
    mp4 = read_mp4(_encode(tmp_path / "video.mp4", *plain, "-movflags", "+faststart"))
    np.testing.assert_array_equal(mp4.pts * 10, np.arange(24) * mp4.timescale)
    assert (mp4.frames, mp4.hidden, mp4.cut_off) == (24, 0, 0)


@pytest.mark.parametrize("flags", ["+frag_keyframe", "+frag_keyframe+empty_moov+default_base_moof"])
def test_a_file_in_fragments_is_refused_with_what_makes_it_whole(tmp_path: Path, flags: str) -> None:
    path = _encode(tmp_path / "video.mp4", "-c:v", "libx264", "-g", "5", "-movflags", flags)
    with pytest.raises(DatasetError, match=r"in fragments.*-c copy"):
        read_mp4(path)


def _box(name: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name.encode()) + body


def _full(name: str, *parts: bytes) -> bytes:
    return _box(name, bytes(4), *parts)


def _rows(*rows: tuple[int, ...]) -> bytes:
    return struct.pack(">I", len(rows)) + b"".join(
        struct.pack(f">{len(row)}I", *(n % 2**32 for n in row)) for row in rows
    )


def build_mp4(steps: list[int], shifts: list[int], timescale: int, start: int) -> bytes:
    """An mp4 with one byte per frame: decoding steps and presentation shifts [ticks], and an edit list's start."""
    entry = bytes(24) + struct.pack(">HH", 64, 48) + bytes(50)
    table = (
        _full("stsd", struct.pack(">I", 1), _box("mp4v", entry)),
        _full("stts", _rows(*((1, step) for step in steps))),
        _full("ctts", _rows(*((1, shift) for shift in shifts))),
        _full("stsc", _rows((1, len(steps), 1))),
        _full("stsz", struct.pack(">II", 1, len(steps))),
        _full("stco", _rows((36,))),
    )
    media = (
        _full("mdhd", bytes(8), struct.pack(">II", timescale, sum(steps)), bytes(4)),
        _full("hdlr", bytes(4), b"vide", bytes(13)),
        _box("minf", _box("stbl", *table)),
    )
    edit = _box("edts", _full("elst", struct.pack(">IIiI", 1, 0, start, 0x10000)))
    track = _box("trak", _full("tkhd", bytes(8), struct.pack(">I", 1), bytes(68)), edit, _box("mdia", *media))
    movie = _box("moov", _full("mvhd", bytes(8), struct.pack(">II", 1000, 0), bytes(80)), track)
    return _box("ftyp", b"isom", bytes(16)) + _box("mdat", bytes(len(steps))) + movie


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_times_of_any_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    frames = data.draw(st.integers(1, 40))
    steps = data.draw(st.lists(st.integers(1, 5000), min_size=frames, max_size=frames))
    shifts = data.draw(st.lists(st.integers(-3000, 9000), min_size=frames, max_size=frames))
    timescale, start = data.draw(st.integers(1, 90000)), data.draw(st.integers(0, 3000))
    path = tmp_path_factory.mktemp("built") / "video.mp4"
    path.write_bytes(build_mp4(steps, shifts, timescale, start))
    mp4 = read_mp4(path)
    decoding = np.concatenate([[0], np.cumsum(steps)[:-1]])
    np.testing.assert_array_equal(mp4.pts, np.sort(decoding + shifts - start))
    assert (mp4.timescale, mp4.duration, mp4.cut_off) == (timescale, sum(steps), 0)
    assert mp4.hidden == int((mp4.pts < 0).sum())
    assert mp4.steps == tuple(sorted(set(steps)))
    assert mp4.is_constant(timescale) == (frames == 1 or set(steps) == {1})


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_raises_nothing_but_mp4_errors(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(build_mp4([512] * 5, [0] * 5, 5120, 0))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "video.mp4"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    with contextlib.suppress(Mp4Error):
        assert read_mp4(path).tracks


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(Mp4Error, match=r"gone\.mp4 .*No such file"):
        read_mp4(tmp_path / "gone.mp4")
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(DatasetError, match=r"empty\.mp4 is no complete mp4 file: it has no moov box"):
        read_mp4(path)


def _judge(code: str, fps: int, frames: int, length: int) -> list[str]:
    """What the rule ``code`` says of one exact mp4 with ``frames`` frames in episodes of ``length`` frames."""
    pts = np.arange(frames, dtype=np.int64) * 512
    mp4 = Mp4(
        codec="h264",
        configuration=b"",
        width=64,
        height=48,
        pix_fmt="yuv420p",
        timescale=512 * fps,
        pts=pts,
        steps=(512,),
        duration=512 * frames,
        hidden=0,
        sizes=np.ones(frames, np.int64),
        keys=np.ones(frames, bool),
        is_reordered=False,
        cut_off=0,
        intact=frames,
        tracks=("vide",),
        open_gop=False,
    )
    name = "videos/front/chunk-000/file-000.mp4"
    evidence, report = Evidence(Path("root")), Report(Path("root"))
    evidence.__dict__.update(
        fps=fps,
        features={"front": Feature("front", "video", (48, 64, 3))},
        videos={name: Video(Path(name), name, "front", mp4, "")},
        segments={
            ("front", name): [
                Segment(row, length, row * length / fps, (row + 1) * length / fps) for row in range(frames // length)
            ]
        },
    )
    next(rule for rule in RULES if rule.code == code).judge(evidence, report)
    assert report.checked == 1
    return [finding.message for finding in report.findings]


@pytest.mark.parametrize(
    ("fps", "minutes", "episode", "failing", "long"),
    [
        (25, 17, 120, False, False),
        (30, 30, 120, False, True),
        (25, 30, 240, True, True),
        (30, 30, 240, True, True),
        (30, 30, 60, False, False),
    ],
)
def test_files_over_1024_seconds(fps: int, minutes: int, episode: int, failing: bool, long: bool) -> None:
    """Files that lerobot's float32 comparison of times rejects (lerobot-format.md part 6), with exact starts."""
    frames = minutes * 60 * fps // (episode * fps) * (episode * fps)
    assert bool(_judge("video-float32", fps, frames, episode * fps)) == failing
    assert bool(_judge("video-long", fps, frames, episode * fps)) == long

"""Encoders: the same videos whatever the engine, few threads and little memory whatever the number of cameras."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from dataset.recordings import FEATURES, check_pictures, check_read, frame, picture, record
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, VideoCodec
from isaac_lerobot.dataset.format.statistics import PictureStatistics
from isaac_lerobot.dataset.video import pool as pools
from isaac_lerobot.dataset.video.encoder import VideoStream, reserve
from isaac_lerobot.dataset.video.mp4 import read_mp4
from isaac_lerobot.dataset.video.pool import EncoderPool
from isaac_lerobot.errors import ConfigError, DatasetError, EncoderError
from waiting import until

LIBRARY, PROGRAM = "h264:engine=library", "h264:engine=program"
ENGINES = pytest.mark.parametrize("codec", [LIBRARY, PROGRAM])


def encoders() -> list[int]:
    """Process ids of the ffmpeg children of this process."""
    listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="], capture_output=True, text=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, name, *_ in rows if name.startswith("ffmpeg")]


def colours(frames: int, height: int, width: int) -> np.ndarray:
    """Coloured gradients and patches, uint8 ``(frames, height, width, 3)``: all of the colour cube is in them."""
    y, x, t = np.mgrid[:height, :width, :frames].transpose(0, 3, 1, 2)
    mixed = np.stack([x * 255 // width, y * 255 // height, (x // 8 + y // 8 + t) * 40 % 256], axis=-1)
    mixed[:, : height // 2, : width // 3] = mixed[:, : height // 2, : width // 3, ::-1]
    return mixed.astype(np.uint8)


def encode(path: Path, frames: np.ndarray, codec: str, pool: EncoderPool | None = None) -> Path:
    stream = VideoStream(path, frames.shape[1:], 30, VideoCodec.parse(codec), pool)
    for one in frames:
        reserve([stream])
        stream.put(one)
    stream.end()
    assert stream.result().frames == len(frames)
    return path


def add_frames(episode, frames: int) -> None:
    for number in range(frames):
        episode.add_frame(frame(0, number))


def decoded(path: Path) -> np.ndarray:
    import av

    with av.open(str(path)) as file:
        return np.stack([one.to_ndarray(format="rgb24") for one in file.decode(video=0)])


@pytest.mark.parametrize("settings", ["", "crf=20", "preset=medium,gop=10", "threads=2"])
@pytest.mark.parametrize("size", [(64, 48), (65, 63), (240, 320)])
def test_both_engines_make_videos_that_differ_in_nothing_a_reader_sees(tmp_path, settings, size):
    frames = colours(23, *size)
    ours = encode(tmp_path / "library.mp4", frames, ",".join(filter(None, [LIBRARY, settings])))
    theirs = encode(tmp_path / "program.mp4", frames, ",".join(filter(None, [PROGRAM, settings])))
    one, other = read_mp4(ours), read_mp4(theirs)
    assert (one.codec, one.pix_fmt, one.width, one.height) == (other.codec, other.pix_fmt, other.width, other.height)
    assert one.configuration == other.configuration
    assert (one.timescale, one.steps, one.duration) == (other.timescale, other.steps, other.duration)
    np.testing.assert_array_equal(one.keys, other.keys)
    difference = np.abs(decoded(ours).astype(int) - decoded(theirs).astype(int))
    assert difference.max() <= 2


@pytest.mark.parametrize("name", ["hevc", "av1"])
def test_the_library_has_the_other_codecs_too(tmp_path, name):
    frames = np.stack([picture(1, number, 64, 96) for number in range(9)])
    check_pictures(decoded(encode(tmp_path / "video.mp4", frames, f"{name}:engine=library")), list(frames))


def test_episodes_of_both_engines_are_joined_into_one_file(tmp_path, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES, codec=LIBRARY) as writer:
        record(writer, 0, 7)
    with DatasetWriter.append(root, codec=PROGRAM) as writer:
        record(writer, 1, 4)
    with DatasetWriter.append(root, codec=LIBRARY) as writer:
        record(writer, 2, 9)
    assert len(list((root / "videos").rglob("*.mp4"))) == 1
    check_read(lerobot.read(root), [(0, 7), (1, 4), (2, 9)])


def test_a_hundred_and_twenty_eight_cameras_take_no_thread_and_no_process_each(tmp_path, lerobot):
    root, before = tmp_path / "set", threading.active_count()
    with DatasetWriter.create(root, 30, FEATURES) as writer:
        episodes = [writer.begin_episode("do it") for _ in range(128)]
        for number in range(3):
            for index, episode in enumerate(episodes):
                episode.add_frame(frame(index, number))
        assert threading.active_count() - before <= max(2, len(os.sched_getaffinity(0)))
        assert encoders() == []
        for episode in episodes:
            episode.save()
    check_read(lerobot.read(root), [(index, 3) for index in range(128)])


def test_a_memory_for_a_few_pictures_lets_the_recording_wait_and_loses_none(tmp_path):
    frames = np.stack([picture(1, number) for number in range(100)])
    path = encode(tmp_path / "video.mp4", frames, LIBRARY, EncoderPool(threads=2, memory=1))
    check_pictures(decoded(path), list(frames))


def test_memory_for_pictures_is_bounded_for_all_cameras_together():
    shape = (100, 100, 3)
    pool = EncoderPool(threads=1, memory=10 * 30_000)
    with pool.changed:
        taken = [pool.take([shape, shape]) for _ in range(6)]
        assert [found is None for found in taken] == [False] * 5 + [True]
        pool.give_back(taken[0])
        assert pool.take([shape, shape]) is not None


@ENGINES
def test_a_discarded_episode_frees_its_encoders_at_once(tmp_path, codec, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES, codec=codec) as writer:
        for _ in range(5):
            episode = writer.begin_episode("do it")
            for number in range(20):
                episode.add_frame(frame(1, number))
            episode.discard()
            assert encoders() == []
        assert not list(root.rglob("*.mp4"))
        record(writer, 2, 4)
    check_read(lerobot.read(root), [(2, 4)])


def test_an_ffmpeg_that_hangs_is_noticed(tmp_path, monkeypatch, lerobot):
    root = tmp_path / "set"
    monkeypatch.setattr(pools, "PATIENCE_S", 0.5)
    with DatasetWriter.create(root, 30, FEATURES, codec=PROGRAM) as writer:
        episode = writer.begin_episode("do it")
        episode.add_frame(frame(0, 0))
        os.kill(until(encoders)[0], signal.SIGSTOP)
        episode.save()
        with pytest.raises(DatasetError, match="hangs: it has taken no picture"):
            writer.wait()
        record(writer, 1, 5)
    assert encoders() == []
    check_read(lerobot.read(root), [(1, 5)])


def test_threads_that_hang_in_an_encoder_are_noticed_and_replaced(tmp_path, monkeypatch, lerobot):
    root, go_on, add = tmp_path / "set", threading.Event(), PictureStatistics.add

    def hang(statistics: PictureStatistics, shown: np.ndarray) -> None:
        if shown.max() == 7:
            go_on.wait(60)
        add(statistics, shown)

    monkeypatch.setattr(pools, "PATIENCE_S", 0.5)
    monkeypatch.setattr(PictureStatistics, "add", hang)
    evil = frame(0, 0) | {"observation.images.front": np.full((32, 48, 3), 7, np.uint8)}
    with DatasetWriter.create(root, 30, FEATURES, codec=LIBRARY) as writer:
        hanging = [writer.begin_episode("do it") for _ in range(4)]
        try:
            for episode in hanging:
                episode.add_frame(evil)
            record(writer, 1, 5)
            writer.wait()
            with pytest.raises(EncoderError, match="hangs: it has taken no picture"):
                add_frames(hanging[0], 100)
        finally:
            go_on.set()
        for episode in hanging:
            episode.discard()
        record(writer, 2, 3)
    check_read(lerobot.read(root), [(1, 5), (2, 3)])


def test_where_no_thread_can_be_started_an_episode_fails_and_the_next_is_recorded(tmp_path, monkeypatch):
    frames = np.stack([picture(1, number) for number in range(3)])
    pool = EncoderPool(threads=2, memory=2**20)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(EncoderError, match="No thread can be started"):
            encode(tmp_path / "video.mp4", frames, LIBRARY, pool)
    encode(tmp_path / "video.mp4", frames, LIBRARY, pool)


@ENGINES
def test_running_out_of_handles_is_a_clear_error_and_costs_no_committed_episode(tmp_path, codec, lerobot):
    root = tmp_path / "set"
    command = [sys.executable, "-c", _FEW_HANDLES, str(root), codec]
    done = subprocess.run(command, env=_with_path(), capture_output=True, text=True, timeout=120)
    assert "Too many open files" in done.stdout, done.stdout + done.stderr
    check_read(lerobot.read(root), [(0, 3), (1, 3)])


def _with_path() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


_FEW_HANDLES = """
import resource, sys
from isaac_lerobot.dataset import DatasetWriter
from isaac_lerobot.errors import DatasetError
from dataset.recordings import FEATURES, frame, record
with DatasetWriter.create(sys.argv[1], 30, FEATURES, codec=sys.argv[2]) as writer:
    record(writer, 0, 3)
    writer.wait()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))
    episodes = []
    try:
        for index in range(256):
            episodes.append(writer.begin_episode("do it"))
            for number in range(40):
                episodes[-1].add_frame(frame(index, number))
    except DatasetError as error:
        print(type(error).__name__, error)
    for episode in episodes:
        episode.discard()
    record(writer, 1, 3)
"""


def test_a_forked_child_has_encoders_of_its_own(tmp_path):
    root = tmp_path / "set"
    subprocess.run([sys.executable, "-c", _FORKED, str(root)], env=_with_path(), check=True, timeout=120)
    assert [len(DatasetReader(root / name)) for name in ("child", "parent")] == [1, 2]


_FORKED = """
import os, sys
from pathlib import Path
from isaac_lerobot.dataset import DatasetWriter
from dataset.recordings import FEATURES, record
root = Path(sys.argv[1])
with DatasetWriter.create(root / "parent", 30, FEATURES) as writer:
    record(writer, 0, 3)
    writer.wait()
    child = os.fork()
    if child == 0:
        with DatasetWriter.create(root / "child", 30, FEATURES) as own:
            record(own, 0, 3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    record(writer, 1, 3)
"""


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match="known are auto, library, program"):
        VideoCodec.parse("h264:engine=gpu")


def test_many_writers_share_the_encoders(tmp_path):
    before = threading.active_count()
    with ExitStack() as stack:
        writers = [
            stack.enter_context(DatasetWriter.create(tmp_path / f"set-{number}", 30, FEATURES)) for number in range(6)
        ]
        open_episodes = [writer.begin_episode("do it") for writer in writers]
        for episode in open_episodes:
            episode.add_frame(frame(0, 0))
        assert threading.active_count() - before <= max(2, len(os.sched_getaffinity(0)))
        for episode in open_episodes:
            episode.save()

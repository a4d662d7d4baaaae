"""Whatever fails, committed episodes stay and recording goes on when the cause is gone."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dataset.failing_disk import FailingDisk
from dataset.recordings import FEATURES, check_read, files_of, frame, record
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, check_dataset, read_sidecar, recover_dataset
from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.format.statistics import PictureStatistics
from isaac_lerobot.errors import DatasetError, DatasetLockedError, EncoderError
from waiting import until

PROGRAM = "h264:engine=program"
ENGINES = pytest.mark.parametrize("codec", ["h264:engine=library", PROGRAM])


def encoders() -> list[int]:
    """Process ids of the ffmpeg children of this process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            if int(rest.split()[1]) == os.getpid() and name.startswith("ffmpeg"):
                found.append(int(entry.name))
    return found


def record_and_wait(writer: DatasetWriter, episode: int, length: int) -> None:
    record(writer, episode, length)
    writer.wait()


def add_noise(episode, frames: int) -> None:
    random = np.random.default_rng(0)
    for number in range(frames):
        noise = random.integers(0, 255, (32, 48, 3), dtype=np.uint8)
        episode.add_frame(frame(1, number) | {"observation.images.front": noise})


def fill_the_disk(writer: DatasetWriter) -> None:
    episode = writer.begin_episode("fill the disk")
    add_noise(episode, 2000)
    episode.save()
    writer.wait()


def test_a_commit_that_fails_at_any_step_is_undone(tmp_path, lerobot):
    steps = []
    durable.observers.append(lambda step, path: steps.append(step))
    try:
        with DatasetWriter.create(tmp_path / "count", 30, FEATURES) as writer:
            record(writer, 0, 2)
            writer.wait()
            steps.clear()
            record(writer, 1, 2, "another task", attributes={"seed": 1}, arrays={"a": np.zeros(2)})
            writer.wait()
            number = len(steps)
    finally:
        durable.observers.clear()
    assert number > 20
    for bad in range(number):
        check_undone(tmp_path / f"step{bad}", bad, lerobot if bad % 5 == 0 else None)


def test_a_joining_on_the_way_that_fails_at_any_step_costs_nothing(tmp_path, lerobot):
    steps = []
    durable.observers.append(lambda step, path: steps.append(f"{step} {path}"))
    try:
        with DatasetWriter.create(tmp_path / "count", 30, FEATURES, join_every=2) as writer:
            record_several(writer, 0, 2)
            writer.close(join_files=False)
    finally:
        durable.observers.clear()
    of_joining = [number for number, what in enumerate(steps) if ".recording/join" in what]
    steps = steps[of_joining[0] : of_joining[-1] + 1]
    assert len(steps) > 20
    for bad, what in enumerate(steps):
        root = tmp_path / f"step{bad}"
        with (
            FailingDisk(bad, errno.ENOSPC, begin=".recording/join", spare=("remove-tree",)) as disk,
            DatasetWriter.create(root, 30, FEATURES, join_every=2) as writer,
        ):
            record_several(writer, 0, 5)
        assert disk.failed
        assert recover_dataset(root, dry_run=True) == [], f"failed at step {bad}: {what}"
        assert [episode.length for episode in DatasetReader(root)] == [2] * 5
        if bad % 5 == 0:
            check_read(lerobot.read(root), [(number, 2) for number in range(5)])


@pytest.mark.parametrize("place", ["meta/stats.json", "meta/info.json", ".recording/join/journal.json"])
def test_memory_that_runs_out_while_committing_or_joining_costs_one_episode_at_most(tmp_path, place):
    root, left = tmp_path / "set", 1

    def run_out(step: str, path: Path) -> None:
        nonlocal left
        if step in ("replace", "sync-folder") and path in (root / place, (root / place).parent) and files_of(root):
            left -= 1
            if left == 0:
                raise MemoryError("no room")

    saved = 0
    with DatasetWriter.create(root, 30, FEATURES, join_every=2) as writer:
        record_several(writer, 0, 1)
        durable.observers.append(run_out)
        try:
            for episode in range(1, 4):
                try:
                    record_several(writer, episode, 1)
                    saved += 1
                except DatasetError as error:
                    assert "no room" in str(error)  # noqa: PT017 - at the disk's choice
        finally:
            durable.observers.clear()
    assert left < 1
    assert saved == (3 if "join" in place else 2)
    assert [episode.length for episode in DatasetReader(root)] == [2] * (saved + 1)
    assert recover_dataset(root, dry_run=True) == []
    assert check_dataset(root).ok


def record_several(writer: DatasetWriter, first: int, number: int) -> None:
    for episode in range(first, first + number):
        record(writer, episode, 2)
        writer.wait()


def check_undone(root: Path, bad: int, lerobot) -> None:
    committed, failed = [], []
    writer = DatasetWriter.create(
        root, 30, FEATURES, on_committed=committed.append, on_failed=lambda *what: failed.append(what)
    )
    record(writer, 0, 2)
    writer.wait()
    before = files_of(root)
    with FailingDisk(bad, errno.ENOSPC, spare=("remove-tree",)):
        record(writer, 1, 2, "another task", attributes={"seed": 1}, arrays={"a": np.zeros(2)})
        try:
            writer.wait()
        except DatasetError as error:
            assert "No space left" in str(error)  # noqa: PT017 - the last step is a removal and may not fail
            assert files_of(root) == before
            assert [index for index, _ in failed] == [1]
            kept = [(0, 2), (2, 3)]
        else:
            kept = [(0, 2), (1, 2), (2, 3)]
    record(writer, 2, 3)
    writer.close(join_files=lerobot is not None)
    assert committed == list(range(len(kept)))
    assert recover_dataset(root, dry_run=True) == []
    if lerobot is not None:
        check_read(lerobot.read(root), kept)


def test_episodes_saved_after_a_failed_one_move_down(tmp_path, lerobot):
    root = tmp_path / "set"
    events = []
    with DatasetWriter.create(
        root,
        30,
        FEATURES,
        codec=PROGRAM,
        on_committed=lambda index: events.append(("committed", index)),
        on_failed=lambda index, error: events.append(("failed", index)),
    ) as writer:
        bad = writer.begin_episode("do it")
        bad.add_frame(frame(0, 0))
        os.kill(until(encoders)[0], signal.SIGSTOP)
        assert bad.save() == 0
        assert record(writer, 1, 3) == 1
        assert record(writer, 2, 4) == 2
        oldest = min(encoders())
        os.kill(oldest, signal.SIGKILL)
        with pytest.raises(DatasetError, match="Episode 0 was not saved"):
            writer.wait()
        writer.wait()
        assert events == [("failed", 0), ("committed", 0), ("committed", 1)]
        assert writer.status.failed_episodes == 1
    check_read(lerobot.read(root), [(1, 3), (2, 4)])


def test_an_encoder_that_dies_in_mid_episode(tmp_path, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES, codec=PROGRAM) as writer:
        record(writer, 0, 5)
        writer.wait()
        episode = writer.begin_episode("do it")
        episode.add_frame(frame(1, 0))
        os.kill(until(encoders)[0], signal.SIGKILL)
        with pytest.raises(EncoderError, match=r"libx264 .* ended with code -9"):
            add_noise(episode, 10_000)
        with pytest.raises(DatasetError, match="has failed"):
            episode.save()
        episode.discard()
        assert record(writer, 2, 4) == 1
    assert encoders() == []
    check_read(lerobot.read(root), [(0, 5), (2, 4)])


def test_ffmpeg_missing_and_back(tmp_path, monkeypatch, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES, codec=PROGRAM) as writer:
        record(writer, 0, 3)
        writer.wait()
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "gone"))
        with pytest.raises(EncoderError, match="IMAGEIO_FFMPEG_EXE"):
            DatasetWriter.create(tmp_path / "other", 30, FEATURES)
        assert not (tmp_path / "other").exists()
        with pytest.raises(DatasetError, match="IMAGEIO_FFMPEG_EXE"):
            record_and_wait(writer, 1, 3)
        monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
        assert record(writer, 2, 3) == 1
    check_read(lerobot.read(root), [(0, 3), (2, 3)])


def test_a_program_that_is_no_ffmpeg(tmp_path, monkeypatch):
    with DatasetWriter.create(tmp_path / "set", 30, FEATURES, codec=PROGRAM) as writer:
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/bin/false")
        with pytest.raises(DatasetError, match="code 1"):
            record_and_wait(writer, 0, 3)


def test_the_folder_is_moved_away_and_back(tmp_path, lerobot):
    root, away = tmp_path / "set", tmp_path / "away"
    with DatasetWriter.create(root, 30, FEATURES) as writer:
        record(writer, 0, 3)
        writer.wait()
        episode = writer.begin_episode("do it")
        episode.add_frame(frame(1, 0))
        root.rename(away)
        episode.save()
        with pytest.raises(DatasetError, match="removed or moved"):
            writer.wait()
        with pytest.raises(DatasetError, match="removed or moved"):
            writer.begin_episode("do it")
        assert not root.exists()
        away.rename(root)
        assert record(writer, 2, 3) == 1
    check_read(lerobot.read(root), [(0, 3), (2, 3)])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small file system; the failing steps above stand in for it")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@ENGINES
def test_a_full_disk_and_space_again(small_disk, lerobot, codec):
    root = small_disk / "set"
    filler = small_disk / "filler"
    with DatasetWriter.create(root, 30, FEATURES, codec=codec) as writer:
        record(writer, 0, 5)
        writer.wait()
        filler.write_bytes(bytes(3 * 2**20))
        for _ in range(2):
            # In the middle of the episode or at its end, depending on who hits the limit first.
            with pytest.raises(DatasetError, match="No space left"):
                fill_the_disk(writer)
        check_read(lerobot.read(root), [(0, 5)])
        filler.unlink()
        assert record(writer, 2, 4) == 1
    check_read(lerobot.read(root), [(0, 5), (2, 4)])


def test_a_damaged_dataset_is_neither_joined_nor_appended_to(tmp_path):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES) as writer:
        for episode in range(4):
            record(writer, episode, 2 + episode, f"task {episode}")
        writer.wait()
        video = sorted((root / "videos").rglob("*.mp4"))[2]
        video.write_bytes(video.read_bytes()[:200])
        with pytest.raises(DatasetError, match="could not be joined"):
            writer.close()
    before = files_of(root)
    with pytest.raises(DatasetError, match=r"file-002\.mp4 is no complete mp4 file.*salvage"):
        DatasetWriter.append(root)
    assert files_of(root) == before


@ENGINES
@pytest.mark.parametrize("frames", [3, 200], ids=["fewer frames than wait", "more frames than can wait"])
def test_whatever_stops_an_encoder_costs_that_episode_alone_and_nobody_waits_for_ever(
    tmp_path, monkeypatch, lerobot, codec, frames
):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES, codec=codec) as writer:
        record(writer, 0, 4)
        writer.wait()
        with monkeypatch.context() as patch:
            patch.setattr(PictureStatistics, "add", out_of_memory)
            with pytest.raises(DatasetError, match="MemoryError: no room"):
                record_and_wait(writer, 1, frames)
        record(writer, 2, 3)
    assert encoders() == []
    check_read(lerobot.read(root), [(0, 4), (2, 3)])


def out_of_memory(*_: object) -> None:
    raise MemoryError("no room")


def test_ctrl_c_while_closing_keeps_the_dataset_locked_until_every_episode_is_saved(tmp_path, lerobot):
    root, go_on = tmp_path / "set", threading.Event()
    writer = DatasetWriter.create(root, 30, FEATURES, on_committed=lambda index: go_on.wait(60))
    for episode in range(5):
        record(writer, episode, 3)
    until(lambda: writer.status.committed_episodes)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            closing_with_ctrl_c(writer)
        with pytest.raises(DatasetLockedError):
            DatasetWriter.append(root)
    go_on.set()
    writer.close()
    check_read(lerobot.read(root), [(episode, 3) for episode in range(5)])
    DatasetWriter.append(root).close()


def closing_with_ctrl_c(writer: DatasetWriter) -> None:
    timer = threading.Timer(0.3, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
    timer.start()
    try:
        writer.close()
    finally:
        timer.join()


def test_a_program_that_ends_by_ctrl_c_while_closing_has_every_saved_episode(tmp_path, lerobot):
    root = tmp_path / "set"
    subprocess.run([sys.executable, "-c", _INTERRUPTED, str(root)], env=_with_path(), check=False, timeout=60)
    check_read(lerobot.read(root), [(episode, 3) for episode in range(5)])


def _with_path() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


_INTERRUPTED = """
import signal, sys, threading, time
from isaac_lerobot.dataset import DatasetWriter
from dataset.recordings import FEATURES, record
writer = DatasetWriter.create(sys.argv[1], 30, FEATURES, on_committed=lambda index: time.sleep(0.5))
for episode in range(5):
    record(writer, episode, 3)
threading.Timer(0.7, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT]).start()
writer.close()
"""


def test_an_episode_does_not_inherit_what_one_that_could_not_be_undone_left_behind(tmp_path):
    root, away = tmp_path / "set", False

    def disk(step: str, path: Path) -> None:
        nonlocal away
        away = away or (step == "replace" and path.match("meta/episodes/*/*.parquet"))
        if away:
            raise OSError(errno.EIO, "Input/output error", str(path))

    with DatasetWriter.create(root, 30, FEATURES) as writer:
        durable.observers.append(disk)
        try:
            record(writer, 0, 2, attributes={"seed": 1}, arrays={"start": np.zeros(2)})
            with pytest.raises(DatasetError, match="Input/output error"):
                writer.wait()
        finally:
            durable.observers.remove(disk)
        record(writer, 1, 3)
    own = read_sidecar(root, 0)
    assert (own.attributes, own.arrays, own.frames) == ({}, {}, {})
    assert [episode.length for episode in DatasetReader(root)] == [3]


def test_half_a_character_is_refused_where_it_is_given(tmp_path):
    half = "\ud800"
    features = {"label": {"dtype": "string", "shape": (1,)}}
    with pytest.raises(DatasetError, match="attributes of the dataset"):
        DatasetWriter.create(tmp_path / "other", 30, features, attributes={"name": half})
    with DatasetWriter.create(tmp_path / "set", 30, features) as writer:
        with pytest.raises(DatasetError, match="task of an episode"):
            writer.begin_episode(half)
        episode = writer.begin_episode("write")
        with pytest.raises(DatasetError, match="'label' cannot be written"):
            episode.add_frame({"label": half})
        episode.add_frame({"label": "whole"})
        episode.save()
    assert DatasetReader(tmp_path / "set").episode(0)["label"].tolist() == ["whole"]


@pytest.mark.parametrize("mask", [0o077, 0o002])
def test_every_file_has_the_mode_that_the_umask_asks_for(tmp_path, mask):
    before = os.umask(mask)
    try:
        with DatasetWriter.create(tmp_path / "set", 30, FEATURES) as writer:
            record(writer, 0, 2, attributes={"seed": 1}, arrays={"start": np.zeros(2)})
            record(writer, 1, 2)
            writer.wait()
            recorded = {path.stat().st_mode & 0o777 for path in writer.root.rglob("*") if path.is_file()}
        joined = {path.stat().st_mode & 0o777 for path in (tmp_path / "set").rglob("*") if path.is_file()}
    finally:
        os.umask(before)
    assert joined == {0o666 & ~mask}
    assert recorded <= {0o666 & ~mask, 0o644 & ~mask}

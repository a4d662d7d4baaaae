from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dataset.recordings import FEATURES, NO_VIDEO, check_pictures, check_read, files_of, frame, picture, record
from isaac_lerobot.dataset import (
    DatasetReader,
    DatasetWriter,
    VideoCodec,
    compact_dataset,
    read_sidecar,
    recover_dataset,
)
from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.errors import ConfigError, DatasetError, DatasetLockedError, FeatureError


def test_three_episodes_read_back_as_given(tmp_path, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, fps=30, features=FEATURES, robot_type="franka") as writer:
        assert record(writer, 0, 5, "lift", success=True) == 0
        assert record(writer, 1, 1, "drop", success=False) == 1
        assert record(writer, 2, 300, "lift") == 2
        writer.wait()
        check_read(lerobot.read(root), [(0, 5), (1, 1), (2, 300)])
    read = lerobot.read(root)
    check_read(read, [(0, 5), (1, 1), (2, 300)])
    assert [row["success"] for row in read.episodes] == [True, False, None]
    assert read.columns["task"][0] == "lift"
    assert read.columns["task"][5] == "drop"
    assert [row["tasks"] for row in read.episodes] == [["lift"], ["drop"], ["lift"]]
    assert files_of(root) == {
        "data/chunk-000/file-000.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/info.json",
        "meta/isaac_lerobot.json",
        "meta/stats.json",
        "meta/tasks.parquet",
        "videos/observation.images.front/chunk-000/file-000.mp4",
    }


def test_every_kind_of_feature(tmp_path, lerobot):
    features = {
        "observation.state": {"dtype": "float64", "shape": (1,), "names": ["x"]},
        "flag": {"dtype": "bool", "shape": (1,)},
        "flags": {"dtype": "bool", "shape": (11,)},
        "count": {"dtype": "int32", "shape": (1,)},
        "counts": {"dtype": "uint8", "shape": (4,)},
        "half": {"dtype": "float16", "shape": (2,)},
        "grid": {"dtype": "float32", "shape": (2, 3)},
        "cube": {"dtype": "int64", "shape": (2, 2, 2)},
        "label": {"dtype": "string", "shape": (1,)},
        "observation.images.odd": {"dtype": "video", "shape": (31, 47, 3)},
        "observation.images.grey": {"dtype": "video", "shape": (16, 16, 3)},
        "observation.images.still": {"dtype": "image", "shape": (9, 7, 3)},
    }
    random = np.random.default_rng(0)
    given = []
    for number in range(600):
        grey = np.repeat(np.full((16, 16, 1), number % 256, np.uint8), 3, axis=2)
        given.append(
            {
                "observation.state": np.array([number / 3]),
                "flag": bool(number % 3 == 0),
                "flags": random.random(11) < 0.5,
                "count": np.int32(-number),
                "counts": random.integers(0, 255, 4, dtype=np.uint8),
                "half": random.random(2).astype(np.float16),
                "grid": random.random((2, 3)).astype(np.float32),
                "cube": random.integers(-(2**40), 2**40, (2, 2, 2)),
                "label": f"größe {number}",
                "observation.images.odd": picture(0, number, 31, 47),
                "observation.images.grey": grey,
                "observation.images.still": random.integers(0, 255, (9, 7, 3), dtype=np.uint8),
            }
        )
    with DatasetWriter.create(tmp_path / "set", fps=10, features=features) as writer:
        episode = writer.begin_episode("all kinds")
        for values in given:
            episode.add_frame(values)
        episode.save()
    read = lerobot.read(tmp_path / "set", frames=[0, 1, 255, 256, 257, 300, 599])
    for row, number in enumerate([0, 1, 255, 256, 257, 300, 599]):
        for name, value in given[number].items():
            got = read.columns[name][row]
            if name == "label":
                assert got == value
            elif name in ("observation.images.odd", "observation.images.grey"):
                check_pictures(got[None], [value])
            else:
                # lerobot gives every float as float32.
                want = np.asarray(value).reshape(()) if features[name]["shape"] == (1,) else np.asarray(value)
                np.testing.assert_array_equal(got, want.astype(np.float32) if want.dtype.kind == "f" else want)


def test_interleaved_and_discarded_episodes(tmp_path, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, fps=30, features=FEATURES) as writer:
        episodes = [writer.begin_episode(f"task {number}") for number in range(4)]
        for number in range(6):
            for which, episode in enumerate(episodes):
                if number < 3 + which:
                    episode.add_frame(frame(which, number))
        assert episodes[2].save() == 0
        episodes[1].discard()
        assert episodes[0].save() == 1
        assert episodes[3].save() == 2
    check_read(lerobot.read(root), [(2, 5), (0, 3), (3, 6)])


@pytest.mark.parametrize("own_first", [True, False], ids=["own closed first", "other closed first"])
def test_episodes_saved_into_another_dataset(tmp_path, lerobot, own_first):
    """As failed episodes are, into a sibling folder; the two may be closed in any order."""
    good = DatasetWriter.create(tmp_path / "good", 30, FEATURES)
    # Slow enough for episodes to be left when the other one closes.
    slow = threading.Event()
    bad = DatasetWriter.create(tmp_path / "bad", 30, FEATURES, on_committed=lambda index: slow.wait(0.3))
    assert record(good, 0, 40, success=True, into=good) == 0
    assert record(good, 1, 40, "drop", success=False, into=bad, attributes={"seed": 1}) == 0
    assert record(good, 2, 3) == 1
    assert record(bad, 3, 3) == 1
    assert record(good, 4, 60, success=False, into=bad) == 2
    assert (good.status.open_episodes, bad.status.open_episodes) == (0, 0)
    for writer in (good, bad) if own_first else (bad, good):
        writer.close()
    for name, episodes in (("good", [(0, 40), (2, 3)]), ("bad", [(1, 40), (3, 3), (4, 60)])):
        check_read(lerobot.read(tmp_path / name), episodes)
        assert not (tmp_path / name / ".recording").exists()
        assert recover_dataset(tmp_path / name, dry_run=True) == []
    assert read_sidecar(tmp_path / "bad", 0).attributes == {"seed": 1}


def test_an_episode_that_does_not_fit_another_dataset_stays_open(tmp_path):
    wide = FEATURES | {"action": {"dtype": "float64", "shape": (2,)}, "extra": {"dtype": "int64", "shape": (1,)}}
    with (
        DatasetWriter.create(tmp_path / "own", 30, FEATURES) as own,
        DatasetWriter.create(tmp_path / "wide", 10, wide, codec="hevc") as other,
    ):
        episode = own.begin_episode("do it")
        episode.add_frame(frame(0, 0))
        with pytest.raises(FeatureError) as caught:
            other.save(episode)
        for part in ("wide", "fps is 30", "'extra'", "float64", "would be h264"):
            assert part in str(caught.value)
        other.close()
        with pytest.raises(DatasetError, match="is closed"):
            other.save(episode)
        episode.add_frame(frame(0, 1))
        assert episode.save() == 0
    assert (own.status.committed_frames, other.status.committed_episodes) == (2, 0)


def test_append_goes_on_where_the_dataset_ended(tmp_path, lerobot):
    root = tmp_path / "set"
    given = []
    for session in range(4):
        opened = DatasetWriter.append(root, fps=30, features=FEATURES) if session else None
        with opened or DatasetWriter.create(root, fps=30, features=FEATURES) as writer:
            for _ in range(2):
                assert record(writer, len(given), 3 + session, f"task {session % 3}") == len(given)
                given.append((len(given), 3 + session))
    read = lerobot.read(root)
    check_read(read, given)
    assert sorted(set(read.columns["task"])) == ["task 0", "task 1", "task 2"]
    assert recover_dataset(root, dry_run=True) == []


def test_append_to_a_dataset_that_lerobot_wrote(tmp_path, lerobot):
    root = tmp_path / "set"
    camera = FEATURES["observation.images.front"] | {"names": ["height", "width", "channels"]}
    features = FEATURES | {"observation.images.front": camera | {"shape": (64, 64, 3)}}

    def wide(episode: int, number: int) -> dict:
        return frame(episode, number) | {"observation.images.front": picture(episode, number, 64, 64)}

    lerobot.write(root, 30, features, [[wide(episode, number) for number in range(4)] for episode in range(2)])
    with DatasetWriter.append(root, fps=30, features=features, robot_type="theirs") as writer:
        assert writer.codec.canonical == "av1"
        episode = writer.begin_episode("ours")
        for number in range(5):
            episode.add_frame(wide(2, number))
        assert episode.save(success=True) == 2
    read = lerobot.read(root)
    assert read.lengths == [4, 4, 5]
    assert [row["success"] for row in read.episodes] == [None, None, True]
    assert [row["tasks"] for row in read.episodes] == [["theirs"], ["theirs"], ["ours"]]
    for index, length in enumerate(read.lengths):
        want = [wide(index, number) for number in range(length)]
        check_pictures(read.rows(index)["observation.images.front"], [one["observation.images.front"] for one in want])
        np.testing.assert_array_equal(read.rows(index)["action"], np.stack([one["action"] for one in want]))
    assert recover_dataset(root, dry_run=True) == []


def test_files_are_joined_while_recording_goes_on(tmp_path, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES, join_every=4) as writer:
        being_recorded = writer.begin_episode("do it")
        for number in range(3):
            being_recorded.add_frame(frame(8, number))
        for episode in range(8):
            record(writer, episode, 2 + episode % 2)
            writer.wait()
            writer.update_attributes({"episodes": episode + 1})
        being_recorded.save()
        writer.wait()
        # Eight in files of four and more, perhaps the last that were joined, and the one after.
        assert len(list(root.rglob("data/*/*.parquet"))) <= 3
        assert len(list(root.rglob("*.mp4"))) <= 3
    assert json.loads((root / "meta/isaac_lerobot.json").read_text())["attributes"] == {"episodes": 8}
    assert len(list(root.rglob("*.mp4"))) <= 2
    check_read(lerobot.read(root), [(episode, 2 + episode % 2) for episode in range(8)] + [(8, 3)])


def test_append_without_closing_or_joining(tmp_path, lerobot):
    root = tmp_path / "set"
    writer = DatasetWriter.create(root, fps=30, features=FEATURES)
    record(writer, 0, 3)
    writer.close(join_files=False)
    writer = DatasetWriter.append(root)
    record(writer, 1, 4)
    writer.close(join_files=False)
    check_read(lerobot.read(root), [(0, 3), (1, 4)])
    assert compact_dataset(root)
    check_read(lerobot.read(root), [(0, 3), (1, 4)])
    assert compact_dataset(root) == []


def test_files_are_joined_up_to_their_sizes(tmp_path, lerobot):
    root = tmp_path / "set"
    features = FEATURES | {"observation.images.front": {"dtype": "video", "shape": (96, 128, 3)}}
    random = np.random.default_rng(0)
    with DatasetWriter.create(root, 30, features, data_files_size_in_mb=1, video_files_size_in_mb=1) as writer:
        for episode in range(6):
            recording = writer.begin_episode("noise")
            for number in range(30):
                noise = random.integers(0, 255, (96, 128, 3), dtype=np.uint8)
                recording.add_frame(frame(episode, number) | {"observation.images.front": noise})
            recording.save()
    videos = sorted((root / "videos").rglob("*.mp4"))
    assert 1 < len(videos) < 6
    assert all(path.stat().st_size < 2**20 for path in videos)
    assert lerobot.read(root, frames=[0, 29, 30, 179]).lengths == [30] * 6


def test_what_append_refuses(tmp_path):
    root = tmp_path / "set"
    with DatasetWriter.create(root, fps=30, features=FEATURES) as writer:
        record(writer, 0, 2)
    other = {
        "observation.state": {"dtype": "float64", "shape": (4,)},
        "observation.images.front": {"dtype": "video", "shape": (32, 48, 3)},
        "extra": {"dtype": "int64", "shape": (1,)},
    }
    with pytest.raises(FeatureError) as caught:
        DatasetWriter.append(root, fps=10, features=other, robot_type="so101", codec="av1")
    message = str(caught.value)
    for part in ("fps is 10", "so101", "float64", "(4,)", "'extra'", "'action'", "would be av1"):
        assert part in message
    with DatasetWriter.append(root) as writer:
        assert record(writer, 1, 2) == 1


def test_overwriting_keeps_the_old_dataset_until_there_is_a_new_episode(tmp_path):
    root = tmp_path / "set"
    with DatasetWriter.create(root, fps=30, features=NO_VIDEO) as writer:
        record(writer, 0, 3)
    before = {name: (root / name).read_bytes() for name in files_of(root)}
    with DatasetWriter.create(root, fps=20, features=FEATURES, overwrite=True) as writer:
        writer.begin_episode("not saved").add_frame(frame(0, 0))
    assert {name: (root / name).read_bytes() for name in files_of(root)} == before
    with DatasetWriter.create(root, fps=20, features=FEATURES, overwrite=True) as writer:
        record(writer, 0, 2)
        writer.wait()
        assert not (root / ".replaced").exists()
    assert DatasetReader(root).fps == 20
    assert len(DatasetReader(root)) == 1


@pytest.mark.parametrize("failing", [".replaced", "meta", "data", "complete", "own.json", "info.json"])
def test_a_disk_that_fails_while_overwriting_costs_nothing(tmp_path, failing):
    root = tmp_path / "set"
    with DatasetWriter.create(root, fps=30, features=NO_VIDEO) as writer:
        record(writer, 0, 3)
    before = {name: (root / name).read_bytes() for name in files_of(root)}
    failed = []

    def fail_once(step, path):
        if path.name == failing and step in ("make-folder", "write", "replace") and not failed:
            failed.append(path)
            raise OSError(28, "No space left on device")

    durable.observers.append(fail_once)
    try:
        with pytest.raises(DatasetError, match="No space left"):
            DatasetWriter.create(root, fps=20, features=NO_VIDEO, overwrite=True)
    finally:
        durable.observers.remove(fail_once)
    assert failed
    assert {name: (root / name).read_bytes() for name in files_of(root)} == before


def test_a_dataset_that_got_no_episode_is_gone(tmp_path):
    made, found = tmp_path / "made", tmp_path / "found"
    found.mkdir()
    for root in (made, found):
        DatasetWriter.create(root, fps=30, features=FEATURES).close()
    assert not made.exists()
    assert list(found.iterdir()) == []
    # One that a killed recording left behind is in nobody's way, whatever its features are.
    with DatasetWriter.create(made, fps=30, features=FEATURES):
        shutil.copytree(made, tmp_path / "left", ignore=shutil.ignore_patterns(".*"))
    with DatasetWriter.create(tmp_path / "left", fps=20, features=NO_VIDEO) as writer:
        record(writer, 0, 2)
    assert DatasetReader(tmp_path / "left").fps == 20


def test_an_encoder_of_a_killed_recording_cannot_reach_the_next_ones_files(tmp_path):
    """One that was just being started when its recording died opens its file later, by a name nobody uses again."""
    root = tmp_path / "set"
    with DatasetWriter.create(root, fps=30, features=FEATURES) as writer:
        record(writer, 0, 2)
    folders = []
    for _ in range(2):
        with DatasetWriter.append(root) as writer:
            writer.begin_episode("never saved").add_frame(frame(0, 0))
            folders += [path for path in (root / ".recording").iterdir() if path.is_dir()]
    first, second = folders
    assert first != second
    assert not first.exists()


def test_what_create_refuses(tmp_path):
    root = tmp_path / "set"
    with DatasetWriter.create(root, fps=30, features=NO_VIDEO) as writer:
        record(writer, 0, 2)
    with pytest.raises(DatasetError, match=r"already holds a LeRobot dataset \(1 episodes\)"):
        DatasetWriter.create(root, fps=30, features=NO_VIDEO)
    with DatasetWriter.create(root, fps=20, features=NO_VIDEO, overwrite=True) as writer:
        record(writer, 0, 2)
    (root / "thesis.tex").write_text("important")
    with pytest.raises(DatasetError, match="thesis"):
        DatasetWriter.create(root, fps=30, features=NO_VIDEO, overwrite=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("important")
    for overwrite in (False, True):
        with pytest.raises(DatasetError, match="letter"):
            DatasetWriter.create(other, fps=30, features=NO_VIDEO, overwrite=overwrite)
    assert (other / "letter.txt").read_text() == "important"
    with pytest.raises(DatasetError, match="is a file"):
        DatasetWriter.create(other / "letter.txt", fps=30, features=NO_VIDEO)
    with pytest.raises(FeatureError, match="whole number"):
        DatasetWriter.create(tmp_path / "new", fps=29.97, features=NO_VIDEO)
    assert not (tmp_path / "new").exists()


def test_a_frame_that_does_not_fit_changes_nothing(tmp_path, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, fps=30, features=FEATURES) as writer:
        episode = writer.begin_episode("do it")
        good = frame(0, 0)
        episode.add_frame(good)
        bad = {
            "observation.state": np.zeros(4, np.float32),
            "action": np.zeros(2),
            "task": "x",
            "timestamp": 0.0,
            "observation.images.frnt": good["observation.images.front"],
        }
        with pytest.raises(FeatureError) as caught:
            episode.add_frame(bad)
        message = str(caught.value)
        for part in ("(3,)", "(4,)", "float64", "begin_episode", "filled in", "Did you mean", "is missing"):
            assert part in message
        episode.add_frame(frame(0, 1))
        assert len(episode) == 2
        episode.save()
        with pytest.raises(DatasetError, match="saving already"):
            episode.add_frame(good)
        empty = writer.begin_episode("nothing")
        with pytest.raises(DatasetError, match="no frames"):
            empty.save()
        with pytest.raises(FeatureError, match="text"):
            writer.begin_episode("")
    check_read(lerobot.read(root), [(0, 2)])


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"a/b": {"dtype": "float32", "shape": (1,)}}, "without '/'"),
        ({"a": {"dtype": "complex64", "shape": (1,)}}, "complex64"),
        ({"a": {"dtype": "float32", "shape": ()}}, "for a scalar"),
        ({"a": {"dtype": "float32", "shape": (2,), "names": ["x"]}}, "2 elements and 1 names"),
        ({"a": {"dtype": "video", "shape": (4, 4, 1)}}, "repeated three times"),
        ({"a": {"dtype": "string", "shape": (2,)}}, "must have shape"),
        ({"a": {"dtype": "float32"}}, "'shape'"),
        ({}, "no features"),
    ],
)
def test_features_that_cannot_be_used(tmp_path, definition, message):
    with pytest.raises(FeatureError, match=message):
        DatasetWriter.create(tmp_path / "set", fps=30, features=definition)


def test_own_data_of_dataset_and_episodes(tmp_path, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, NO_VIDEO, attributes={"env_name": "Isaac-Lift"}) as writer:
        for episode in range(2):
            recording = writer.begin_episode("lift", attributes={"seed": episode})
            for number in range(700 if episode else 3):
                extra = {"states/root_pose": np.full((1, 7), number, np.float32), "contacts": number % 2 == 0}
                recording.add_frame(frame(episode, number, video=False), extra)
            arrays = {"initial_state/root_pose": np.arange(7.0), "file": np.array(3)}
            recording.save(success=True, attributes={"note": "ü"}, arrays=arrays)
        plain = writer.begin_episode("lift")
        plain.add_frame(frame(2, 0, video=False))
        with pytest.raises(FeatureError, match="every frame"):
            plain.add_frame(frame(2, 0, video=False), {"late": 1.0})
        plain.save()
    check_read(lerobot.read(root), [(0, 3), (1, 700), (2, 1)])
    assert json.loads((root / "meta/isaac_lerobot.json").read_text())["attributes"] == {"env_name": "Isaac-Lift"}
    own = read_sidecar(root, 1)
    assert own.attributes == {"seed": 1, "note": "ü"}
    assert own.arrays.keys() == {"initial_state/root_pose", "file"}
    np.testing.assert_array_equal(own.arrays["initial_state/root_pose"], np.arange(7.0))
    assert own.arrays["file"] == 3
    assert own.frames["states/root_pose"].shape == (700, 1, 7)
    np.testing.assert_array_equal(own.frames["states/root_pose"][:, 0, 3], np.arange(700))
    np.testing.assert_array_equal(own.frames["contacts"], np.arange(700) % 2 == 0)
    assert read_sidecar(root, 2).attributes == {}
    assert read_sidecar(root, 2).frames == {}


def test_a_second_writer_is_kept_out(tmp_path):
    root = tmp_path / "set"
    script = f"""
import sys; sys.path[:0] = {sys.path!r}
from isaac_lerobot.dataset import DatasetWriter
writer = DatasetWriter.create({str(root)!r}, fps=30, features={NO_VIDEO!r})
print("open", flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    for opening in (
        lambda: DatasetWriter.append(root),
        lambda: DatasetWriter.create(root, 30, NO_VIDEO, overwrite=True),
        lambda: recover_dataset(root),
        lambda: compact_dataset(root),
    ):
        with pytest.raises(DatasetLockedError, match=f"process {process.pid} "):
            opening()
    process.kill()
    process.communicate()
    with DatasetWriter.append(root) as writer:
        assert record(writer, 0, 2) == 0


def test_a_file_system_without_locks_is_recorded_to_and_said(tmp_path, monkeypatch, caplog):
    """NFS without its lock daemon and some FUSE mounts answer with these, which is no other process's lock."""
    for number in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        answer = OSError(number, os.strerror(number))
        monkeypatch.setattr("fcntl.flock", lambda *_, answer=answer: raising(answer))
        caplog.clear()
        root = tmp_path / str(number)
        with DatasetWriter.create(root, 30, NO_VIDEO) as writer:
            record(writer, 0, 2)
        assert f"The file system of {root} has no locks" in caplog.text
        assert os.strerror(number) in caplog.text
        assert not (root / ".recording.lock").exists()


def raising(error):
    raise error


def test_callbacks_and_status(tmp_path):
    committed, failed = [], []
    with DatasetWriter.create(
        tmp_path / "set", 30, FEATURES, on_committed=committed.append, on_failed=lambda *what: failed.append(what)
    ) as writer:
        episode = writer.begin_episode("do it")
        for number in range(10):
            episode.add_frame(frame(0, number))
        assert writer.status.open_episodes == 1
        episode.save()
        writer.wait()
        assert committed == [0]
        status = writer.status
        assert (status.open_episodes, status.saving_episodes, status.committed_episodes) == (0, 0, 1)
        assert status.committed_frames == 10
        assert status.bytes_written > 0
    assert failed == []


@pytest.mark.parametrize("join_every", [500, 1])
def test_statistics_are_those_of_the_data(tmp_path, lerobot, join_every):
    root = tmp_path / "set"
    random = np.random.default_rng(1)
    rows, pixels = [], []
    with DatasetWriter.create(root, fps=30, features=FEATURES, join_every=join_every) as writer:
        for episode in range(5):
            recording = writer.begin_episode("do it")
            for number in range(20 + 30 * episode):
                values = frame(episode, number)
                values["observation.state"] = random.normal(episode, 1 + episode, 3).astype(np.float32)
                values["observation.images.front"] = random.integers(0, 40 * (episode + 1), (32, 48, 3), dtype=np.uint8)
                recording.add_frame(values)
                rows.append(values["observation.state"])
                pixels.append(values["observation.images.front"].reshape(-1, 3))
            recording.save()
    found = lerobot.read(root, frames=[0]).statistics
    state = np.stack(rows).astype(np.float64)
    got = found["observation.state"]
    assert got["count"] == [len(rows)]
    for key, want in {"min": state.min(0), "max": state.max(0), "mean": state.mean(0), "std": state.std(0)}.items():
        np.testing.assert_allclose(got[key], want, rtol=1e-6)
    for key, share in {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}.items():
        np.testing.assert_allclose(got[key], np.quantile(state, share, axis=0), rtol=1e-6)
    colours = np.concatenate(pixels) / 255
    got = {key: np.array(value) for key, value in found["observation.images.front"].items()}
    assert got["mean"].shape == (3, 1, 1)
    np.testing.assert_allclose(got["mean"].ravel(), colours.mean(0), rtol=1e-6)
    np.testing.assert_allclose(got["std"].ravel(), colours.std(0), rtol=1e-6)
    np.testing.assert_allclose(got["max"].ravel(), colours.max(0))
    for key, share in {"q10": 0.1, "q50": 0.5, "q90": 0.9}.items():
        np.testing.assert_allclose(got[key].ravel(), np.quantile(colours, share, axis=0), atol=0.02)


def test_numbers_that_are_not_finite_leave_valid_statistics(tmp_path, lerobot):
    root = tmp_path / "set"
    with DatasetWriter.create(root, fps=30, features=NO_VIDEO) as writer:
        episode = writer.begin_episode("do it")
        for number in range(4):
            values = frame(0, number, video=False)
            values["action"] = np.array([np.nan, np.inf if number == 2 else number], np.float32)
            episode.add_frame(values)
        episode.save()
    found = lerobot.read(root).statistics["action"]
    assert found["max"] == [0.0, 3.0]
    assert np.isfinite(found["mean"]).all()


def test_importing_is_light_and_recording_never_needs_pandas_or_torch(tmp_path):
    """In the environment that has both: pyarrow would import pandas by itself if it were given the chance."""
    from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg
    from lerobot_reader import PYTHON

    source = Path(__file__).parents[2] / "source"
    script = f"""
import sys
sys.path[:0] = {[str(source), str(Path(__file__).parents[1])]!r}
import isaac_lerobot.dataset
assert not {{"numpy", "pyarrow", "imageio_ffmpeg"}} & set(sys.modules)
from dataset.recordings import *
with DatasetWriter.create({str(tmp_path / "set")!r}, 30, FEATURES, attributes={{"a": 1}}) as writer:
    for episode in range(2):
        record(writer, episode, 300, arrays={{"a": np.zeros(2)}})
with DatasetWriter.append({str(tmp_path / "set")!r}) as writer:
    record(writer, 2, 3)
loaded = {{"pandas", "torch", "lerobot", "datasets", "pydantic", "tqdm", "filelock"}} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run(
        [str(PYTHON), "-c", script],
        env={"IMAGEIO_FFMPEG_EXE": find_ffmpeg(), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_an_episode_saved_without_close_reaches_the_disk(tmp_path, lerobot):
    script = f"""
import sys; sys.path[:0] = {sys.path!r}
from dataset.recordings import *
record(DatasetWriter.create({str(tmp_path / "set")!r}, 30, FEATURES), 0, 50)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    check_read(lerobot.read(tmp_path / "set"), [(0, 50)])


@pytest.mark.parametrize("codec", ["av1", "hevc", "h264:preset=medium,gop=10,crf=18", "h264:threads=2"])
def test_other_codecs(tmp_path, lerobot, codec):
    root = tmp_path / "set"
    features = {"action": FEATURES["action"], "observation.images.front": {"dtype": "video", "shape": (64, 64, 3)}}
    with DatasetWriter.create(root, fps=25, features=features, codec=codec) as writer:
        for episode in range(3):
            recording = writer.begin_episode("do it")
            for number in range(7 + episode):
                image = picture(episode, number, 64, 64)
                recording.add_frame({"action": np.zeros(2, np.float32), "observation.images.front": image})
            recording.save()
    assert len(list((root / "videos").rglob("*.mp4"))) == 1
    read = lerobot.read(root)
    for episode in range(3):
        pictures = read.rows(episode)["observation.images.front"]
        check_pictures(pictures, [picture(episode, number, 64, 64) for number in range(7 + episode)])
    with DatasetWriter.append(root) as writer:
        assert writer.codec.canonical == VideoCodec.parse(codec).canonical


def test_odd_sizes_need_a_codec_that_keeps_them(tmp_path):
    features = {"observation.images.front": {"dtype": "video", "shape": (31, 48, 3)}}
    with pytest.raises(FeatureError, match="odd size 48x31"):
        DatasetWriter.create(tmp_path / "set", fps=30, features=features, codec="av1")


def test_small_pictures_get_more_quality_and_a_crf_that_is_set_is_kept(tmp_path):
    sizes = {"large": (480, 640), "small": (120, 160)}
    features = {name: {"dtype": "video", "shape": (*size, 3)} for name, size in sizes.items()} | {
        "action": {"dtype": "float32", "shape": (1,)}
    }
    for codec, wanted in (("h264", {"large": 29, "small": 25}), ("h264:crf=20", {"large": 20, "small": 20})):
        root = tmp_path / codec.replace(":", "-")
        values = {name: np.zeros((*size, 3), np.uint8) for name, size in sizes.items()}
        for _ in range(2):  # the second recording goes on with the codec that the dataset has
            writer = (
                DatasetWriter.append(root) if root.exists() else DatasetWriter.create(root, 30, features, codec=codec)
            )
            with writer:
                assert {name: writer.codec.quality(*size) for name, size in sizes.items()} == wanted
                episode = writer.begin_episode("look")
                episode.add_frame(values | {"action": np.zeros(1, np.float32)})
                episode.save()
        info = json.loads((root / "meta/info.json").read_text())["features"]
        assert {name: info[name]["info"]["video.crf"] for name in sizes} == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h265", "known are h264, av1, hevc"),
        ("hevc:crf=63", "crf 0 to 51"),
        ("av1:crf=64", "crf 0 to 63"),
        ("h264:gop=0", "gop >= 1"),
        ("h264:speed=1", "known are crf, preset, gop, threads"),
        ("h264:crf=best", "whole number"),
        ("h264:preset=p4", "has no preset 'p4'"),
    ],
)
def test_codecs_that_there_are_not(text, message):
    with pytest.raises(ConfigError, match=message):
        VideoCodec.parse(text)


def test_pictures_one_by_one_and_rows_in_blocks_make_the_same_episode(tmp_path, lerobot):
    root, length = tmp_path / "set", 700
    with DatasetWriter.create(root, fps=30, features=FEATURES) as writer:
        episode = writer.begin_episode("do it")
        want = [frame(0, number) for number in range(length)]
        begun = 0
        for number, one in enumerate(want):
            episode.add_pictures({"observation.images.front": one["observation.images.front"]})
            if number % 300 == 299 or number == length - 1:
                block = want[begun : number + 1]
                rows = {name: np.stack([row[name] for row in block]) for name in ("observation.state", "action")}
                episode.add_rows(
                    rows, extra={"step": np.arange(begun, number + 1), "none": np.zeros((len(block), 2, 3))}
                )
                begun = number + 1
        assert episode.save() == 0
    check_read(lerobot.read(root), [(0, length)])
    kept = read_sidecar(root, 0).frames
    np.testing.assert_array_equal(kept["step"], np.arange(length))
    assert kept["none"].shape == (length, 2, 3)


def test_rows_that_do_not_fit_or_lack_their_pictures_are_refused(tmp_path):
    with DatasetWriter.create(tmp_path / "set", fps=30, features=FEATURES) as writer:
        episode = writer.begin_episode("do it")
        good = {"observation.state": np.zeros((2, 3), np.float32), "action": np.zeros((2, 2), np.float32)}
        with pytest.raises(FeatureError, match="'action' is missing"):
            episode.add_rows({"observation.state": good["observation.state"]})
        with pytest.raises(FeatureError, match=r"'action' is float64 \(2, 2\), the dataset has float32 \(2, 2\)"):
            episode.add_rows(good | {"action": np.zeros((2, 2))})
        with pytest.raises(FeatureError, match=r"'action' is float32 \(3, 2\)"):
            episode.add_rows(good | {"action": np.zeros((3, 2), np.float32)})
        with pytest.raises(FeatureError, match="front"):
            episode.add_pictures({})
        episode.add_rows(good)
        with pytest.raises(DatasetError, match="2 rows and 0 pictures"):
            episode.save()
        for number in range(2):
            episode.add_pictures({"observation.images.front": picture(0, number)})
        assert episode.save() == 0

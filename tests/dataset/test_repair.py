"""What repair saves, what it keeps of the rest, and what a failed joining leaves."""

from __future__ import annotations

import json
import resource
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataset.recordings import FEATURES, NO_VIDEO, check_read, files_of, record
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, repair_dataset
from isaac_lerobot.dataset.check import Severity, check_dataset
from isaac_lerobot.dataset.disk import durable
from isaac_lerobot.dataset.disk.lock import DatasetLock
from isaac_lerobot.errors import DatasetError, DatasetLockedError, FeatureError

EPISODES = [(0, 3), (1, 2), (2, 4)]


@pytest.fixture
def root(tmp_path):
    """A closed dataset of three episodes, two tasks."""
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES) as writer:
        for number, (episode, length) in enumerate(EPISODES):
            record(writer, episode, length, ("lift", "drop")[number % 2])
    return root


def change_info(root, **values):
    path = root / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def tasks(root):
    return [DatasetReader(root).episode(index).task for index in range(len(DatasetReader(root)))]


def errors(root):
    return [finding.text for finding in check_dataset(root).findings if finding.severity is Severity.ERROR]


def test_a_joining_that_fails_at_any_step_loses_nothing(tmp_path, lerobot):
    """A disk that fails once while the dataset is closed: every episode is there, at once or after the next open."""
    steps = 0
    read: set[tuple[str, ...]] = set()
    while True:
        root = tmp_path / f"step{steps}"
        writer = DatasetWriter.create(root, 30, FEATURES)
        for episode, length in EPISODES:
            record(writer, episode, length)
            writer.wait()
        seen = 0

        def fail(step, path, at=steps):
            nonlocal seen
            seen += 1
            if seen == at + 1:
                raise OSError(5, "Input/output error")

        durable.observers.append(fail)
        try:
            writer.close()
            failed = False
        except DatasetError as error:
            failed = "could not be joined" in str(error)
            assert failed
        finally:
            durable.observers.remove(fail)
        if seen <= steps:
            break
        repair_dataset(root)
        assert errors(root) == [], f"failed at step {steps}"
        state = tuple(sorted(files_of(root)))
        if state not in read:
            read.add(state)
            check_read(lerobot.read(root), EPISODES)
        shutil.rmtree(root)
        steps += 1
    assert steps > 30
    assert len(read) == 2, "joined, or as recorded"


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_tasks_are_put_together_again(root, damage):
    path = root / "meta/tasks.parquet"
    whole = path.read_bytes()
    path.unlink() if damage == "lost" else path.write_bytes(whole[:50])
    with pytest.raises(DatasetError, match=r"tasks\.parquet"):
        DatasetWriter.append(root)
    assert any("tasks.parquet" in action for action in repair_dataset(root))
    assert tasks(root) == ["lift", "drop", "lift"]
    assert errors(root) == []
    with DatasetWriter.append(root) as writer:
        record(writer, 3, 2, "wave")
    assert tasks(root) == ["lift", "drop", "lift", "wave"]


@pytest.mark.parametrize("total", [0, 1])
def test_a_wrong_number_of_tasks_costs_no_task(root, total):
    change_info(root, total_tasks=total)
    with DatasetWriter.append(root) as writer:
        record(writer, 3, 2, "wave")
    assert tasks(root) == ["lift", "drop", "lift", "wave"]
    assert errors(root) == []
    change_info(root, total_tasks=total)
    repair_dataset(root)
    assert errors(root) == []


def test_what_is_cut_off_is_kept(root, lerobot):
    """An episode that nobody counts is cut out of the joined files, which stay as they were in .damaged."""
    before = {name: (root / name).read_bytes() for name in files_of(root)}
    change_info(root, total_episodes=2, total_frames=5)
    would = repair_dataset(root, dry_run=True)
    assert repair_dataset(root) == would
    assert errors(root) == []
    check_read(lerobot.read(root), EPISODES[:2])
    cut = ("data/chunk-000/file-000.parquet", "videos/observation.images.front/chunk-000/file-000.mp4")
    for name in cut:
        assert (root / ".damaged" / name).read_bytes() == before[name]
    assert repair_dataset(root, dry_run=True) == []
    change_info(root, total_episodes=1, total_frames=3)
    repair_dataset(root)
    assert (root / ".damaged" / cut[0]).read_bytes() == before[cut[0]], "a second repair keeps the first one's remains"
    assert pq.read_metadata((root / ".damaged" / cut[0]).with_name("file-000.1.parquet")).num_rows == 5


def test_a_video_that_is_cut_off_is_noticed(root):
    path = next((root / "videos").rglob("*.mp4"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DatasetError, match="is cut off"):
        DatasetWriter.append(root)


def test_what_cannot_be_saved_is_left_as_it_is(root):
    next((root / "meta/episodes").rglob("*.parquet")).write_bytes(b"nothing")
    before = files_of(root)
    with pytest.raises(DatasetError, match="Nothing can be saved"):
        repair_dataset(root)
    assert files_of(root) == before


def test_statistics_that_are_damaged_are_computed_anew(root):
    before = json.loads((root / "meta/stats.json").read_text())
    (root / "meta/stats.json").write_text("{")
    with DatasetWriter.append(root) as writer:
        assert writer.status.committed_episodes == 3
    after = json.loads((root / "meta/stats.json").read_text())
    assert after["action"]["mean"] == pytest.approx(before["action"]["mean"])


def test_a_disk_that_takes_nothing_does_not_lock_the_process_out(root):
    """The system refuses to write a byte, as on a full disk: the lock holds without its text, and can be let go."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with DatasetLock(root):
            assert (root / ".recording.lock").read_bytes() == b""
            with pytest.raises(DatasetLockedError):
                DatasetLock(root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    DatasetWriter.append(root).close()


def test_a_relative_folder_with_any_name_and_a_program_that_changes_its_folder(tmp_path, monkeypatch):
    """Names that ffmpeg would take for a protocol or an option; Hydra changes the folder under us."""
    for name in ("2026-11-22T12:30:00", "-dash", "a 'quoted' one"):
        monkeypatch.chdir(tmp_path)
        writer = DatasetWriter.create(name, 30, FEATURES)
        monkeypatch.chdir("/")
        with writer:
            record(writer, 0, 2)
        assert len(DatasetReader(tmp_path / name)) == 1
    with pytest.raises(DatasetError, match="line break"):
        DatasetWriter.create(tmp_path / "a\nb", 30, FEATURES)
    with pytest.raises(FeatureError, match="printable"):
        DatasetWriter.create(tmp_path / "c", 30, {"a\nb": FEATURES["action"]})


def test_attributes_that_are_no_json_are_refused_before_anything_is_done(root):
    before = {name: (root / name).read_bytes() for name in files_of(root)}
    for value in (np.int64(3), float("nan"), object()):
        with pytest.raises(DatasetError, match="attributes of the dataset"):
            DatasetWriter.create(root, 30, NO_VIDEO, overwrite=True, attributes={"seed": value})
    assert {name: (root / name).read_bytes() for name in files_of(root)} == before
    with DatasetWriter.append(root) as writer, pytest.raises(DatasetError, match="attributes of the episode"):
        writer.begin_episode("lift", attributes={"seed": np.int64(3)})


def test_a_card_survives_overwriting(root):
    (root / "README.md").write_text("my card")
    with DatasetWriter.create(root, np.int64(20), FEATURES, overwrite=True) as writer:
        record(writer, 0, 2)
    assert (root / "README.md").read_text() == "my card"
    assert DatasetReader(root).fps == 20


def test_a_listener_that_waits_is_told_instead_of_waiting_for_ever(tmp_path):
    said = []

    def listen(index):
        try:
            writer.wait()
        except DatasetError as error:
            said.append(str(error))

    with DatasetWriter.create(tmp_path / "set", 30, NO_VIDEO, on_committed=listen) as writer:
        record(writer, 0, 2)
    assert len(said) == 1
    assert "cannot wait" in said[0]

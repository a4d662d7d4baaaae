"""What recover does, what it leaves alone, and what a failed joining leaves."""

from __future__ import annotations

import errno
import itertools
import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from dataset.failing_disk import FailingDisk
from dataset.recordings import FEATURES, NO_VIDEO, check_read, files_of, record
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, check_dataset, compact_dataset, recover_dataset
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
    return [str(finding) for finding in check_dataset(root).errors]


def test_a_joining_that_fails_at_any_step_loses_nothing(tmp_path, lerobot):
    """A disk that fails once while files are joined: every episode is there at once, and after the next open."""
    recorded = tmp_path / "recorded"
    writer = DatasetWriter.create(recorded, 30, FEATURES)
    for episode, length in EPISODES:
        record(writer, episode, length)
    writer.close(join_files=False)
    read: set[tuple[str, ...]] = set()
    for step in itertools.count():
        root = Path(shutil.copytree(recorded, tmp_path / f"step{step}"))
        if not fails_at(step, root):
            break
        state = tuple(sorted(files_of(root)))
        if state not in read:
            read.add(state)
            check_read(lerobot.read(root), EPISODES)
        assert [episode.length for episode in DatasetReader(root)] == [length for _, length in EPISODES]
        recover_dataset(root)
        assert errors(root) == [], f"failed at step {step}"
        assert files_of(root) == JOINED
        shutil.rmtree(root)
    assert step > 30
    assert len(read) > 5


JOINED = {
    "data/chunk-000/file-000.parquet",
    "meta/episodes/chunk-000/file-000.parquet",
    "meta/info.json",
    "meta/isaac_lerobot.json",
    "meta/stats.json",
    "meta/tasks.parquet",
    "videos/observation.images.front/chunk-000/file-000.mp4",
}


def fails_at(at: int, root: Path) -> bool:
    """Join files on a disk that fails once, at a step; return whether there was such a step."""
    with FailingDisk(at, errno.EIO) as disk:
        try:
            recover_dataset(root)
        except (DatasetError, OSError):
            assert disk.failed
    return disk.failed


@pytest.mark.parametrize(
    "damage",
    ["tasks lost", "tasks cut", "rows of nobody", "no table", "no video", "video cut"],
)
def test_what_is_counted_and_damaged_is_left_as_it_is_and_named(root, damage):
    named = {
        "tasks lost": (lambda: (root / "meta/tasks.parquet").unlink(), r"lacks 'drop', 'lift'"),
        "tasks cut": (lambda: (root / "meta/tasks.parquet").write_bytes(b"PAR1"), r"tasks\.parquet cannot be read"),
        "rows of nobody": (
            lambda: change_info(root, total_episodes=2, total_frames=5),
            "has 3 rows, and the episodes that are counted 2",
        ),
        "no table": (lambda: next((root / "meta/episodes").rglob("*.parquet")).write_bytes(b""), "cannot be read"),
        "no video": (lambda: next((root / "videos").rglob("*.mp4")).unlink(), r"file-000\.mp4"),
        "video cut": (lambda: _cut(next((root / "videos").rglob("*.mp4"))), "is cut off"),
    }
    change, message = named[damage]
    change()
    before = {name: (root / name).read_bytes() for name in files_of(root)}
    for attempt in (recover_dataset, compact_dataset, DatasetWriter.append):
        with pytest.raises(DatasetError, match=message) as caught:
            attempt(root)
        assert "salvage" in str(caught.value)
    assert {name: (root / name).read_bytes() for name in files_of(root)} == before


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize("total", [0, 1])
def test_a_wrong_number_of_tasks_costs_no_task(root, total):
    change_info(root, total_tasks=total)
    with DatasetWriter.append(root) as writer:
        record(writer, 3, 2, "wave")
    assert tasks(root) == ["lift", "drop", "lift", "wave"]
    assert errors(root) == []
    change_info(root, total_tasks=total)
    recover_dataset(root)
    assert errors(root) == []


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


@pytest.mark.parametrize("action", ["wait", "close"])
def test_a_listener_that_waits_is_told_instead_of_waiting_for_ever(tmp_path, action):
    said = []

    def listen(index):
        try:
            getattr(writer, action)()
        except DatasetError as error:
            said.append(str(error))

    with DatasetWriter.create(tmp_path / "set", 30, NO_VIDEO, on_committed=listen) as writer:
        record(writer, 0, 2)
    assert len(said) == 1
    assert "cannot wait" in said[0]

"""Datasets merged into one, and what can be saved of damaged ones: copied as they are, in whole episodes."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dataset.damaged_dataset import DamagedDataset, overwrite, truncate
from dataset.failing_disk import FailingDisk
from dataset.recordings import FEATURES, NO_VIDEO, check_pictures, check_read, files_of, frame, record
from dataset.reference_datasets import lerobot_datasets, run_lerobot  # noqa: F401
from dataset.test_check_damage import DAMAGES
from isaac_lerobot.dataset import (
    DatasetReader,
    DatasetWriter,
    check_dataset,
    merge_datasets,
    salvage_dataset,
)
from isaac_lerobot.errors import DatasetError, FeatureError

FRONT = "observation.images.front"


def contents(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in files_of(root)}


def recorded(root: Path, episodes, *, join: bool = True, features=FEATURES, fps: int = 30, **options) -> Path:
    writer = DatasetWriter.create(root, fps, features, attributes={"env": "Lift"}, **options)
    for number, (episode, length) in enumerate(episodes):
        record(
            writer,
            episode,
            length,
            ("lift", "drop")[episode % 2],
            success=episode % 3 == 0,
            attributes={"seed": episode},
            arrays={"start": np.array([number])},
        )
    writer.close(join_files=join)
    return root


def check_ours(root: Path, episodes) -> None:
    reader = DatasetReader(root)
    assert [episode.length for episode in reader] == [length for _, length in episodes]
    for read, (episode, length) in zip(reader, episodes, strict=True):
        want = [frame(episode, number) for number in range(length)]
        np.testing.assert_array_equal(read["action"], np.stack([one["action"] for one in want]))
        check_pictures(np.stack(list(read.images(FRONT))), [one[FRONT] for one in want])
        assert (read.task, read.success) == (("lift", "drop")[episode % 2], episode % 3 == 0)
        assert read.sidecar().attributes["seed"] == episode


PARTS = [[(0, 5), (1, 3)], [(2, 4)], [(3, 6), (4, 2), (5, 1)]]
ALL = [episode for part in PARTS for episode in part]


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("parts")
    return [recorded(folder / f"part{n}", part, join=n != 1) for n, part in enumerate(PARTS)]


def test_datasets_are_merged_as_they_are(parts, tmp_path, lerobot):
    before = [contents(part) for part in parts]
    told = []
    assert merge_datasets(parts, tmp_path / "all", progress=lambda *how_much: told.append(how_much)) == 6
    assert [contents(part) for part in parts] == before
    check_read(lerobot.read(tmp_path / "all"), ALL)
    check_ours(tmp_path / "all", ALL)
    assert check_dataset(tmp_path / "all", deep=True).findings == []
    reader = DatasetReader(tmp_path / "all")
    assert reader.attributes["attributes"] == {"env": "Lift"}
    origin = [episode.sidecar().attributes["source"] for episode in reader]
    assert origin == [{"dataset": f"part{n}", "episode": k} for n, part in enumerate(PARTS) for k in range(len(part))]
    assert told[-1][0] == told[-1][1] > 0
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    with DatasetWriter.append(tmp_path / "all") as writer:
        record(writer, 6, 3, "lift")
    assert check_dataset(tmp_path / "all", deep=True).findings == []


def test_the_statistics_are_those_of_the_rows_of_all(parts, tmp_path):
    whole = recorded(tmp_path / "whole", ALL)
    merge_datasets(parts, tmp_path / "all")
    stats = [json.loads((root / "meta/stats.json").read_text()) for root in (whole, tmp_path / "all")]
    for name in (*NO_VIDEO, "index", "episode_index", "frame_index", "timestamp"):
        for key, value in stats[0][name].items():
            np.testing.assert_allclose(stats[1][name][key], value, atol=1e-6, err_msg=f"{name} {key}")
    np.testing.assert_allclose(stats[1][FRONT]["mean"], stats[0][FRONT]["mean"], atol=1e-6)


def test_lerobots_own_merge_gives_equal_rows(parts, tmp_path, lerobot):
    merge_datasets([parts[0], parts[2]], tmp_path / "ours")
    run_lerobot("lerobot_edit.py", "merge", tmp_path / "theirs", parts[0], parts[2])
    ours, theirs = lerobot.read(tmp_path / "ours"), lerobot.read(tmp_path / "theirs")
    assert ours.columns.keys() == theirs.columns.keys()
    for name, column in ours.columns.items():
        if name == "task":
            assert column == theirs.columns[name]
        else:
            np.testing.assert_array_equal(column, theirs.columns[name], err_msg=name)


def test_every_difference_is_listed_and_nothing_is_made(parts, tmp_path):
    other = recorded(tmp_path / "other", [(0, 2)], fps=20, robot_type="arm", features=NO_VIDEO)
    with pytest.raises(FeatureError) as caught:
        merge_datasets([parts[0], other], tmp_path / "all")
    for text in ("fps is 20, not 30", "robot_type is 'arm'", FRONT):
        assert text in str(caught.value)
    hevc = recorded(tmp_path / "hevc", [(0, 2)], codec="hevc")
    with pytest.raises(FeatureError, match=r"the video codec of .* is hevc, not h264"):
        merge_datasets([parts[0], hevc], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_folder_that_holds_something_is_left(parts, tmp_path):
    before = contents(parts[1])
    with pytest.raises(DatasetError, match="already holds"):
        merge_datasets([parts[0]], parts[1])
    assert contents(parts[1]) == before


def test_a_merge_that_is_interrupted_at_any_step_goes_on(parts, tmp_path):
    """A disk that fails once: nobody takes what is there for a dataset, and begun again it is complete."""
    sources, step, lengths = [parts[0], parts[1]], 0, [5, 3, 4]
    while True:
        into = tmp_path / f"step{step}"
        if not _fails(step, sources, into):
            break
        if (into / "meta/info.json").exists():
            assert [episode.length for episode in DatasetReader(into)] == lengths
        else:
            merge_datasets(sources, into)
            assert [episode.length for episode in DatasetReader(into)] == lengths
            assert not (into / ".recording").exists()
        assert check_dataset(into).errors == [], step
        shutil.rmtree(into)
        step += 1
    assert step > 30


def _fails(at: int, sources: list[Path], into: Path) -> bool:
    with FailingDisk(at, errno.EIO) as disk:
        try:
            merge_datasets(sources, into)
        except DatasetError:
            assert disk.failed
    return disk.failed


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: f"{damage.code}: {damage.says}")
def test_salvage_ends_with_a_dataset_in_order_or_our_error(damage, lerobot_datasets, tmp_path):  # noqa: F811
    dataset = DamagedDataset(lerobot_datasets / damage.of, tmp_path / "dataset")
    damage.apply(dataset)
    dataset.video().chmod(0o644) if dataset.video().exists() else None
    before = contents(dataset.root)
    try:
        saved = salvage_dataset(dataset.root, tmp_path / "saved")
    except DatasetError:
        pass
    else:
        assert saved.kept
        found = {finding.code for finding in check_dataset(tmp_path / "saved", deep=True).errors}
        # A feature's name is its owner's; that a whole video shows something else cannot be mended.
        assert found <= {"feature-image-word", "video-picture"}
        assert len(DatasetReader(tmp_path / "saved")) == len(saved.kept)
    assert contents(dataset.root) == before


@pytest.mark.parametrize(
    ("join", "damage", "lost"),
    [
        (True, lambda d: (d.root / "meta/tasks.parquet").unlink(), set()),
        (True, lambda d: (d.root / "meta/stats.json").unlink(), set()),
        (True, lambda d: d.info(total_episodes=1, total_frames=3), set()),
        (True, lambda d: d.info(total_episodes=9, total_frames=300), set()),
        (True, lambda d: truncate(d.video(), 0.75), {4, 5}),
        (True, lambda d: overwrite(d.video(), 0.7, b"\xff" * 60), {3}),
        (False, lambda d: next((d.root / "videos").rglob("file-002.mp4")).unlink(), {2}),
        (False, lambda d: truncate(next((d.root / "data").rglob("file-003.parquet")), 0.5), {3}),
        (False, lambda d: next((d.root / "meta/episodes").rglob("file-001.parquet")).write_bytes(b""), {-1}),
    ],
    ids=["tasks", "stats", "too few counted", "too many counted", "video cut off", "picture", "video", "rows", "row"],
)
def test_every_undamaged_episode_is_saved(tmp_path, lerobot, join, damage, lost):
    whole = recorded(tmp_path / "whole", [(number, 8) for number in range(6)], join=join)
    dataset = DamagedDataset(whole, tmp_path / "damaged")
    damage(dataset)
    before = contents(dataset.root)
    saved = salvage_dataset(dataset.root, tmp_path / "saved")
    assert set(saved.lost) == lost
    missing = {1} if lost == {-1} else lost
    assert saved.kept == tuple(number for number in range(6) if number not in missing)
    episodes = [(number, 8) for number in saved.kept]
    check_read(lerobot.read(tmp_path / "saved"), episodes)
    check_ours(tmp_path / "saved", episodes)
    assert check_dataset(tmp_path / "saved", deep=True).findings == []
    assert contents(dataset.root) == before


def test_nothing_to_save_makes_nothing(tmp_path):
    whole = recorded(tmp_path / "whole", [(0, 2)])
    next((whole / "videos").rglob("*.mp4")).unlink()
    with pytest.raises(DatasetError, match=r"Nothing can be saved.*file-000\.mp4"):
        salvage_dataset(whole, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()

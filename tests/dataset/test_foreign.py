"""Datasets that others wrote or edited: appended to without a loss, or refused without a trace."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dataset.damaged_dataset import DamagedDataset
from dataset.recordings import FEATURES, NO_VIDEO, check_read, files_of, record
from dataset.reference_datasets import lerobot_datasets, run_lerobot  # noqa: F401
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, check_dataset, recover_dataset
from isaac_lerobot.errors import DatasetError, FeatureError

FRONT = "observation.images.front"


def contents(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in files_of(root)}


def recorded(root: Path, episodes: list[tuple[int, int]], features=FEATURES) -> Path:
    with DatasetWriter.create(root, 30, features) as writer:
        for episode, length in episodes:
            record(writer, episode, length)
    return root


def add_an_episode(root: Path) -> None:
    """Append to a dataset of the real lerobot whatever its features are."""
    with DatasetWriter.append(root) as writer:
        episode = writer.begin_episode("Push the cube")
        for _ in range(3):
            episode.add_frame(
                {
                    name: np.zeros(feature["shape"], np.uint8 if feature["dtype"] == "video" else feature["dtype"])
                    for name, feature in writer.features.items()
                }
            )
        episode.save(success=True)


@pytest.fixture
def split(lerobot_datasets, tmp_path) -> DamagedDataset:  # noqa: F811
    """A copy of a dataset of the real lerobot that we can go on with."""
    return DamagedDataset(lerobot_datasets / "split", tmp_path / "split")


@pytest.mark.parametrize("wrong", [{"fps": 60}, {"features": NO_VIDEO}, {"robot_type": "other"}, {"codec": "av1"}])
def test_a_dataset_that_does_not_fit_is_refused_untouched(split, wrong):
    before = contents(split.root)
    with pytest.raises(FeatureError, match="Cannot append"):
        DatasetWriter.append(split.root, **wrong)
    assert contents(split.root) == before


def test_depth_cannot_be_recorded_and_is_refused_untouched(lerobot_datasets, tmp_path):  # noqa: F811
    root = Path(shutil.copytree(lerobot_datasets / "joined", tmp_path / "joined"))
    before = contents(root)
    with pytest.raises(FeatureError, match=r"observation\.images\.depth"):
        DatasetWriter.append(root)
    assert contents(root) == before


@pytest.mark.parametrize("fps", [29.97, 0, -1, None, "30", True, 1e300, float("nan")])
def test_a_rate_that_is_no_whole_number_is_refused_by_reader_and_writer(split, fps):
    split.info(fps=fps)
    for use in (DatasetReader, DatasetWriter.append, recover_dataset):
        with pytest.raises(DatasetError, match="fps"):
            use(split.root)


def test_what_others_keep_in_the_info_stays(split):
    split.info(splits={"train": "0:1", "val": "1:2"}, tools=[], note="mine")
    split.feature("action", fps=10, unit="rad")
    split.feature("timestamp", fps=10)
    add_an_episode(split.root)
    info = json.loads((split.root / "meta/info.json").read_text())
    assert info["splits"] == {"train": "0:1", "val": "1:2"}
    assert (info["tools"], info["note"]) == ([], "mine")
    assert (info["features"]["action"]["unit"], info["features"]["timestamp"]["fps"]) == ("rad", 10)
    assert info["total_episodes"] == 3


def test_a_split_of_all_episodes_grows_with_them(split):
    add_an_episode(split.root)
    assert json.loads((split.root / "meta/info.json").read_text())["splits"] == {"train": "0:3"}


def test_tasks_with_a_gap_in_their_numbers_are_refused(split):
    split.tasks(lambda table: table.set_column(table.column_names.index("task_index"), "task_index", [[5]]))
    with pytest.raises(DatasetError, match="row i must be the text of task i"):
        DatasetWriter.append(split.root)


def test_files_that_no_episode_uses_in_others_datasets_stay(split):
    orphan = Path(shutil.copy(split.video(1), split.video(7)))
    note = split.path("data/NOTES.md")
    note.write_text("mine")
    for _ in range(2):
        add_an_episode(split.root)
    assert note.read_text() == "mine"
    assert recover_dataset(split.root) == []
    assert orphan.exists()
    assert [episode.length for episode in DatasetReader(split.root)] == [6, 6, 3, 3]


def test_rows_of_nobody_in_others_datasets_are_named_and_left(split):
    shutil.copy(split.root / "data/chunk-000/file-001.parquet", split.root / "data/chunk-000/file-002.parquet")
    before = contents(split.root)
    with pytest.raises(DatasetError, match=r"file-002\.parquet has 6 rows"):
        DatasetWriter.append(split.root)
    assert contents(split.root) == before


def test_what_lerobot_deleted_from_can_be_appended_to(tmp_path, lerobot):
    """It leaves the old statistics of index and episode_index behind."""
    root, edited = recorded(tmp_path / "set", [(0, 9), (1, 8), (2, 7), (3, 6)]), tmp_path / "edited"
    run_lerobot("lerobot_edit.py", "delete", root, edited, 0, 2)
    with DatasetWriter.append(edited) as writer:
        record(writer, 4, 5)
    report = check_dataset(edited, deep=True)
    assert report.ok, report.text()
    check_read(lerobot.read(edited), [(1, 8), (3, 6), (4, 5)])


@pytest.mark.parametrize("codec", ["h264", "h264:preset=ultrafast"])
def test_lerobot_merges_what_it_edited_with_what_it_did_not(tmp_path, lerobot, codec):
    """It encodes anew by what info.json says, and joins by copying.

    Not of hevc: the x265 that lerobot's editing uses writes beyond its memory with pictures as small as these.
    """
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES, codec=codec) as writer:
        for episode, length in ((0, 9), (1, 8), (2, 7)):
            record(writer, episode, length)
    run_lerobot("lerobot_edit.py", "delete", root, tmp_path / "edited", 1)
    for number, roots in enumerate(([root, tmp_path / "edited"], [tmp_path / "edited", root])):
        merged = tmp_path / f"merged{number}"
        run_lerobot("lerobot_edit.py", "merge", merged, *roots)
        all_of_it, kept = [(0, 9), (1, 8), (2, 7)], [(0, 9), (2, 7)]
        check_read(lerobot.read(merged), [*kept, *all_of_it] if number else [*all_of_it, *kept])
        assert check_dataset(merged).codes.isdisjoint({"video-rate", "video-pts", "video-frames", "video-differs"})


def test_an_uncounted_episode_is_not_read(tmp_path):
    """Between the last two steps of a commit, or after a kill there, the rows are there and do not count yet."""
    root = recorded(tmp_path / "set", [(0, 3), (1, 4)])
    info = root / "meta/info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"total_episodes": 1, "total_frames": 3}))
    reader = DatasetReader(root)
    assert (len(reader), reader.num_frames, [episode.length for episode in reader]) == (1, 3, [3])
    with pytest.raises(DatasetError, match="not 1"):
        reader.episode(1)


def test_joined_files_are_not_joined_anew_by_every_append(tmp_path):
    """Wherever they are numbered: a chunk of two files stands for the thousand that fill one otherwise."""
    root = tmp_path / "set"
    with DatasetWriter.create(root, 30, FEATURES, video_files_size_in_mb=1, data_files_size_in_mb=1) as writer:
        for episode in range(5):
            record(writer, episode, 40)
        writer.close(join_files=False)
    info = root / "meta/info.json"
    small = {"chunks_size": 2, "video_files_size_in_mb": 0.0001, "data_files_size_in_mb": 0.0001}
    info.write_text(json.dumps(json.loads(info.read_text()) | small))
    recover_dataset(root)
    videos = {path: path.stat().st_ino for path in (root / "videos").rglob("*.mp4")}
    assert max(int(path.parent.name[-3:]) for path in videos) >= 2
    with DatasetWriter.append(root) as writer:
        record(writer, 5, 40)
    assert {path: path.stat().st_ino for path in videos} == videos
    assert check_dataset(root).ok

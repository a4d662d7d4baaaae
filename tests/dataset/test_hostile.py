"""Datasets from anywhere: whatever they claim, nothing outside their folder is touched, read or waited for."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset.damaged_dataset import DamagedDataset, cell
from dataset.recordings import FEATURES, NO_VIDEO, record
from isaac_lerobot.dataset import DatasetReader, DatasetWriter, check_dataset, compact_dataset, recover_dataset
from isaac_lerobot.errors import DatasetError

FRONT = "observation.images.front"

CHANGERS: dict[str, Callable[[Path], object]] = {
    "recover": recover_dataset,
    "compact": compact_dataset,
    "append": lambda root: DatasetWriter.append(root).close(),
    "overwrite": lambda root: DatasetWriter.create(root, 30, NO_VIDEO, overwrite=True).close(),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("recorded") / "set"
    with DatasetWriter.create(root, 30, FEATURES) as writer:
        for episode in range(2):
            record(writer, episode, 3)
    return root


@pytest.fixture
def dataset(recorded, tmp_path) -> DamagedDataset:
    return DamagedDataset(recorded, tmp_path / "set")


@pytest.fixture
def letter(tmp_path) -> Path:
    """A file of the user's."""
    path = tmp_path / "letters/chunk-000/file-000.mp4"
    path.parent.mkdir(parents=True)
    path.write_text("important")
    return path


@pytest.mark.parametrize("change", CHANGERS)
@pytest.mark.parametrize("name", ["{absolute}", "../letters/chunk-000/file-000.mp4", "videos/../../letters/x", 7])
def test_a_journal_that_came_with_a_dataset_removes_nothing_but_its_videos(dataset, letter, change, name):
    old = name.format(absolute=letter) if isinstance(name, str) else name
    dataset.path(".recording/join/journal.json").write_text(
        json.dumps({"token": "x", "data": None, "old_videos": [old]})
    )
    with pytest.raises(DatasetError, match="is no video"):
        CHANGERS[change](dataset.root)
    assert letter.read_text() == "important"


@pytest.mark.parametrize("change", CHANGERS)
def test_a_journal_removes_no_video_that_an_episode_uses(dataset, change):
    video = dataset.video()
    content = video.read_bytes()
    journal = {"token": "x", "data": None, "old_videos": [video.relative_to(dataset.root).as_posix()]}
    dataset.path(".recording/join/journal.json").write_text(json.dumps(journal))
    shutil.copytree(dataset.root / "meta", dataset.root / ".recording/join/meta")
    CHANGERS[change](dataset.root)
    assert video.read_bytes() == content


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"token": 1, "data": 2, "old_videos": 3}', "[" * 100_000])
@pytest.mark.parametrize("change", CHANGERS)
def test_a_journal_that_is_none_is_our_error(dataset, change, content):
    dataset.path(".recording/join/journal.json").write_text(content)
    with pytest.raises(DatasetError, match=r"journal\.json"):
        CHANGERS[change](dataset.root)


def _link_folder(dataset: DamagedDataset, outside: Path, name: str) -> None:
    path = dataset.root / name
    if path.exists():
        shutil.rmtree(outside)
        shutil.move(path, outside)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(outside)


@pytest.mark.parametrize("change", CHANGERS)
@pytest.mark.parametrize(
    "name", ["data", "data/chunk-000", "videos", f"videos/{FRONT}", "meta/episodes", "isaac", ".recording", ".replaced"]
)
def test_nothing_is_changed_through_a_link_to_a_folder(dataset, letter, change, name):
    outside = letter.parents[1]
    (outside / "mine.txt").write_text("important")
    _link_folder(dataset, outside, name)
    before = sorted(path for path in outside.rglob("*"))
    with pytest.raises(DatasetError, match="is a link"):
        CHANGERS[change](dataset.root)
    assert sorted(path for path in outside.rglob("*")) == before


@pytest.mark.parametrize("change", CHANGERS)
@pytest.mark.parametrize("name", [".recording.lock", ".recording/stats.json", ".recording/join/journal.new"])
def test_nothing_is_written_through_a_link_to_a_file(dataset, letter, change, name):
    dataset.path(name).symlink_to(letter)
    (dataset.root / "meta/stats.json").unlink()
    with pytest.raises(DatasetError):
        CHANGERS[change](dataset.root)
    assert letter.read_text() == "important"


def test_the_cache_of_the_hub_is_made_of_links_to_files(recorded, tmp_path):
    """It can be read, appended to and joined; the files that the links lead to stay as they are."""
    blobs, root = tmp_path / "blobs", tmp_path / "snapshots/set"
    blobs.mkdir()
    for number, path in enumerate(sorted(path for path in recorded.rglob("*") if path.is_file())):
        blob = Path(shutil.copy(path, blobs / str(number)))
        link = root / path.relative_to(recorded)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    before = {path: path.read_bytes() for path in blobs.iterdir()}
    assert len(list(DatasetReader(root).episode(1).images(FRONT))) == 3
    with DatasetWriter.append(root) as writer:
        assert record(writer, 2, 4) == 2
    compact_dataset(root)
    assert [episode.length for episode in DatasetReader(root)] == [3, 3, 4]
    assert [len(list(episode.images(FRONT))) for episode in DatasetReader(root)] == [3, 3, 4]
    assert check_dataset(root).ok
    assert {path: path.read_bytes() for path in blobs.iterdir()} == before


@pytest.mark.parametrize("key", ["data_path", "video_path"])
@pytest.mark.parametrize(
    "template",
    [
        "../other/{chunk_index}/{file_index}",
        "/etc/passwd",
        "{chunk_index:>99999999999}",
        "{0}",
        "{nope}",
        "{chunk_index.__class__}",
        7,
    ],
)
def test_only_the_standard_paths_are_read(dataset, key, template):
    dataset.info(**{key: template})
    with pytest.raises(DatasetError, match=key):
        DatasetReader(dataset.root)
    assert "info-path" in check_dataset(dataset.root).codes


def test_a_script_in_place_of_a_video_is_not_run(dataset, recorded):
    other = next((recorded / "videos").rglob("*.mp4"))
    dataset.video().write_text(f"ffconcat version 1.0\nfile '{other}'\n")
    with pytest.raises(DatasetError, match=r"file-000\.mp4"):
        list(DatasetReader(dataset.root).episode(0).images(FRONT))


def test_a_video_of_another_size_than_declared_is_refused(dataset):
    dataset.feature(FRONT, shape=[16, 24, 3])
    with pytest.raises(DatasetError, match=r"32x48, and info\.json says 16x24"):
        list(DatasetReader(dataset.root).episode(0).images(FRONT))


@pytest.mark.parametrize("name", ["meta/info.json", "meta/stats.json", "meta/tasks.parquet", "meta/isaac_lerobot.json"])
def test_nobody_waits_for_a_pipe_in_place_of_a_file(dataset, name):
    path = dataset.root / name
    path.unlink()
    os.mkfifo(path)
    for use in (DatasetReader, check_dataset, *CHANGERS.values()):
        with contextlib.suppress(DatasetError):
            use(dataset.root)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("length", -1),
        ("length", 2**62),
        ("dataset_from_index", -5),
        ("data/chunk_index", None),
        ("data/chunk_index", -1),
        (f"videos/{FRONT}/from_timestamp", float("nan")),
        (f"videos/{FRONT}/from_timestamp", float("inf")),
        (f"videos/{FRONT}/from_timestamp", -1.0),
        (f"videos/{FRONT}/file_index", None),
    ],
)
def test_a_row_of_the_episode_table_that_cannot_be(dataset, name, value):
    dataset.episodes(cell(name, 1, value))
    with pytest.raises(DatasetError):
        read_all(dataset.root)
    for change in ("recover", "append", "compact"):
        with pytest.raises(DatasetError, match="salvage"):
            CHANGERS[change](dataset.root)


def read_all(root: Path) -> None:
    for episode in DatasetReader(root):
        _ = episode.columns, list(episode.images(FRONT))


def test_texts_with_wrong_bytes_in_them_are_our_error(dataset):
    wrong = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 2, 4], np.int32)), pa.py_buffer(b"\xff\xfe\xff\xfe")]
    )
    path = dataset.root / "meta/tasks.parquet"
    table = pq.read_table(path).slice(0, 1)
    table = pa.Table.from_arrays([table["task_index"], wrong.slice(0, 1)], schema=table.schema)
    pq.write_table(table, path)
    with pytest.raises(DatasetError):
        DatasetReader(dataset.root)
    for change in ("recover", "append", "compact"):
        with pytest.raises(DatasetError):
            CHANGERS[change](dataset.root)

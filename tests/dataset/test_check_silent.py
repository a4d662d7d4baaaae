"""Damage that the real lerobot reads without a word, and reads wrong: the check names each."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset.damaged_dataset import FRONT, DamagedDataset, cell, column, order
from dataset.reference_datasets import lerobot_datasets, read_with_lerobot  # noqa: F401
from isaac_lerobot.dataset.check import check_dataset


def _shift_video(d: DamagedDataset) -> None:
    for part in ("from", "to"):
        d.episodes(cell(f"videos/{FRONT}/{part}_timestamp", 1, {"from": 0.4, "to": 1.2}[part]))


def _add_copy(d: DamagedDataset) -> None:
    # A file manager's name for a copy, which sorts before the original.
    table = pq.read_table(d.path("data/chunk-000/file-000.parquet"))
    pq.write_table(table.slice(0, 5), d.path("data/chunk-000/file-000 (copy).parquet"))


def _restart_index(d: DamagedDataset) -> None:
    d.rows(column("index", [*range(5), *range(8), *range(2)]))


def _swap_cameras(d: DamagedDataset) -> None:
    other = d.video(camera="observation.images.wrist")
    d.video().rename(d.path("aside"))
    other.rename(d.video())
    d.path("aside").rename(other)


SILENT: dict[str, Callable[[DamagedDataset], object]] = {
    "info-total-frames": lambda d: d.info(total_frames=11),
    "tasks-pandas-index": lambda d: d.tasks(lambda table: table.replace_schema_metadata(None)),
    "tasks-order": lambda d: d.tasks(order(1, 0)),
    "episodes-order": lambda d: d.episodes(order(1, 0, 2)),
    "episodes-video-time": _shift_video,
    "data-file-extra": _add_copy,
    "data-index": _restart_index,
    "data-type": lambda d: d.rows(column("next.reward", lambda v: [int(10 * x) for x in v], pa.int64())),
    "stats-image-scale": lambda d: d.stats(FRONT, mean=[[[99.0]], [[99.0]], [[99.0]]]),
    "video-picture": _swap_cameras,
}


@pytest.fixture(scope="module")
def readings(lerobot_datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:  # noqa: F811
    """What lerobot reads of each damaged dataset, and of the whole one under ``""``; read by one process."""
    folder = tmp_path_factory.mktemp("silent")
    for code, damage in SILENT.items():
        damage(DamagedDataset(lerobot_datasets / "joined", folder / code))
    shutil.copytree(lerobot_datasets / "joined", folder / "whole")
    found = read_with_lerobot([folder / name for name in ("whole", *SILENT)], folder)
    return dict(zip(("", *SILENT), found, strict=True)) | {"folder": folder}


@pytest.mark.parametrize("code", SILENT)
def test_lerobot_reads_it_wrong_without_a_word(readings: dict[str, dict], code: str) -> None:
    assert "error" not in readings[""], readings[""]
    assert "error" not in readings[code], readings[code]
    assert readings[code] != readings[""]
    assert code in {finding.code for finding in check_dataset(readings["folder"] / code, deep=True).errors}


def test_a_column_that_later_files_of_the_episode_table_lack_is_read_as_empty(
    lerobot_datasets: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    dataset = DamagedDataset(lerobot_datasets / "split", tmp_path / "dataset")
    dataset.episodes(lambda table: table.append_column("success", pa.array([True])))
    (read,) = read_with_lerobot([dataset.root], tmp_path)
    assert "error" not in read
    assert check_dataset(dataset.root).ok
    dataset.episodes(lambda table: table.append_column("seed", pa.array([1])), 1)
    (read,) = read_with_lerobot([dataset.root], tmp_path)
    assert "error" in read
    assert "episodes-schema" in check_dataset(dataset.root).codes

"""Whatever a dataset holds, each way into it ends with a result or with an error of ours."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset.any_json import put_any_json
from dataset.recordings import FEATURES, NO_VIDEO, frame
from isaac_lerobot.dataset import (
    DatasetReader,
    DatasetWriter,
    check_dataset,
    compact_dataset,
    merge_datasets,
    recover_dataset,
    salvage_dataset,
)
from isaac_lerobot.errors import IsaacLeRobotError

STILL = "observation.images.still"
SMALL = {**FEATURES, STILL: {"dtype": "image", "shape": (4, 4, 3)}, "label": {"dtype": "string", "shape": (1,)}}


def read(root: Path) -> None:
    reader = DatasetReader(root)
    for episode in reader:
        _ = episode.columns, episode.success, episode.task, episode.sidecar()
        for camera in reader.cameras:
            for _ in episode.images(camera):
                pass


def append(root: Path) -> None:
    with DatasetWriter.append(root) as writer:
        episode = writer.begin_episode("again")
        episode.add_frame(
            {
                name: "text" if one["dtype"] == "string" else np.zeros(one["shape"], _dtype(one["dtype"]))
                for name, one in writer.features.items()
            }
        )
        episode.save()


def _dtype(name: str) -> str:
    return "uint8" if name in ("video", "image") else name


def overwrite(root: Path) -> None:
    with DatasetWriter.create(root, 30, NO_VIDEO, overwrite=True) as writer:
        episode = writer.begin_episode("anew")
        episode.add_frame(frame(0, 0, video=False))
        episode.save()


WAYS: dict[str, Callable[[Path], Any]] = {
    "read": read,
    "check": lambda root: check_dataset(root, deep=True),
    "append": append,
    "overwrite": overwrite,
    "recover": recover_dataset,
    "compact": compact_dataset,
    "salvage": lambda root: salvage_dataset(root, root.with_name("saved")),
    "merge": lambda root: merge_datasets([root, root], root.with_name("merged")),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("fuzz") / "set"
    writer = DatasetWriter.create(root, 30, SMALL, attributes={"env": "Lift"})
    for number in range(3):
        episode = writer.begin_episode(f"task {number % 2}", attributes={"seed": number})
        for step in range(3):
            more = {STILL: np.full((4, 4, 3), step, np.uint8), "label": f"frame {step}"}
            episode.add_frame(frame(number, step) | more, {"state": np.zeros(2)})
        episode.save(success=True, arrays={"start": np.zeros(2)})
    writer.close()
    return root


def try_everything(root: Path) -> None:
    """Try each way on a copy, and make sure that nothing beside the copy changes."""
    for name, way in WAYS.items():
        folder = root.parent / name
        copy = Path(shutil.copytree(root, folder / "set"))
        (folder / "letter.txt").write_text("important")
        try:
            with contextlib.suppress(IsaacLeRobotError):
                way(copy)
        except BaseException as error:
            error.add_note(f"by {name}")
            raise
        assert (folder / "letter.txt").read_text() == "important"
        beside = {path.name for path in folder.iterdir()} - {"set", "letter.txt", "saved", "merged"}
        assert not beside
        shutil.rmtree(folder)


JSON_FILES = (
    "meta/info.json",
    "meta/stats.json",
    "meta/isaac_lerobot.json",
    "isaac/episodes/chunk-000/episode_000001.json",
)
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(data=st.data())
def test_any_json_anywhere(recorded, tmp_path_factory, data) -> None:
    root = Path(shutil.copytree(recorded, tmp_path_factory.mktemp("json") / "set"))
    put_any_json(root / data.draw(st.sampled_from(JSON_FILES)), data)
    try_everything(root)
    shutil.rmtree(root.parent)


@FUZZ
@given(data=st.data())
def test_any_bytes_anywhere(recorded, tmp_path_factory, data) -> None:
    root = Path(shutil.copytree(recorded, tmp_path_factory.mktemp("bytes") / "set"))
    path = data.draw(st.sampled_from(sorted(path for path in root.rglob("*") if path.is_file())))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try_everything(root)
    shutil.rmtree(root.parent)


@pytest.mark.parametrize(
    "name",
    ["meta/info.json", "meta/stats.json", "meta/isaac_lerobot.json", "isaac/episodes/chunk-000/episode_000001.json"],
)
@pytest.mark.parametrize("content", ["[" * 200_000, '{"a":' * 100_000, "", "null", "7", '"\\ud800"', "\x00", "NaN"])
def test_deep_nesting_and_other_nonsense(recorded, tmp_path, name, content) -> None:
    root = Path(shutil.copytree(recorded, tmp_path / "set"))
    (root / name).write_text(content)
    try_everything(root)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _to_folder(path: Path) -> None:
    _remove(path)
    path.mkdir()


@pytest.mark.parametrize("damage", [_remove, _to_folder, lambda path: (_remove(path), path.write_bytes(b""))])
@pytest.mark.parametrize(
    "name",
    ["meta", "meta/info.json", "meta/episodes", "meta/tasks.parquet", "data", "data/chunk-000", "videos", "isaac"],
)
def test_parts_that_are_missing_or_of_another_kind(recorded, tmp_path, name, damage) -> None:
    root = Path(shutil.copytree(recorded, tmp_path / "set"))
    damage(root / name)
    try_everything(root)

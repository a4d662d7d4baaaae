"""Small recordings for the tests: frames that tell by themselves which frame of which episode they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from isaac_lerobot.dataset.write.writer import DatasetWriter

HEIGHT, WIDTH = 32, 48
FEATURES: dict[str, Any] = {
    "observation.state": {"dtype": "float32", "shape": (3,), "names": ["a", "b", "c"]},
    "action": {"dtype": "float32", "shape": (2,), "names": None},
    "observation.images.front": {"dtype": "video", "shape": (HEIGHT, WIDTH, 3)},
}
NO_VIDEO = {name: feature for name, feature in FEATURES.items() if feature["dtype"] != "video"}
CODEC_ERROR = 12
"""Largest mean difference of grey levels that the codec may make on these pictures."""


def picture(episode: int, frame: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A grey level that tells frame and episode, and a bright bar that tells the frame."""
    image = np.full((height, width, 3), 20 + (37 * episode + 11 * frame) % 180, np.uint8)
    image[:, (5 * frame) % width : (5 * frame) % width + 4] = 250
    return image


def frame(episode: int, number: int, video: bool = True) -> dict[str, Any]:
    """Frame ``number`` of episode ``episode``."""
    values = {
        "observation.state": np.array([episode, number, episode + number / 7], np.float32),
        "action": np.array([number, -episode], np.float32),
    }
    return values | ({"observation.images.front": picture(episode, number)} if video else {})


def record(
    writer: DatasetWriter,
    episode: int,
    length: int,
    task: str = "do it",
    into: DatasetWriter | None = None,
    **options: Any,
) -> int:
    """Record one episode and save it, elsewhere if ``into`` is given; ``options`` go to ``save``."""
    video = "observation.images.front" in writer.features
    recording = writer.begin_episode(task)
    for number in range(length):
        recording.add_frame(frame(episode, number, video))
    return recording.save(**options) if into is None else into.save(recording, **options)


def check_read(read: Any, episodes: list[tuple[int, int]]) -> None:
    """Check what lerobot read: ``episodes`` are pairs (number given to :func:`record`, length), in order."""
    assert read.lengths == [length for _, length in episodes]
    for index, (episode, length) in enumerate(episodes):
        rows = read.rows(index)
        want = [frame(episode, number) for number in range(length)]
        for name in ("observation.state", "action"):
            np.testing.assert_array_equal(rows[name], np.stack([one[name] for one in want]))
        np.testing.assert_array_equal(rows["frame_index"], np.arange(length))
        np.testing.assert_array_equal(rows["episode_index"], index)
        np.testing.assert_array_equal(rows["timestamp"], (np.arange(length) / read.fps).astype(np.float32))
        if "observation.images.front" in rows:
            check_pictures(rows["observation.images.front"], [one["observation.images.front"] for one in want])
    np.testing.assert_array_equal(read.columns["index"], np.arange(sum(length for _, length in episodes)))


def check_pictures(got: np.ndarray, want: list[np.ndarray]) -> None:
    """Check decoded pictures against what was given, within the codec's error."""
    difference = np.abs(got.astype(int) - np.stack(want).astype(int))
    assert got.shape == np.stack(want).shape
    assert difference.mean(axis=(1, 2, 3)).max() < CODEC_ERROR


def files_of(root: Path) -> set[str]:
    """All files of a dataset, for comparing what is left."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

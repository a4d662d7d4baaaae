"""The reader, on datasets of the real lerobot and of our own writer."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataset.damaged_dataset import cell
from dataset.reference_datasets import lerobot_datasets  # noqa: F401
from isaac_lerobot.dataset import DatasetWriter, check_dataset
from isaac_lerobot.dataset.read import DatasetReader
from isaac_lerobot.errors import DatasetError

LENGTHS = (5, 8, 2)
FRONT = "observation.images.front"


@pytest.fixture
def joined(lerobot_datasets: Path) -> DatasetReader:  # noqa: F811
    return DatasetReader(lerobot_datasets / "joined")


@pytest.fixture(scope="module")
def truth(lerobot_datasets: Path) -> dict[str, np.ndarray]:  # noqa: F811
    return dict(np.load(lerobot_datasets / "truth.npz"))


@pytest.fixture
def copy(lerobot_datasets: Path, tmp_path: Path) -> Path:  # noqa: F811
    return Path(shutil.copytree(lerobot_datasets / "split", tmp_path / "copy"))


def test_metadata(joined: DatasetReader) -> None:
    assert (joined.fps, joined.num_episodes, len(joined), joined.num_frames) == (10, 3, 3, 15)
    assert joined.robot_type == "arm"
    assert sorted(joined.tasks) == ["Lift the cube", "Push the cube"]
    assert joined.features["grid"].shape == (2, 3)
    assert [episode.length for episode in joined] == list(LENGTHS)
    assert [episode.task for episode in joined] == ["Push the cube", "Lift the cube", "Push the cube"]
    assert [joined.tasks[episode["task_index"][0]] for episode in joined] == [episode.task for episode in joined]
    assert joined.attributes == {}
    assert joined.episode(0).sidecar().attributes == {}
    assert joined.episode(0).success is None


def test_columns_have_their_true_shapes_and_values(joined: DatasetReader, truth: dict[str, np.ndarray]) -> None:
    start = 0
    for episode in joined:
        stop = start + episode.length
        np.testing.assert_array_equal(episode["observation.state"], truth["state"][start:stop])
        np.testing.assert_array_equal(episode["grid"], truth["grid"][start:stop])
        assert episode["next.reward"].shape == (episode.length,)
        assert episode["next.done"].dtype == bool
        assert episode["next.done"].tolist() == [False] * (episode.length - 1) + [True]
        assert episode["label"][-1] == f"e{episode.index}f{episode.length - 1}"
        np.testing.assert_array_equal(episode["index"], np.arange(start, stop))
        np.testing.assert_array_equal(episode["frame_index"], np.arange(episode.length))
        assert set(episode.columns) == {name for name in joined.features if name not in joined.cameras}
        np.testing.assert_array_equal(episode.columns["action"], episode["action"])
        start = stop


@pytest.mark.parametrize("camera", ["front", "wrist", "still", "depth"])
def test_images_are_the_right_frames(joined: DatasetReader, truth: dict[str, np.ndarray], camera: str) -> None:
    start = 0
    for episode in joined:
        pictures = np.stack(list(episode.images(f"observation.images.{camera}")))
        wanted = truth[camera][start : start + episode.length]
        assert pictures.shape == wanted.shape
        assert pictures.dtype == (np.float32 if camera == "depth" else np.uint8)
        off = np.abs(pictures.astype(float) - wanted).mean((1, 2, 3))
        # Neighbouring frames differ by 16 grey levels (560 mm); the codecs by 2 at most (3 mm).
        assert off.max() < {"still": 1e-9, "depth": 5}.get(camera, 3)
        start += episode.length


@pytest.mark.parametrize("camera", ["front", "still", "depth"])
def test_any_stretch_of_images_is_frame_exact(joined: DatasetReader, camera: str) -> None:
    episode = joined.episode(1)
    whole = list(episode.images(f"observation.images.{camera}"))
    for start, stop in ((0, 1), (3, 5), (7, 8), (4, 4)):
        part = list(episode.images(f"observation.images.{camera}", start, stop))
        assert len(part) == stop - start
        assert all(np.array_equal(one, other) for one, other in zip(part, whole[start:stop], strict=True))
    assert len(list(episode.images(f"observation.images.{camera}", 6))) == 2


def test_images_may_be_left_early(joined: DatasetReader) -> None:
    pictures = joined.episode(1).images(FRONT)
    first = next(pictures)
    pictures.close()
    assert first.shape == (48, 64, 3)


def test_files_of_one_episode_each(lerobot_datasets: Path) -> None:  # noqa: F811
    for episode in DatasetReader(lerobot_datasets / "split"):
        np.testing.assert_array_equal(episode["action"][:, 0], np.arange(6))
        means = [picture.mean() for picture in episode.images(FRONT)]
        assert np.all(np.diff(means) > 8)


@pytest.mark.parametrize("join", [True, False])
def test_datasets_of_our_own_writer(tmp_path: Path, join: bool) -> None:
    features = {
        "observation.state": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
        "action": {"dtype": "float32", "shape": (1,)},
        FRONT: {"dtype": "video", "shape": (48, 64, 3)},
        "observation.images.still": {"dtype": "image", "shape": (16, 16, 3)},
        "grid": {"dtype": "int64", "shape": (2, 2)},
    }
    writer = DatasetWriter.create(tmp_path / "own", 10, features, attributes={"env": "Reach"})
    for number, length in enumerate((25, 1, 30)):
        episode = writer.begin_episode(f"Task {number}", attributes={"seed": number})
        for frame in range(length):
            level = 8 * frame + number
            values = {
                "observation.state": np.array([frame, number], np.float32),
                "action": np.array([frame], np.float32),
                FRONT: np.full((48, 64, 3), level, np.uint8),
                "observation.images.still": np.full((16, 16, 3), frame, np.uint8),
                "grid": np.full((2, 2), frame),
            }
            episode.add_frame(values, extra={"pose": np.full((3, 2), frame, np.float32)})
        episode.save(success=number != 1)
    writer.close(join_files=join)

    dataset = DatasetReader(tmp_path / "own")
    assert [episode.length for episode in dataset] == [25, 1, 30]
    assert [episode.success for episode in dataset] == [True, False, True]
    assert dataset.attributes["attributes"] == {"env": "Reach"}
    for episode in dataset:
        frames = np.arange(episode.length)
        np.testing.assert_array_equal(episode["observation.state"][:, 0], frames)
        np.testing.assert_array_equal(episode["action"], frames)
        np.testing.assert_array_equal(episode["grid"][:, 1, 1], frames)
        levels = np.array([picture.mean() for picture in episode.images(FRONT)])
        assert np.abs(levels - (8 * frames + episode.index)).max() < 3
        assert [int(picture[0, 0, 0]) for picture in episode.images("observation.images.still")] == frames.tolist()
        late = [picture.mean() for picture in episode.images(FRONT, episode.length - 1)]
        assert late == [pytest.approx(levels[-1])]
        assert episode.sidecar().attributes["seed"] == episode.index
        np.testing.assert_array_equal(episode.sidecar().frames["pose"][:, 2, 1], frames)


def test_wrong_names_and_numbers_say_what_there_is(joined: DatasetReader) -> None:
    with pytest.raises(DatasetError, match="0 to 2, not 3"):
        joined.episode(3)
    episode = joined.episode(0)
    with pytest.raises(DatasetError, match=r"Did you mean 'observation.state'"):
        episode["observation.stat"]
    with pytest.raises(DatasetError, match="is a camera"):
        episode[FRONT]
    with pytest.raises(DatasetError, match=r"Did you mean 'observation.images.front'"):
        episode.images("observation.images.fron")
    with pytest.raises(DatasetError, match="0 to 4, not 2 to 5"):
        episode.images(FRONT, 2, 6)


def test_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no meta/info.json"):
        DatasetReader(tmp_path)


def _missing_video(root: Path) -> None:
    (root / f"videos/{FRONT}/chunk-000/file-001.mp4").unlink()


def _short_video(root: Path) -> None:
    folder = root / f"videos/{FRONT}/chunk-000"
    content = (folder / "file-001.mp4").read_bytes()
    (folder / "file-001.mp4").write_bytes(content[: len(content) // 2])


def _missing_rows(root: Path) -> None:
    (root / "data/chunk-000/file-001.parquet").unlink()


def _footless_rows(root: Path) -> None:
    path = root / "data/chunk-000/file-001.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def _swapped_rows(root: Path) -> None:
    first, second = (root / f"data/chunk-000/file-00{number}.parquet" for number in (0, 1))
    tables = pq.read_table(first), pq.read_table(second)
    pq.write_table(tables[1], first)
    pq.write_table(tables[0], second)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_missing_video, r"file-001.mp4 is missing.*episode 1"),
        (_short_video, r"file-001.mp4"),
        (_missing_rows, r"file-001.parquet is missing.*episode 1"),
        (_footless_rows, r"file-001.parquet cannot be read"),
        (_swapped_rows, r"of episode 1 should be.*check"),
    ],
)
def test_damage_is_named_and_other_episodes_are_read(copy: Path, damage, message: str) -> None:
    damage(copy)
    dataset = DatasetReader(copy)
    with pytest.raises(DatasetError, match=message):
        _ = dataset.episode(1)["action"], list(dataset.episode(1).images(FRONT))
    if damage is not _swapped_rows:
        assert len(dataset.episode(0)["action"]) == len(list(dataset.episode(0).images(FRONT))) == 6


def test_open_gops_do_not_shift_frames(tmp_path: Path) -> None:
    """HEVC with open GOPs, where a plain seek loses the frames before a key frame (lerobot-format.md part 6)."""
    import subprocess

    from isaac_lerobot.dataset.video.decoder import PictureFormat, video_frames
    from isaac_lerobot.dataset.video.ffmpeg import find_ffmpeg

    path, form = tmp_path / "open.mp4", PictureFormat(48, 64)
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "64x48", "-r", "10", "-i", "-"]
    codec = ["-c:v", "libx265", "-x265-params", "keyint=12:min-keyint=12:scenecut=0:open-gop=1:log-level=none"]
    frames = np.repeat(np.arange(60, dtype=np.uint8) * 4, 48 * 64).tobytes()
    command = [find_ffmpeg(), "-v", "error", *source, *codec, "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, input=frames, check=True)
    for first in range(0, 60, 3):
        levels = [picture.mean() for picture in video_frames(path, first, min(2, 60 - first), 10, form)]
        assert np.round(np.array(levels) / 4).tolist() == list(range(first, min(first + 2, 60)))


STILL = "observation.images.still"


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    """An episode of eight stills, of which number 3 has a damaged header."""
    root = tmp_path / "stills"
    with DatasetWriter.create(root, 10, {STILL: {"dtype": "image", "shape": (16, 16, 3)}}) as writer:
        episode = writer.begin_episode("look")
        for number in range(8):
            episode.add_frame({STILL: np.full((16, 16, 3), 10 * number, np.uint8)})
        episode.save()
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    content = table[STILL][3].as_py()["bytes"]
    damaged = {"bytes": content[:12] + b"IHDX" + content[16:], "path": None}
    pq.write_table(cell(STILL, 3, damaged)(table), path)
    return root


def test_a_damaged_still_is_named_and_shifts_no_other(stills: Path) -> None:
    episode = DatasetReader(stills).episode(0)
    for part in ((0, 3), (4, 8)):
        levels = [int(picture[0, 0, 0]) for picture in episode.images(STILL, *part)]
        assert levels == [10 * number for number in range(*part)]
    with pytest.raises(DatasetError, match=r"Frame 3 of observation.images.still in episode 0"):
        list(episode.images(STILL))
    report = check_dataset(stills, deep=True)
    assert "data-stills" in report.codes
    assert check_dataset(stills).ok


def test_stills_of_another_size_than_declared_are_refused(stills: Path) -> None:
    info = stills / "meta/info.json"
    info.write_text(info.read_text().replace("16,", "8,"))
    with pytest.raises(DatasetError, match="16x16 pixels, not 8x8"):
        next(DatasetReader(stills).episode(0).images(STILL))

"""The way back: HDF5 files that Isaac Lab's own handler loads, equal but for what the video codec does."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from isaac_lerobot.dataset import DatasetWriter
from tools.demo_files import ENV_ARGS, HEIGHT, WIDTH, demo, flat, picture, write_file, wxyz

PICTURE_ERROR = 6.0


def loaded(path, name: str) -> tuple[dict, object]:
    """A demo as Isaac Lab's own handler loads it: arrays by path, and the ``EpisodeData``."""
    from isaaclab.utils.datasets import HDF5DatasetFileHandler

    handler = HDF5DatasetFileHandler()
    handler.open(str(path))
    episode = handler.load_episode(name, "cpu")
    handler.close()
    return {path: value.numpy() for path, value in flat(episode.data).items()}, episode


def assert_equal(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        value = np.asarray(value)
        assert found[path].dtype == value.dtype, path
        assert found[path].shape == value.shape, path
        if value.dtype == np.uint8:
            assert np.abs(found[path].astype(int) - value).mean() < PICTURE_ERROR, path
        else:
            np.testing.assert_array_equal(found[path], value, err_msg=path)


@pytest.mark.parametrize("version", [0, 1])
def test_there_and_back_is_the_same_file(tmp_path, run, version):
    demos = [demo(number, 10 + number, mimic=number == 0) for number in range(3)]
    # Mimic's notes in one of them only: what is kept beside a dataset may differ from demo to demo.
    demos[0]["obs"].pop("subtask_terms")
    written = demos if version else [wxyz(one) for one in demos]
    success, seeds = [True, False, None], [4, None, 6]
    source = write_file(tmp_path / "in.hdf5", written, success=success, seeds=seeds, format_version=version)
    assert run("convert", source, tmp_path / "there.lerobot")[0] == 0
    code, out, _ = run("convert", tmp_path / "there.lerobot", tmp_path / "back.hdf5")
    assert (code, out) == (0, f"3 episodes written: {tmp_path / 'back.hdf5'}\n")

    for number, expected in enumerate(demos):
        found, episode = loaded(tmp_path / "back.hdf5", f"demo_{number}")
        assert_equal(found, flat(expected))
        assert (episode.seed, episode.success) == (seeds[number], success[number])
        assert episode.env_id == "Isaac-Stack-Cube"
    with h5py.File(source) as before, h5py.File(tmp_path / "back.hdf5") as after:
        assert json.loads(after["data"].attrs["env_args"]) == ENV_ARGS
        assert after["data"].attrs["total"] == before["data"].attrs["total"]
        assert after["data/demo_2"].attrs["num_samples"] == 12
        assert after.attrs["format_version"] == 1


def test_our_own_handler_loads_what_was_converted(tmp_path, run):
    from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler

    demos = [demo(number, 8, mimic=True) for number in range(2)]
    source = write_file(tmp_path / "in.hdf5", demos, success=[True, False], seeds=[7, 8])
    assert run("convert", source, tmp_path / "there.lerobot")[0] == 0
    handler = LeRobotDatasetFileHandler()
    handler.open(str(tmp_path / "there.lerobot"))
    assert handler.get_env_name() == "Isaac-Stack-Cube"
    assert list(handler.get_episode_names()) == ["demo_0", "demo_1"]
    episode = handler.load_episode("demo_1", "cpu", images=True)
    handler.close()
    assert (episode.seed, episode.success) == (8, False)
    assert_equal({path: value.numpy() for path, value in flat(episode.data).items()}, flat(demos[1]))


def test_odd_shapes_come_back(tmp_path, run):
    """Scalars, an asset without joints, matrices, double precision, grey and RGBA pictures."""
    rgba = np.stack([picture(1, row) for row in range(6)])
    rgba = np.concatenate([rgba, np.full((6, HEIGHT, WIDTH, 1), 255, np.uint8)], axis=-1)
    expected = {
        "actions": np.arange(6, dtype=np.float32).reshape(6, 1),
        "obs": {
            "flag": np.arange(6) % 2 == 0,
            "column": np.arange(6, dtype=np.int32)[:, None],
            "matrix": np.arange(96, dtype=np.float64).reshape(6, 4, 4),
            "rgba": rgba,
            "grey": np.stack([picture(2, row, channels=1) for row in range(6)]),
        },
        "initial_state": {"articulation": {"post": {"joint_position": np.zeros((1, 0), np.float32)}}},
        "states": {"articulation": {"post": {"joint_position": np.zeros((6, 0), np.float32)}}},
        "rewards": np.linspace(0, 1, 6, dtype=np.float32),
        "meta": np.arange(3),
    }
    assert run("convert", write_file(tmp_path / "in.hdf5", [expected]), tmp_path / "there")[0] == 0
    assert run("convert", tmp_path / "there", tmp_path / "back.hdf5")[0] == 0
    found, _ = loaded(tmp_path / "back.hdf5", "demo_0")
    assert_equal(found, flat(expected))


def test_what_a_session_recorded_becomes_what_isaac_lab_would_have_written(tmp_path, run):
    """A recording keeps states before each step and the last one; Isaac Lab keeps those after each step."""
    features = {
        "observation.state": {"dtype": "float32", "shape": (3,), "names": ["joint_pos.a", "joint_pos.b", "grip"]},
        "observation.eef_pos": {"dtype": "float32", "shape": (3,), "names": None},
        "action": {"dtype": "float32", "shape": (2,), "names": None},
        "observation.images.front": {"dtype": "video", "shape": (HEIGHT, WIDTH, 3), "names": None},
    }
    attributes = {"env_name": "Task-v0", "env_args": {"sim_args": {"dt": 0.05, "decimation": 2}}}
    before = np.arange(14, dtype=np.float32).reshape(7, 2)
    name = "articulation/robot/joint_position"
    with DatasetWriter.create(tmp_path / "live", 10, features, attributes=attributes) as writer:
        episode = writer.begin_episode("Do it")
        for row in range(6):
            frame = {
                "observation.state": np.full(3, row, np.float32),
                "observation.eef_pos": np.full(3, -row, np.float32),
                "action": np.full(2, row, np.float32),
                "observation.images.front": picture(0, row),
            }
            episode.add_frame(frame, {f"state/{name}": before[row]})
        arrays = {f"initial_state/{name}": before[0], f"final_state/{name}": before[6]}
        episode.save(True, attributes={"seed": 3}, arrays=arrays)

    assert run("convert", tmp_path / "live", tmp_path / "back.hdf5")[0] == 0
    found, episode_data = loaded(tmp_path / "back.hdf5", "demo_0")
    rows = np.arange(6, dtype=np.float32)[:, None]
    expected = {
        "actions": rows.repeat(2, axis=1),
        "obs/joint_pos": rows.repeat(2, axis=1),
        "obs/grip": rows,
        "obs/eef_pos": -rows.repeat(3, axis=1),
        "obs/front": np.stack([picture(0, row) for row in range(6)]),
        f"initial_state/{name}": before[:1],
        f"states/{name}": before[1:],
    }
    assert_equal(found, expected)
    assert (episode_data.seed, episode_data.success, episode_data.env_id) == (3, True, "Task-v0")
    # And it is a file like any other.
    assert run("convert", tmp_path / "back.hdf5", tmp_path / "again")[0] == 0


def test_what_is_there_is_not_overwritten_unasked(tmp_path, run):
    source = write_file(tmp_path / "in.hdf5", [demo(i, 5) for i in range(2)], success=[False, True])
    assert run("convert", source, tmp_path / "there")[0] == 0
    code, _, err = run("convert", tmp_path / "there", source)
    assert code == 1
    assert "in.hdf5 exists already" in err
    assert run("convert", tmp_path / "there", source, "--overwrite", "--success-only")[0] == 0
    with h5py.File(source) as file:
        assert list(file["data"]) == ["demo_1"]
        assert file["data/demo_1"].attrs["success"]
    code, _, err = run("convert", source, source, tmp_path / "x.hdf5")
    assert code == 1
    assert "name one LeRobot dataset" in err
    assert not list(tmp_path.glob("*.partial"))


def test_demos_keep_their_names(tmp_path, run):
    from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler

    source = write_file(tmp_path / "in.hdf5", [demo(number, 4 + number) for number in range(3)])
    with h5py.File(source, "a") as file:
        file.move("data/demo_1", "data/demo_7")
        file.move("data/demo_2", "data/demo_3")
    (tmp_path / "sub").mkdir()
    more = write_file(tmp_path / "sub" / "more.hdf5", [demo(9, 9)])
    assert run("convert", source, more, tmp_path / "set.lerobot")[0] == 0
    handler = LeRobotDatasetFileHandler()
    handler.open(str(tmp_path / "set.lerobot"))
    # In the natural order of the names; the second demo_0 takes the number after all others.
    lengths = {name: len(handler.load_episode(name, "cpu").data["actions"]) for name in handler.get_episode_names()}
    handler.close()
    assert lengths == {"demo_0": 4, "demo_3": 6, "demo_7": 5, "demo_4": 9}
    assert run("convert", tmp_path / "set.lerobot", tmp_path / "back.hdf5")[0] == 0
    with h5py.File(tmp_path / "back.hdf5") as file:
        assert {name: group.attrs["num_samples"] for name, group in file["data"].items()} == lengths

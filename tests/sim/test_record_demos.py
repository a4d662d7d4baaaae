"""``record-demos``: Isaac Lab's script with its flags, into a LeRobot dataset and an HDF5 file made of it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isaac_lerobot.app.record_demos import run_record_demos
from isaac_lerobot.dataset import DatasetReader, check_dataset
from isaac_lerobot.errors import ConfigError
from sim.impatient_task import TASK_ID as IMPATIENT

COMMAND = [sys.executable, "-m", "isaac_lerobot"]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as from a shell: Isaac Lab's launcher flags load Kit's kernel, which these tests can do without."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def hdf5_demos(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("demos") / "sub" / "my.hdf5"
    words = [
        "--task",
        IMPATIENT,
        "--task_packages",
        "sim.impatient_task",
        "--teleop_device",
        "scripted",
        "--step_hz",
        "0",
    ]
    words += ["--seed", "3", "--num_demos", "1", "--cameras", "front", "--dataset_file", str(file)]
    done = run("record-demos", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Manual reset ignored" in done.stdout + done.stderr
    assert f"1 successful demonstrations in {file}" in done.stderr
    return file


def test_the_dataset(hdf5_demos):
    """Everything of the policy group without a key being named; manual resets cost one attempt and no success."""
    root = hdf5_demos.with_suffix(".lerobot")
    assert check_dataset(root, deep=True).ok
    reader = DatasetReader(root)
    assert [episode.success for episode in reader] == [True]
    assert {name for name in reader.features if name.startswith(("observation", "action"))} == {
        "observation.state",
        "observation.joint_vel",
        "observation.eef_pos",
        "observation.gripper",
        "observation.cube_pos",
        "observation.images.front",
        "action",
    }
    assert all(episode.length > 40 for episode in reader)


def test_isaac_labs_own_handler_reads_the_hdf5_file(hdf5_demos):
    from isaaclab.utils.datasets import HDF5DatasetFileHandler

    handler = HDF5DatasetFileHandler()
    handler.open(str(hdf5_demos))
    assert list(handler.get_episode_names()) == ["demo_0"]
    assert handler.get_env_name() == IMPATIENT
    episode = handler.load_episode("demo_0", "cpu")
    handler.close()
    assert episode.success
    length = len(episode.data["actions"])
    assert length > 40
    assert episode.data["obs"]["joint_pos"].shape == (length, 7)
    assert episode.data["obs"]["front"].shape == (length, 120, 160, 3)
    assert episode.data["states"]["rigid_object"]["cube"]["root_pose"].shape == (length, 7)
    assert episode.data["initial_state"]["articulation"]["robot"]["joint_position"].shape == (1, 7)


def test_the_dataset_is_played_back(hdf5_demos):
    played = run(
        "replay",
        hdf5_demos.with_suffix(".lerobot"),
        "--task_packages",
        "sim.impatient_task",
        "--validate",
        "--device=cpu",
    )
    assert played.returncode == 0, played.stderr[-2000:]
    assert "recorded success, replayed success" in played.stdout


def options(**values: object) -> argparse.Namespace:
    return argparse.Namespace(
        **{"task": IMPATIENT, "lerobot_format": False, "reset_sim_buffer_each_episode": True, **values}
    )


def test_what_was_recorded_before_is_kept(hdf5_demos):
    with pytest.raises(ConfigError, match=r"my\.hdf5 exists already"):
        run_record_demos(options(dataset=hdf5_demos.with_suffix("")))


def test_a_missing_package_is_named_with_the_line_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ConfigError, match="Recording to HDF5 needs h5py, which is not installed"):
        run_record_demos(options())

"""``record-demos``: Isaac Lab's script with its flags, into Isaac Lab's HDF5 or a LeRobot dataset."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isaac_lerobot.app.demo_task import TASK_ID
from isaac_lerobot.app.record_demos import run_record_demos
from isaac_lerobot.app.record_demos_hdf5 import record_to_hdf5
from isaac_lerobot.app.record_demos_setup import choose_device, prepare
from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.dataset.check import check_dataset
from isaac_lerobot.errors import ConfigError, DeviceError
from isaac_lerobot.recording import RecordingConfig
from isaac_lerobot.sim.env.tasks import load_env_cfg
from sim.impatient_task import TASK_ID as IMPATIENT

COMMAND = [sys.executable, "-m", "isaac_lerobot"]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as from a shell: Isaac Lab's launcher flags load Kit's kernel, which these tests can do without."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, env=environment)


def record(*words: str | Path) -> None:
    fixed = ["--task", IMPATIENT, "--task_packages", "sim.impatient_task", "--teleop_device", "scripted"]
    done = run("record-demos", *fixed, "--step_hz", "0", "--seed", "3", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Manual reset ignored" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def lerobot_demos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demos")
    record("--dataset_file", folder / "my.hdf5", "--lerobot_format", "--num_demos", "1", "--cameras", "front")
    return folder / "my.lerobot"


@pytest.fixture(scope="module")
def hdf5_demos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demos")
    record("--dataset_file", folder / "sub" / "my.hdf5", "--num_demos", "1")
    return folder / "sub" / "my.hdf5"


def test_lerobot(lerobot_demos):
    """Everything of the policy group without a key being named; manual resets cost one attempt and no success."""
    assert check_dataset(lerobot_demos, deep=True).ok
    reader = DatasetReader(lerobot_demos)
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


def test_hdf5_by_isaac_labs_own_handler(hdf5_demos):
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
    assert episode.data["obs"]["front_rgb"].shape == (length, 120, 160, 3)
    assert episode.data["states"]["rigid_object"]["cube"]["root_pose"].shape == (length, 7)
    assert episode.data["initial_state"]["articulation"]["robot"]["joint_position"].shape == (1, 7)


def test_the_hdf5_file_is_converted_and_played_back(hdf5_demos, tmp_path):
    assert run("convert", hdf5_demos, tmp_path / "converted").returncode == 0
    played = run("replay", tmp_path / "converted", "--task_packages", "sim.impatient_task", "--validate")
    assert played.returncode == 0, played.stderr[-2000:]
    assert "recorded success, replayed success" in played.stdout


def test_what_was_recorded_before_is_kept(hdf5_demos):
    args = argparse.Namespace(dataset_file=hdf5_demos.with_suffix(""), overwrite=False)
    with pytest.raises(ConfigError, match=r"my\.hdf5 exists already"):
        record_to_hdf5(args, env_cfg=None, device="scripted")


FLAGS = """
import argparse, json
from isaac_lerobot.app.record_demos import add_record_demos_options
parser = argparse.ArgumentParser()
add_record_demos_options(parser)
words = ["--task", "A", "--device", "cpu", "--viz", "kit", "--kit_args=--/a=1"]
print(json.dumps([vars(parser.parse_args([*words, *more])) for more in ([], ["--no-reset_sim_buffer_each_episode"])],
                 default=str))
"""


def test_the_guides_flags_and_defaults():
    """In a process of its own: Isaac Lab's launcher flags come with Kit, which wants to be imported first."""
    done = subprocess.run([sys.executable, "-c", FLAGS], capture_output=True, text=True, check=True)
    args, negated = json.loads(done.stdout.splitlines()[-1])
    expected = {
        "teleop_device": None,
        "dataset_file": "datasets/dataset.hdf5",
        "lerobot_format": False,
        "num_demos": 0,
        "num_success_steps": 10,
        "step_hz": 30,
        "reset_sim_buffer_each_episode": True,
        "device": "cpu",
        "visualizer": ["kit"],
        "kit_args": "--/a=1",
    }
    assert {name: args[name] for name in expected} == expected
    assert not negated["reset_sim_buffer_each_episode"]


def test_the_configuration_is_prepared_for_demonstrations():
    """On a task of Isaac Lab's own that draws commands anew."""
    env_cfg = load_env_cfg(RecordingConfig(task="Isaac-Reach-Franka"))
    assert env_cfg.num_rerenders_on_reset >= 1
    prepare(env_cfg, xr=False)
    bounds = env_cfg.commands.ee_pose.resampling_time_range
    assert all(math.isfinite(bound) for bound in bounds)
    assert min(bounds) > 24 * 60 * 60
    assert env_cfg.terminations.time_out is None
    assert not env_cfg.observations.policy.concatenate_terms


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (None, "The teleop device 'keyboard' needs Isaac Sim's window"),
        ("keyboard", "Start with --viz kit to get a window. What can be used here: scripted, scripted-fail, zero"),
        ("gamepad", "The teleop device 'gamepad' needs Isaac Sim's window"),
        ("spacemouse", "The teleop device 'spacemouse' "),
        ("handtracking", "is not configured by this task (it has no env_cfg.isaac_teleop). What can be used here:"),
        ("keybord", "There is no teleop device 'keybord'"),
    ],
)
def test_devices_that_are_not_here(asked, message):
    env_cfg = load_env_cfg(RecordingConfig(task=TASK_ID))
    with pytest.raises(DeviceError) as caught:
        choose_device(env_cfg, TASK_ID, asked, has_window=False)
    assert message in str(caught.value)


def test_a_window_that_will_be_there_is_waited_for():
    env_cfg = load_env_cfg(RecordingConfig(task=TASK_ID))
    assert choose_device(env_cfg, TASK_ID, None, has_window=True) == "keyboard"
    assert choose_device(env_cfg, TASK_ID, "scripted", has_window=False) == "scripted"


@pytest.mark.parametrize(
    ("lerobot_format", "module", "message"),
    [
        (True, "pyarrow", 'Recording in LeRobot format needs pyarrow, which is not installed. Run: {} "pyarrow"'),
        (
            True,
            "imageio_ffmpeg",
            'Recording in LeRobot format needs imageio_ffmpeg, which is not installed. Run: {} "imageio[ffmpeg]"',
        ),
        (False, "h5py", 'Recording to HDF5 needs h5py, which is not installed. Run: {} "h5py"'),
    ],
)
def test_missing_packages_are_named_with_the_line_to_type(monkeypatch, lerobot_format, module, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as caught:
        run_record_demos(argparse.Namespace(lerobot_format=lerobot_format))
    assert str(caught.value) == message.format(f"{sys.executable} -m pip install")

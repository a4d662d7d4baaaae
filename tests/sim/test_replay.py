"""What was recorded plays back in the simulator: from the same state, with the same outcome."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from isaac_lerobot.app import cli
from isaac_lerobot.app.demo_task import TASK_ID
from isaac_lerobot.app.replay import run_replay
from isaac_lerobot.dataset import DatasetReader, DatasetWriter
from isaac_lerobot.errors import DatasetError, IsaacLeRobotError
from isaac_lerobot.recording import SessionState
from isaac_lerobot.sim.drive.driver import Driver
from isaac_lerobot.sim.drive.replay import Replay
from sim.blind import WITHOUT_PICTURES
from sim.recordings import run, session_for


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """Two demos of the demo task that succeeded, without pictures."""
    root = tmp_path_factory.mktemp("replay") / "dataset"
    session = session_for(
        TASK_ID, root, teleop_device="scripted", num_demos=2, state_keys=["policy/joint_pos"], cameras=[], seed=5
    )
    driver = Driver(session)
    try:
        assert run(driver).state is SessionState.FINISHED
    finally:
        driver.shutdown()
    return root


@pytest.fixture(scope="module")
def env(recorded, make_module_env):
    made = make_module_env(TASK_ID, **WITHOUT_PICTURES)
    made.reset()
    return made


@pytest.fixture(scope="module")
def replay(env, recorded):
    playing = Replay(env, DatasetReader(recorded))
    yield playing
    playing.close()


@pytest.mark.parametrize("index", [1, 0])
def test_actions_lead_to_the_same_states_and_to_success(replay, recorded, index):
    counted = []
    report = replay.play_actions(index, compare=True, on_frame=counted.append)
    length = DatasetReader(recorded).episode(index).length
    assert counted == list(range(1, length + 1))
    assert (report.frames, report.recorded_success, report.replayed_success) == (length, True, True)
    assert set(report.deviations) == {
        *(f"articulation/robot/{name}" for name in ("root_pose", "root_velocity", "joint_position", "joint_velocity")),
        *(f"rigid_object/cube/{name}" for name in ("root_pose", "root_velocity")),
    }
    # The same solver on the same machine: far below what a person could see.
    assert max(deviation.value for deviation in report.deviations.values()) < 1e-4


def test_states_are_set_without_physics(replay):
    report = replay.play_states(0, on_frame=lambda count: None)
    assert report.replayed_success


def test_what_deviates_is_told(env, replay, recorded, tmp_path):
    """The actions of one episode from the initial state of another, whose cube lies elsewhere."""
    reader = DatasetReader(recorded)
    features = {name: reader.info["features"][name] for name in ("observation.state", "action")}
    first, second = reader.episode(0), reader.episode(1)
    with DatasetWriter.create(tmp_path / "mixed", reader.fps, features) as writer:
        episode = writer.begin_episode("Mixed")
        kept = first.sidecar()
        length = min(first.length, second.length)
        for row in range(length):
            frame = {"observation.state": first["observation.state"][row], "action": second["action"][row]}
            episode.add_frame(frame, {name: column[row] for name, column in kept.frames.items()})
        episode.save(True, arrays=kept.arrays)
    mixed = Replay(env, DatasetReader(tmp_path / "mixed"))
    try:
        report = mixed.play_actions(0, compare=True, on_frame=lambda count: None)
    finally:
        mixed.close()
    assert not report.replayed_success
    # The cube stays where it lies, while it was lifted in the recording.
    deviation = report.deviations["rigid_object/cube/root_pose"]
    assert deviation.value > 0.05
    assert 0 < deviation.frame < length


def test_an_episode_without_its_initial_state_is_refused(env, replay, tmp_path):
    features = {"action": {"dtype": "float32", "shape": (6,), "names": None}}
    with DatasetWriter.create(tmp_path / "foreign", 30, features) as writer:
        episode = writer.begin_episode("Somebody else's")
        episode.add_frame({"action": [0.0] * 6})
        episode.save()
    foreign = Replay(env, DatasetReader(tmp_path / "foreign"))
    try:
        with pytest.raises(DatasetError, match="without its initial state"):
            foreign.play_actions(0, compare=False, on_frame=lambda count: None)
    finally:
        foreign.close()


def test_the_command(recorded, tmp_path):
    """Converted to HDF5 and back, then played as what was recorded is; in a process that has no simulation yet."""
    assert cli.main(["convert", str(recorded), str(tmp_path / "demos.hdf5")]) == 0
    assert cli.main(["convert", str(tmp_path / "demos.hdf5"), str(tmp_path / "again")]) == 0
    words = ["replay", str(tmp_path / "again"), "--episode", "1", "--validate"]
    done = subprocess.run([sys.executable, "-m", "isaac_lerobot", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Episode 1: " in done.stdout
    assert "recorded success, replayed success" in done.stdout
    assert "rigid_object/cube/root_pose" in done.stdout


def test_what_a_user_reads(recorded, tmp_path):
    usual = {
        "root": recorded,
        "episode": None,
        "task": None,
        "task_packages": [],
        "overrides": [],
        "success_term": None,
    }
    other = Path(shutil.copytree(recorded, tmp_path / "other"))
    sidecar = other / "meta" / "isaac_lerobot.json"
    sidecar.write_text(sidecar.read_text().replace('"success_term": "success"', '"success_term": "lifted"'))

    def answer(name: str, value: Any) -> str:
        with pytest.raises(IsaacLeRobotError) as caught:
            run_replay(argparse.Namespace(**{**usual, name: value}))
        return str(caught.value)

    assert "has the episodes 0 to 1, not 7" in answer("episode", [7])
    assert f"Did you mean '{TASK_ID}'" in answer("task", "Isaac-LeRobot-Pick-Cub-v0")
    assert "Did you mean 'success'" in answer("success_term", "sucess")
    assert "has no termination term 'lifted'" in answer("root", other)
    assert "holds no LeRobot dataset" in answer("root", tmp_path)

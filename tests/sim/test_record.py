"""``record``: what can be known to be wrong is said before the environment is built, in the shell's words."""

from __future__ import annotations

import argparse

import gymnasium
import pytest

from isaac_lerobot.app import loop
from isaac_lerobot.app.demo_task import TASK_ID as DEMO
from isaac_lerobot.app.record import choose_device, record
from isaac_lerobot.errors import IsaacLeRobotError
from isaac_lerobot.recording import RecordingConfig
from isaac_lerobot.sim.env.tasks import load_env_cfg

STACK = "IsaacContrib-Stack-Cube-Franka-IK-Rel"


@pytest.fixture
def refusal(tmp_path, monkeypatch):
    """``refusal(**changes)`` returns what is said of a recording that cannot be; no environment is built for it."""
    monkeypatch.setattr(gymnasium, "make", lambda *_, **__: pytest.fail("The environment was built first."))

    def refused(**changes) -> str:
        values = {
            "task": DEMO,
            "teleop_device": "scripted",
            "dataset": tmp_path / "cubes",
            "state_keys": ["policy/joint_pos"],
            **changes,
        }
        with pytest.raises(IsaacLeRobotError) as caught:
            record(RecordingConfig.from_mapping(values), argparse.Namespace())
        return str(caught.value)

    return refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": ""}, "Give --task ID"),
        ({"dataset": None}, "Give --dataset_file ROOT"),
        ({"export": "none", "num_demos": 3}, "With --export none no demo would ever count"),
        ({"state_keys": []}, "Give --state_keys or --observation_keys"),
        ({"state_keys": []}, "policy/joint_pos"),
        ({"state_keys": ["policy/joint_poss"]}, "Did you mean 'policy/joint_pos'"),
        ({"observation_keys": ["polcy/gripper"]}, "Did you mean 'policy/gripper'"),
        ({"cameras": ["frnt"]}, "Did you mean 'front'"),
        ({"task": "Isaac-LeRobot-Pick-Cub-v0"}, "Did you mean 'Isaac-LeRobot-Pick-Cube-v0'"),
        ({"task": "Isaac-Cartpole-Direct"}, "isaac_lerobot.attach"),
        ({"success_term": "sucess"}, "Did you mean 'success'"),
        ({"teleop_device": "keybord"}, "There is no teleop device 'keybord'"),
        ({"teleop_device": "gamepad"}, "What can be used here: "),
        ({"overrides": ["env.decimation=7"]}, "whole number"),
    ],
)
def test_a_mistake_is_told_at_once(refusal, changes, message):
    assert message in refusal(**changes)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({}, "With --success manual every"),
        ({"export": "succeeded"}, "With --success manual --export all every"),
        ({"export": "succeeded", "success": "manual"}, "With --export all every"),
    ],
)
def test_a_recording_that_would_never_end_is_warned_of(monkeypatch, capsys, tmp_path, changes, remedy):
    monkeypatch.setattr(loop, "run", lambda *_: 0)  # no environment is built
    values = {"task": DEMO, "teleop_device": "zero", "dataset": tmp_path, "state_keys": ["policy/joint_pos"]}
    record(RecordingConfig.from_mapping({**values, "num_demos": 1, **changes}), argparse.Namespace())
    assert remedy in capsys.readouterr().err


def test_keys_of_relative_values_say_so_where_they_are_listed(refusal):
    said = refusal(task=STACK, state_keys=[], overrides=["physics=newton_mjwarp"])
    assert "policy/joint_pos (relative to default)" in said
    assert "policy/eef_pos," in said


def test_a_task_that_needs_isaac_sim_says_so_and_what_it_could_do_without(refusal):
    said = refusal(task=STACK, state_keys=["policy/joint_pos"], teleop_device="zero")
    assert "needs Isaac Sim (Isaac Sim PhysX physics" in said
    assert "physics=newton_mjwarp" in said


def test_a_window_that_will_be_there_is_waited_for():
    config = RecordingConfig(task="Isaac-LeRobot-Pick-Cube-IK-Rel-v0", teleop_device="keyboard")
    env_cfg = load_env_cfg(config)
    assert choose_device(env_cfg, config, argparse.Namespace(visualizer=["kit"])) == "keyboard"
    assert choose_device(env_cfg, config, argparse.Namespace(livestream=2)) == "keyboard"
    with pytest.raises(IsaacLeRobotError, match="Start with --viz kit to get a window"):
        choose_device(env_cfg, config, argparse.Namespace())


def test_a_headset_that_will_be_there_is_waited_for():
    from isaaclab.devices import DevicesCfg
    from isaaclab.devices.device_base import DeviceCfg

    config = RecordingConfig(task=DEMO, teleop_device="glasses")
    env_cfg = load_env_cfg(config)
    env_cfg.teleop_devices = DevicesCfg(devices={"glasses": DeviceCfg(class_type="some.openxr:OpenXRDevice")})
    assert choose_device(env_cfg, config, argparse.Namespace(xr=True)) == "glasses"
    with pytest.raises(IsaacLeRobotError, match="without XR"):
        choose_device(env_cfg, config, argparse.Namespace())

"""A frame sensor whose first observation is the previous episode's: what Isaac Lab's FrameTransformer gives on Newton.

The task is the demo task with such a sensor at its wrist; what is seen is seen in the real thing.
"""

import torch
from isaaclab.managers import ObservationTermCfg, SceneEntityCfg
from isaaclab.sensors import FrameTransformerCfg

import isaac_lerobot
from isaac_lerobot.app.demo_task import TASK_ID
from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.recording import Severity

WARNING = "In the first frame of an episode, policy/wrist_frame still shows the previous episode, or nothing"


def wrist_frame(env, ee_frame_cfg: SceneEntityCfg = SceneEntityCfg("ee_frame")):  # noqa: B008 - as Isaac Lab has it
    """The wrist's position as the frame sensor has it [m]. Shape (N, 3)."""
    return env.scene[ee_frame_cfg.name].data.target_pos_source.torch[:, 0]


def with_sensor(**more):
    """The demo task without its cameras, which take their time, and with a frame sensor at the wrist."""
    wrist = FrameTransformerCfg.FrameCfg(prim_path="{ENV_REGEX_NS}/Robot/wrist", name="wrist")
    return {
        "scene.ee_frame": FrameTransformerCfg(prim_path="{ENV_REGEX_NS}/Robot/base", target_frames=[wrist]),
        "scene.front": None,
        "scene.wrist": None,
        "observations.policy.front_rgb": None,
        "observations.policy.wrist_rgb": None,
        "observations.policy.wrist_frame": ObservationTermCfg(func=wrist_frame),
        "terminations.time_out": None,
        **more,
    }


def move(env, steps=8):
    """Turn the arm's first joint."""
    for _ in range(steps):
        observation = env.obs_buf["policy"]
        action = torch.cat([observation["joint_pos"][:, :5], observation["gripper"]], dim=1)
        action[:, 0] += 0.3
        env.step(action)


def test_an_attached_recording_says_so(make_env, tmp_path):
    env = make_env(TASK_ID, num_envs=2, **with_sensor())
    env.reset()
    attachment = isaac_lerobot.attach(env, {"dataset": tmp_path / "set", "state_keys": ["policy/wrist_frame"]})
    move(env, 1)
    message = attachment.session.status.message
    assert message.text.startswith(WARNING)
    assert message.severity is Severity.WARNING
    for _ in range(2):
        move(env)
        env.reset()
    env.close()
    episodes = list(DatasetReader(tmp_path / "set"))
    before, after = episodes[0]["observation.state"], episodes[2]["observation.state"]
    assert (before[0] == 0).all(), "nothing was measured yet"
    assert abs(after[0] - before[-1]).max() < 0.02, "the previous episode's last pose"
    assert abs(after[1] - before[1]).max() < 1e-4, "its own"


def test_a_recorder_manager_says_so_once(make_env, tmp_path, caplog):
    recorders = isaac_lerobot.LeRobotRecorderManagerCfg(dataset_export_dir_path=str(tmp_path))
    recorders.observation_keys_to_record = ["policy/wrist_frame"]
    recorders.state_observation_keys = ["policy/joint_pos"]
    env = make_env(TASK_ID, recorders=recorders, **with_sensor())
    env.reset()
    env.sim.step(render=False)  # so that the sensor has measured something
    env.scene.update(env.physics_dt)
    env.reset()
    for _ in range(3):
        move(env)
        env.reset()
    assert [WARNING in record.message for record in caplog.records if "first frame" in record.message] == [True]


def test_a_sensor_that_is_not_recorded_is_no_reason_for_a_word(make_env, tmp_path):
    env = make_env(TASK_ID, **with_sensor())
    env.reset()
    attachment = isaac_lerobot.attach(
        env, {"dataset": tmp_path / "set", "state_keys": ["policy/joint_pos", "policy/eef_pos"]}
    )
    for _ in range(2):
        move(env)
        assert attachment.session.status.message.severity is Severity.INFO
        env.reset()
    env.close()


def test_a_sensor_that_was_measured_anew_is_no_reason_for_a_word(make_env, tmp_path):
    env = make_env(TASK_ID, **with_sensor())
    env.reset()
    move(env, 1)
    attachment = isaac_lerobot.attach(env, {"dataset": tmp_path / "set", "state_keys": ["policy/wrist_frame"]})
    for _ in range(2):
        move(env)
        assert attachment.session.status.message.severity is Severity.INFO
        env.reset()
        env.sim.step(render=False)
        env.scene.update(env.physics_dt)
        env.obs_buf = env.observation_manager.compute()
    env.close()

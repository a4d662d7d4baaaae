"""The Python snippets of the recording guide, taken from the guide itself and run on the demo task.

Only what the guide cannot know is replaced: the id of the task, the keys, and the comment that stands for filling the
episode.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import isaac_lerobot
from isaac_lerobot.app.demo_task import TASK_ID
from isaac_lerobot.dataset import DatasetReader

GUIDE = Path(__file__).parents[2] / "docs" / "recording-guide.md"
REPLACED = {
    "IsaacContrib-Stack-Cube-Franka-IK-Rel": TASK_ID,
    "policy/camera_rgb": "policy/front_rgb",
    "policy/end_effector_pos": "policy/eef_pos",
    "policy/gripper_state": "policy/gripper",
    "# ... populate episode with observations and actions ...": "populate(episode)",
}


@pytest.fixture(autouse=True)
def _as_the_guide_has_it(tmp_path, monkeypatch):
    """The guide's paths are relative, and its import line needs our names in Isaac Lab's package."""
    monkeypatch.chdir(tmp_path)
    isaac_lerobot.register()


def snippet(heading: str) -> str:
    """The first Python snippet after a heading, with the task and its keys put in."""
    found = re.search(rf"^#+ {heading}\n.*?```python\n(.*?)```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    code = found[1]
    for given, ours in REPLACED.items():
        code = code.replace(given, ours)
    return code


def run(heading: str, **names):
    exec(compile(snippet(heading), heading, "exec"), names)
    return names


def demo_env_cfg():
    from isaac_lerobot.app.demo_task.env_cfg import PickCubeEnvCfg

    cfg = PickCubeEnvCfg()
    cfg.set_image_size(64, 48)
    cfg.seed = 0
    return cfg


def actions_of(env):
    return env.obs_buf["policy"]["joint_pos"][:, :5], env.obs_buf["policy"]["gripper"][:, :1]


def test_every_python_snippet_is_run_here():
    headings = ("Using the LeRobot Dataset Handler", "Modifying Recording Scripts", "Configuration Options",
                "Programmatic Usage")  # fmt: skip
    assert GUIDE.read_text().count("```python") == len(headings) + 1  # and the one on register()
    assert all(snippet(heading) for heading in headings)
    assert "isaac_lerobot.register()" in snippet("Before You Start")


def test_using_the_handler():
    def populate(episode):
        for step in range(5):
            episode.add("obs/joint_pos", torch.full((5,), 1.0 * step))
            episode.add("actions", torch.full((6,), 2.0 * step))

    run("Using the LeRobot Dataset Handler", populate=populate)
    dataset = DatasetReader("datasets/my_dataset.lerobot")
    assert [episode.length for episode in dataset] == [5]
    assert dataset.fps == 30, "the task's own rate"
    assert dataset.episode(0)["action"].tolist() == [[2.0 * step] * 6 for step in range(5)]


def test_modifying_recording_scripts():
    from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler

    names = run("Modifying Recording Scripts")
    assert names["recorder_cfg"].dataset_file_handler_class_type is LeRobotDatasetFileHandler


def test_configuration_options(make_env):
    env_cfg = demo_env_cfg()
    env_cfg.recorders = isaac_lerobot.LeRobotRecorderManagerCfg(
        dataset_export_dir_path="./datasets", dataset_filename="my_lerobot_dataset"
    )
    run("Configuration Options", env_cfg=env_cfg)
    env = make_env(TASK_ID, recorders=env_cfg.recorders, scene=env_cfg.scene)
    env.reset()
    pictures, states = [], []
    for _ in range(6):
        pictures.append(env.obs_buf["policy"]["front_rgb"][0].numpy().copy())
        states.append(torch.cat([env.obs_buf["policy"][name][0] for name in ("joint_pos", "joint_vel")]).numpy())
        env.step(torch.cat(actions_of(env), dim=1))
    env.recorder_manager.export_episodes([0])
    env.close()
    dataset = DatasetReader("datasets/my_lerobot_dataset.lerobot")
    own = {name for name in dataset.features if name.startswith(("observation", "action"))}
    assert own == {
        "observation.state",
        "observation.eef_pos",
        "observation.gripper",
        "observation.images.front_rgb",
        "action",
    }
    episode = dataset.episode(0)
    assert episode.task == "Stack the red cube on top of the blue cube"
    np.testing.assert_array_equal(episode["observation.state"], np.stack(states))
    recorded = np.stack(list(episode.images("observation.images.front_rgb"))).astype(int)
    assert np.abs(recorded - np.stack(pictures)).mean() < 4


def test_programmatic_usage():
    env_cfg = demo_env_cfg()
    env = run("Programmatic Usage", env_cfg=env_cfg)["env"].unwrapped
    try:
        for success in (True, False):
            env.reset()
            for _ in range(3):
                env.step(torch.cat(actions_of(env), dim=1))
            env.recorder_manager.record_pre_reset([0], force_export_or_skip=False)
            env.recorder_manager.set_success_to_episodes([0], torch.tensor([[success]]))
            env.recorder_manager.export_episodes([0])
    finally:
        env.close()
    dataset = DatasetReader("datasets/my_lerobot_dataset.lerobot")
    assert [(episode.length, episode.success) for episode in dataset] == [(3, True)]
    assert {"observation.state", "observation.cube_pos", "observation.images.wrist_rgb", "action"} < set(
        dataset.features
    )
    assert set(dataset.episode(0).sidecar().arrays) >= {"initial_state/rigid_object/cube/root_pose"}

"""What an environment offers to a recording, and that what is offered can be recorded and is right."""

import isaaclab.sim as sim_utils
import numpy as np
import pytest
import torch
from isaaclab.envs import mdp
from isaaclab.managers import ObservationGroupCfg, ObservationTermCfg, SceneEntityCfg, TerminationTermCfg
from isaaclab.sensors import CameraCfg
from isaaclab.utils import configclass
from isaaclab_newton.renderers import NewtonWarpRendererCfg

import isaac_lerobot
from isaac_lerobot.app.demo_task import TASK_ID as DEMO_TASK
from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.episode_data.states import SceneStates
from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording.selection import default_keys
from isaac_lerobot.sim.drive.replay import Replay
from isaac_lerobot.sim.env.offer import inspect_env
from isaac_lerobot.sim.manager.cfg import LeRobotRecorderManagerCfg
from sim import counter_task
from sim.blind import WITHOUT_PICTURES
from sim.counter_task import TASK_ID, CounterSource


def pair(env):
    """Two numbers that no other term has. Shape (N, 2)."""
    return torch.stack((env.episode_length_buf + 100.0, -env.episode_length_buf.float()), dim=-1)


def is_odd(env):
    """One truth per environment, as Isaac Lab's subtask terms are. Shape (N,)."""
    return env.episode_length_buf % 2 == 1


def half_step(env):
    """One number per environment. Shape (N,)."""
    return env.episode_length_buf / 2


def nothing(env):
    """What a term that selects no joint returns. Shape (N, 0)."""
    return torch.zeros(env.num_envs, 0, device=env.device)


def float_picture(env, channels=3):
    """As ``mdp.image_rgb`` normalizes by default. Shape (N, 24, 32, channels)."""
    return torch.zeros(env.num_envs, 24, 32, channels, device=env.device)


@configclass
class NumbersCfg(ObservationGroupCfg):
    """One number per environment each."""

    is_odd = ObservationTermCfg(func=is_odd)
    half_step = ObservationTermCfg(func=half_step)
    concatenate_terms = False


@configclass
class TimesCfg(ObservationGroupCfg):
    """Terms of different sizes, with three steps of history."""

    step = ObservationTermCfg(func=counter_task.step)
    pair = ObservationTermCfg(func=pair)
    global_step = ObservationTermCfg(func=counter_task.global_step)
    history_length = 3


def get_all_robot_link_state(env):
    """As Isaac Lab's humanoids have it: pose and velocity of every link. Shape (N, links, 13)."""
    data = env.scene["robot"].data
    return torch.cat((data.body_link_pose_w.torch, data.body_link_vel_w.torch), dim=-1)


@configclass
class HumanoidCfg(ObservationGroupCfg):
    """A policy group as Isaac Lab's humanoids have it, of the demo task's arm."""

    actions = ObservationTermCfg(func=mdp.last_action)
    robot_joint_pos = ObservationTermCfg(func=mdp.joint_pos)
    robot_links_state = ObservationTermCfg(func=get_all_robot_link_state)
    front = ObservationTermCfg(func=mdp.image_rgb, params={"sensor_cfg": SceneEntityCfg("front"), "normalize": False})
    cube_pos = ObservationTermCfg(func=mdp.root_pos_w, params={"asset_cfg": SceneEntityCfg("cube")})
    concatenate_terms = False


@configclass
class PastCfg(ObservationGroupCfg):
    """Joint positions of two steps."""

    joint_pos = ObservationTermCfg(func=mdp.joint_pos)
    history_length = 2
    concatenate_terms = False


@configclass
class OddCfg(ObservationGroupCfg):
    """What cannot be recorded, and one that can."""

    nothing = ObservationTermCfg(func=nothing)
    rgb = ObservationTermCfg(func=float_picture)
    depth = ObservationTermCfg(func=float_picture, params={"channels": 1})
    step = ObservationTermCfg(func=counter_task.step)
    concatenate_terms = False


def record(env, path, steps=10, **config):
    """The dataset of a few steps of each environment."""
    attachment = isaac_lerobot.attach(env, {"dataset": path, **config})
    env.reset()
    source = CounterSource(env)
    for _ in range(steps):
        env.step(source.advance())
    attachment.detach()
    return DatasetReader(path)


def test_terms_of_one_number_per_environment_are_recorded(make_env, tmp_path):
    env = make_env(TASK_ID, num_envs=2, **{"observations.subtask_terms": NumbersCfg()})
    keys = {"state_keys": ["subtask_terms/half_step", "policy/step"], "observation_keys": ["subtask_terms/is_odd"]}
    dataset = record(env, tmp_path / "numbers", **keys)
    odd = dataset.features["observation.is_odd"]
    assert (odd.dtype, odd.shape) == ("bool", (1,))
    assert dataset.features["observation.state"].names == ("half_step", "step")
    for episode in dataset:
        half, step = episode["observation.state"].T
        np.testing.assert_array_equal(half, step / 2)
        np.testing.assert_array_equal(episode["observation.is_odd"].reshape(-1), step % 2 == 1)


@pytest.mark.parametrize("order", ["term", "time"])
def test_terms_with_a_history_are_cut_out_right_whatever_its_order(make_env, tmp_path, order):
    """Beside the same terms in a group whose values are not concatenated, where there is nothing to cut."""
    together = TimesCfg(concatenate_terms=True, history_order=order)
    groups = {"observations.together": together, "observations.apart": TimesCfg(concatenate_terms=False)}
    env = make_env(TASK_ID, num_envs=2, **groups)
    terms = ("step", "pair", "global_step")
    keys = {"state_keys": [f"together/{term}" for term in terms]}
    dataset = record(env, tmp_path / order, observation_keys=[f"apart/{term}" for term in terms], **keys)
    assert dataset.features["observation.state"].shape == (12,)
    for episode in dataset:
        apart = [episode[f"observation.{term}"] for term in terms]
        np.testing.assert_array_equal(episode["observation.state"], np.concatenate(apart, axis=1))
        assert episode["observation.step"][-1].tolist() == [episode.length - 3, episode.length - 2, episode.length - 1]


def test_what_no_dataset_can_hold_is_not_offered_and_said(make_env):
    env = make_env(TASK_ID, **{"observations.odd": OddCfg()})
    env.reset()
    offer = inspect_env(env, TASK_ID)
    assert [term.key for term in offer.terms if term.group == "odd"] == ["odd/step"]
    reasons = {left_out.name: left_out.reason for left_out in offer.left_out}
    assert set(reasons) == {"odd/nothing", "odd/rgb", "odd/depth"}
    assert "no elements" in reasons["odd/nothing"]
    assert "float32 (24 x 32 x 3)" in reasons["odd/rgb"]
    assert "normalize=False" in reasons["odd/rgb"]
    assert "normalize" not in reasons["odd/depth"]


def camera(prim_path, data_type="rgb"):
    return CameraCfg(
        prim_path=prim_path,
        width=32,
        height=24,
        data_types=[data_type],
        spawn=sim_utils.PinholeCameraCfg(),
        renderer_cfg=NewtonWarpRendererCfg(use_cuda_graph=False),
    )


def test_cameras_without_a_colour_picture_are_left_out_and_refused(make_env, tmp_path):
    cameras = {
        "scene.overview": camera("/World/Overview"),
        "scene.distance": camera("{ENV_REGEX_NS}/Distance", "distance_to_camera"),
    }
    env = make_env(TASK_ID, **cameras)
    dataset = record(env, tmp_path / "all", steps=3, state_keys=["policy/step"])
    assert [name for name in dataset.features if "images" in name] == ["observation.images.overview"]
    config = {"dataset": tmp_path / "one", "state_keys": ["policy/step"], "cameras": ["distance"]}
    with pytest.raises(ConfigError, match=f"cameras: 'distance' of {TASK_ID} cannot be recorded: .* add 'rgb' to its"):
        isaac_lerobot.attach(env, config)


def test_the_demo_tasks_terms_say_what_they_are_about(make_env):
    env = make_env(DEMO_TASK, **{"observations.past": PastCfg()})
    env.reset()
    offer = inspect_env(env, DEMO_TASK)
    joints = next(term for term in offer.terms if term.key == "policy/joint_pos")
    assert (joints.function, joints.entity) == ("joint_pos", "robot")
    assert joints.names == tuple(env.scene["robot"].joint_names)
    assert offer.robots == ("robot",)
    past = next(term for term in offer.terms if term.key == "past/joint_pos")
    assert past.names == tuple(f"{name}.{time}" for time in ("t-1", "t") for name in joints.names)


@pytest.mark.parametrize(("asked", "judged"), [(None, "task_success"), ("placed", "placed")])
def test_a_success_term_of_another_name_judges_the_scripts_episodes_and_their_replay(make_env, tmp_path, asked, judged):
    never = TerminationTermCfg(func=lambda env: torch.zeros(env.num_envs, dtype=torch.bool))
    seventh = TerminationTermCfg(func=lambda env: env.episode_length_buf == 7)
    terms = {"terminations.task_success": never, "terminations.placed": never, f"terminations.{judged}": seventh}
    env = make_env(TASK_ID, **terms)
    dataset = record(env, tmp_path / "judged", steps=9, state_keys=["policy/step"], success_term=asked)
    assert [(episode.length, episode.success) for episode in dataset] == [(7, True), (2, None)]
    assert dataset.attributes["attributes"]["success_term"] == judged
    replay = Replay(env, dataset, success_term=asked)
    played = [replay.play_actions(index, compare=False, on_frame=lambda count: None) for index in (0, 1)]
    replay.close()
    assert [report.replayed_success for report in played] == [True, False]


def test_joint_positions_less_their_defaults_are_said_to_be_so(make_env, tmp_path):
    """To those who choose and, with the defaults, to those who read the dataset: what is added gives the real ones."""
    recorders = LeRobotRecorderManagerCfg(dataset_export_dir_path=str(tmp_path), export_in_close=True)
    recorders.state_observation_keys = ["policy/joint_pos"]
    relative = {"observations.policy.joint_pos": ObservationTermCfg(func=mdp.joint_pos_rel)}
    env = make_env(DEMO_TASK, recorders=recorders, **WITHOUT_PICTURES, **relative)
    attachment = isaac_lerobot.attach(env, {"dataset": tmp_path / "attached", "state_keys": ["policy/joint_pos"]})
    env.reset()
    labels = {term.key: term.label for term in inspect_env(env, DEMO_TASK).terms}
    assert labels["policy/joint_pos"] == "policy/joint_pos (relative to default)"
    assert labels["policy/gripper"] == "policy/gripper"
    joints = env.scene["robot"].joint_names
    for _ in range(4):
        env.step(torch.full((1, env.action_manager.total_action_dim), 0.3))
    attachment.detach()
    env.close()
    for name in ("attached", "dataset.lerobot"):
        dataset = DatasetReader(tmp_path / name)
        said = dataset.attributes["attributes"]["terms"]["policy/joint_pos"]
        assert (said["function"], said["entity"], list(said["relative_to"])) == ("joint_pos_rel", "robot", joints)
        episode = dataset.episode(0)
        absolute = episode["observation.state"] + np.array(list(said["relative_to"].values()), np.float32)
        before = SceneStates.of(episode.sidecar())
        real = [before.initial["articulation/robot/joint_position"], *before.after["articulation/robot/joint_position"]]
        np.testing.assert_allclose(absolute, np.stack(real[:-1]), atol=1e-6)
        assert np.abs(list(said["relative_to"].values())).max() > 0.1  # else it would be no difference


def test_where_nobody_chose_a_robots_joints_are_the_state_and_the_last_action_is_left_out(make_env, tmp_path):
    """The panel and the command line take it from the offer, a recorder manager and its file handler by themselves."""
    recorders = LeRobotRecorderManagerCfg(dataset_export_dir_path=str(tmp_path), export_in_close=True)
    env = make_env(DEMO_TASK, recorders=recorders, **{"observations.policy": HumanoidCfg()})
    env.reset()
    keys = default_keys(inspect_env(env, DEMO_TASK))
    assert (keys.state, keys.observations) == (("policy/robot_joint_pos",), ("policy/cube_pos",))
    joints = env.scene["robot"].joint_names
    env.step(torch.zeros(1, env.action_manager.total_action_dim))
    env.close()
    features = DatasetReader(tmp_path / "dataset.lerobot").features
    assert features["observation.state"].names == tuple(f"robot_joint_pos.{joint}" for joint in joints)
    own = {name for name in features if name.startswith("observation")}
    cameras = {"observation.images.front", "observation.images.wrist"}
    assert own == {"observation.state", "observation.cube_pos", *cameras}

"""Isaac Lab's file handler interface over LeRobot datasets."""

import contextlib
import json
import logging
import shutil

import numpy as np
import pytest
import torch
from isaaclab.envs.mdp.recorders.recorders_cfg import ActionStateRecorderManagerCfg
from isaaclab.utils.datasets import EpisodeData, HDF5DatasetFileHandler

from isaac_lerobot.dataset import DatasetReader, check_dataset
from isaac_lerobot.errors import ConfigError, DatasetError, FeatureError
from isaac_lerobot.recording.opening import root_of_file
from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler
from lerobot_reader import LerobotReader
from sim.counter_task import TASK_ID
from sim.isaac_episodes import BothHandlers, assert_equal, assert_same_episode, load_all, play, success_term

SIM_ARGS = {"sim_args": {"dt": 0.01, "decimation": 2}}


def episode_of(steps: int = 4, success: bool | None = True, **more: torch.Tensor) -> EpisodeData:
    """An episode as recorder terms collect it, with pictures, numbers of every kind and states."""
    episode = EpisodeData()
    for step in range(steps):
        episode.add("actions", torch.arange(3.0) + step)
        episode.add("obs/joint_pos", torch.tensor([step, 2.0 * step]))
        episode.add("obs/gripper", torch.tensor([step > 1]))
        episode.add("obs/contact", torch.tensor(step))
        episode.add("obs/grid", torch.full((2, 3), 0.5 * step, dtype=torch.float64))
        episode.add("obs/camera_rgb", torch.full((16, 24, 3), 20 * step + 10, dtype=torch.uint8))
        episode.add("obs/mask", torch.full((16, 24, 1), 30 * step, dtype=torch.uint8))
        episode.add("states/articulation/robot/joint_position", torch.tensor([step + 0.25, 1.0]))
        episode.add("states/articulation/stand/joint_position", torch.zeros(0))
        episode.add("processed_actions", torch.arange(2.0) - step)
        for key, value in more.items():
            episode.add(key, value)
    episode.add("initial_state/articulation/robot/joint_position", torch.tensor([9.0, 8.0]))
    episode.add("datagen_info/pose", torch.eye(4))
    episode.success = success
    episode.seed = 7
    return episode


def write(path, *episodes, **settings) -> None:
    handler = LeRobotDatasetFileHandler.configured(**settings)()
    handler.create(str(path), env_name="Some-Env-v0")
    try:
        handler.add_env_args(SIM_ARGS)
        for episode in episodes:
            handler.write_episode(episode)
        handler.flush()
    finally:
        handler.close()


@pytest.mark.parametrize("num_envs", [1, 4])
def test_loads_what_the_hdf5_handler_loads(make_env, tmp_path, num_envs):
    recorders = ActionStateRecorderManagerCfg()
    recorders.dataset_export_dir_path = str(tmp_path)
    recorders.dataset_file_handler_class_type = BothHandlers
    env = make_env(TASK_ID, num_envs=num_envs, recorders=recorders, **{"terminations.success": success_term()})
    play(env)
    env.close()

    theirs = load_all(HDF5DatasetFileHandler(), tmp_path / "dataset.hdf5")
    ours = load_all(LeRobotDatasetFileHandler(), tmp_path / "dataset.hdf5")
    assert list(ours) == sorted(theirs, key=lambda name: int(name.removeprefix("demo_")))
    assert len(ours) >= 4 * num_envs
    assert {bool(episode.success) for episode in ours.values()} == {True, False}
    for name, episode in theirs.items():
        assert_same_episode(ours[name], episode)
        assert ours[name].get_next_state().keys() == episode.get_next_state().keys()
    info = json.loads((tmp_path / "dataset.lerobot" / "meta" / "info.json").read_text())
    assert info["fps"] == 30
    assert info["features"]["observation.state"]["names"] == ["step", "env_id", "global_step"]


def test_every_kind_of_value_comes_back(tmp_path):
    write(tmp_path / "all", episode_of(), episode_of(6, success=None))
    wanted = episode_of()
    wanted.pre_export()
    handler = LeRobotDatasetFileHandler()
    handler.open(str(tmp_path / "all.hdf5"))
    assert handler.get_env_name() == "Some-Env-v0"
    assert (handler.get_num_episodes(), list(handler.get_episode_names())) == (2, ["demo_0", "demo_1"])
    assert handler.load_episode("demo_9", "cpu") is None

    loaded = handler.load_episode("demo_0", "cpu", images=True)
    for picture in ("camera_rgb", "mask"):
        got, given = loaded.data["obs"].pop(picture), wanted.data["obs"].pop(picture)
        assert got.shape == given.shape
        assert np.abs(got.numpy().astype(int) - given.numpy()).max() <= 4
    assert_equal(loaded.data, wanted.data)
    assert (loaded.success, loaded.seed) == (True, 7)
    assert handler.load_episode("demo_1", "cpu").success is None
    assert "camera_rgb" not in handler.load_episode("demo_1", "cpu").data["obs"]
    handler.close()

    with contextlib.closing(LerobotReader()) as lerobot:
        real = lerobot.read(tmp_path / "all.lerobot")
    assert real.lengths == [4, 6]
    assert torch.equal(torch.from_numpy(real.rows(0)["action"]), wanted.data["actions"])
    features = DatasetReader(tmp_path / "all.lerobot").features
    assert features["observation.images.camera_rgb"].is_video
    assert features["observation.state"].names == ("joint_pos.0", "joint_pos.1")
    assert features["observation.grid"].shape == (2, 3)
    assert DatasetReader(tmp_path / "all.lerobot").fps == 50


def test_what_is_no_feature_by_itself_is_kept_beside_and_comes_back(tmp_path):
    """The last action, states of links, Mimic's notes and a picture of floats."""
    more = {
        "obs/actions": torch.arange(3.0),
        "obs/robot_links_state": torch.rand(4, 13),
        "obs/datagen_info/object_pose/cube": torch.eye(4),
        "obs/rgb": torch.rand(16, 24, 3),
    }
    given = episode_of(**more)
    write(tmp_path / "set", given)
    names = set(DatasetReader(tmp_path / "set.lerobot").features)
    assert not names & {"observation.actions", "observation.robot_links_state", "observation.cube", "observation.rgb"}
    given.pre_export()
    loaded = load_all(LeRobotDatasetFileHandler(), tmp_path / "set", images=True)["demo_0"]
    for picture in ("camera_rgb", "mask"):
        loaded.data["obs"].pop(picture), given.data["obs"].pop(picture)
    assert_equal(loaded.data, given.data)
    with pytest.raises(ConfigError, match=r"'obs/rgb' cannot be recorded: it is a picture of float32"):
        write(tmp_path / "other", given, observation_keys_to_record=["policy/rgb"])


def test_records_the_configured_keys_only(tmp_path):
    write(
        tmp_path / "keys",
        episode_of(),
        state_observation_keys=["policy/contact", "policy/joint_pos"],
        observation_keys_to_record=["policy/camera_rgb"],
        task_description="Do it",
    )
    reader = DatasetReader(tmp_path / "keys.lerobot")
    own = {name for name in reader.features if name.startswith(("observation", "action"))}
    assert own == {"observation.state", "observation.images.camera_rgb", "action"}
    assert reader.features["observation.state"].names == ("contact", "joint_pos.0", "joint_pos.1")
    assert reader.episode(0).task == "Do it"
    handler = LeRobotDatasetFileHandler()
    handler.open(str(tmp_path / "keys.lerobot"))
    observations = handler.load_episode("demo_0", "cpu").data["obs"]
    assert set(observations) == {"contact", "joint_pos"}
    assert observations["contact"].dtype == torch.int64


def test_a_concatenated_group_becomes_the_state(tmp_path):
    episode = EpisodeData()
    for step in range(3):
        episode.add("obs", torch.arange(5.0) * step)
        episode.add("actions", torch.zeros(2))
    write(tmp_path / "flat", episode)
    assert DatasetReader(tmp_path / "flat.lerobot").features["observation.state"].shape == (5,)
    assert load_all(LeRobotDatasetFileHandler(), tmp_path / "flat")["demo_0"].data["obs"].shape == (3, 5)
    with pytest.raises(ConfigError, match="LeRobotRecorderManagerCfg"):
        write(tmp_path / "split", episode, state_observation_keys=["policy/joint_pos"])


def test_continues_instead_of_overwriting(tmp_path, caplog):
    write(tmp_path / "set", episode_of(3))
    write(tmp_path / "set", episode_of(5))
    assert list(load_all(LeRobotDatasetFileHandler(), tmp_path / "set")) == ["demo_0", "demo_1"]
    with pytest.raises(FeatureError, match=r"'observation\.images\.mask'"):
        write(tmp_path / "set", episode_of(3), observation_keys_to_record=["policy/joint_pos"])
    assert len(load_all(LeRobotDatasetFileHandler(), tmp_path / "set")) == 2
    write(tmp_path / "set", episode_of(2), overwrite=True)
    assert len(load_all(LeRobotDatasetFileHandler(), tmp_path / "set")) == 1
    (tmp_path / "mine.lerobot").mkdir()
    (tmp_path / "mine.lerobot" / "notes.txt").write_text("keep")
    with pytest.raises(DatasetError, match=r"notes\.txt"):
        LeRobotDatasetFileHandler().create(str(tmp_path / "mine"))


def test_a_dataset_that_says_nothing_of_isaac_lab(tmp_path):
    """What lerobot or another recorder wrote is read by the names of its features."""
    write(tmp_path / "plain", episode_of(3, success=None))
    (tmp_path / "plain.lerobot" / "meta" / "isaac_lerobot.json").unlink()
    shutil.rmtree(tmp_path / "plain.lerobot" / "isaac")
    episode = load_all(LeRobotDatasetFileHandler(), tmp_path / "plain", images=True)["demo_0"]
    assert set(episode.data) == {"actions", "obs"}
    assert set(episode.data["obs"]) == {"joint_pos", "gripper", "contact", "grid", "camera_rgb", "mask"}
    assert episode.get_next_action().tolist() == [0.0, 1.0, 2.0]
    assert (episode.success, episode.seed) == (None, None)


def test_names_and_numbers_of_episodes(tmp_path):
    handler = LeRobotDatasetFileHandler()
    handler.create(str(tmp_path / "named.hdf5"))
    handler.add_env_args(SIM_ARGS)
    handler.write_episode(EpisodeData())
    handler.write_episode(episode_of(2))
    handler.write_episode(episode_of(3), demo_id=41)
    handler.write_episode(episode_of(4))
    assert list(handler.get_episode_names()) == ["demo_0", "demo_41", "demo_1"]
    assert (handler.demo_count, handler.get_num_episodes()) == (2, 2)
    with pytest.raises(ValueError, match="demo_41"):
        handler.write_episode(episode_of(2), demo_id=41)
    assert len(handler.load_episode("demo_41", "cpu").data["actions"]) == 3
    handler.set_env_name("Renamed-v0")
    handler.close()
    handler.open(str(tmp_path / "named.lerobot"), "a")
    handler.write_episode(episode_of(5))
    handler.close()
    assert list(load_all(LeRobotDatasetFileHandler(), tmp_path / "named"))[-2:] == ["demo_1", "demo_3"]


def test_what_is_said_of_the_environment_after_the_last_episode_is_kept(tmp_path):
    handler = LeRobotDatasetFileHandler()
    for mode, name in (("create", "First-v0"), ("a", "Second-v0")):
        if mode == "create":
            handler.create(str(tmp_path / "set"))
            handler.write_episode(episode_of(2))
        else:
            handler.open(str(tmp_path / "set"), mode)
        handler.set_env_name(name)
        handler.add_env_args({mode: 1})
        handler.close()
        handler.open(str(tmp_path / "set"), "r")
        assert handler.get_env_name() == name
        with pytest.raises(DatasetError, match="open for reading"):
            handler.set_env_name("Third-v0")
        handler.close()
    kept = DatasetReader(tmp_path / "set.lerobot").attributes["attributes"]["env_args"]
    assert (kept["create"], kept["a"]) == (1, 1)


def test_an_episode_without_a_task_text_is_said(tmp_path, caplog):
    handler = LeRobotDatasetFileHandler()
    handler.create(str(tmp_path / "set"))
    for _ in range(2):
        handler.write_episode(episode_of(2))
    handler.close()
    assert sum("task_description" in record.message for record in caplog.records) == 1


def test_an_episode_without_steps_is_left_out(tmp_path):
    episode = EpisodeData()
    episode.add("initial_state/x", torch.zeros(2))
    write(tmp_path / "none", episode)
    assert not (tmp_path / "none.lerobot").exists()


def test_a_handler_that_is_used_again_carries_nothing_over(tmp_path):
    handler = LeRobotDatasetFileHandler()
    handler.create(str(tmp_path / "first"), "First-v0")
    handler.add_env_args({"custom": "value", **SIM_ARGS})
    handler.write_episode(episode_of(2))
    handler.close()
    handler.create(str(tmp_path / "second"))
    handler.write_episode(episode_of(2))
    assert list(handler.get_episode_names()) == ["demo_0"]
    handler.close()
    second = DatasetReader(tmp_path / "second.lerobot")
    assert second.attributes["attributes"]["env_args"] == {"env_name": "", "type": 2}
    assert second.episode(0).task == "task"


def test_an_episode_with_neither_actions_nor_observations_is_kept(tmp_path, caplog):
    """As HDF5 keeps it: its values are all there is, so they are the features."""
    given = []
    for steps in (3, 5):
        episode = EpisodeData()
        for step in range(steps):
            episode.add("record_pre_step", torch.arange(4.0) * step)
            episode.add("states/image_like", torch.tensor([step]))
        episode.add("initial_state/x", torch.ones(2))
        episode.add("verdict", torch.ones(1))
        given.append(episode)
    write(tmp_path / "set", *given)
    assert sum("neither actions nor observations" in record.message for record in caplog.records) == 1
    with contextlib.closing(LerobotReader()) as lerobot:
        real = lerobot.read(tmp_path / "set.lerobot")
    assert real.lengths == [3, 5]
    assert real.rows(1)["record_pre_step"][4].tolist() == [0.0, 4.0, 8.0, 12.0]
    assert "states.img_like" in real.columns
    for loaded, wanted in zip(load_all(LeRobotDatasetFileHandler(), tmp_path / "set").values(), given, strict=True):
        wanted.pre_export()
        assert_equal(loaded.data, wanted.data)


def test_an_episode_that_is_left_out_is_said_where_something_goes_with_it(tmp_path, caplog):
    episode = EpisodeData()
    episode.add("initial_state/x", torch.zeros(2))
    with caplog.at_level(logging.WARNING):
        write(tmp_path / "reset", episode)
    assert not caplog.records
    episode.add("verdict", torch.zeros(2))
    write(tmp_path / "set", episode)
    assert "an episode without a step was left out" in caplog.text


def annotated_episode() -> EpisodeData:
    """An episode with what Isaac Lab Mimic's annotation records beside the observations."""
    episode = EpisodeData()
    for step in range(8):
        episode.add("actions", torch.full((7,), 1.0 * step))
        episode.add("obs/joint_pos", torch.full((3,), 0.5 * step))
        episode.add("obs/subtask_terms/grasp", torch.tensor([step > 4]))
        notes = "obs/datagen_info"
        for name in ("eef_pose", "target_eef_pose"):
            episode.add(f"{notes}/{name}/arm", torch.eye(4) * step)
        episode.add(f"{notes}/object_pose/cube", torch.eye(4) + step)
        episode.add(f"{notes}/subtask_term_signals/grasp", torch.tensor(step > 3))
    episode.success = True
    return episode


@pytest.mark.parametrize("settings", [{}, {"state_observation_keys": ["policy/joint_pos"]}])
def test_mimics_notes_are_kept_beside_the_dataset(tmp_path, settings):
    write(tmp_path / "set", annotated_episode(), **settings)
    features = DatasetReader(tmp_path / "set.lerobot").features
    assert {name for name in features if name.startswith("observation")} == {"observation.state"}
    wanted = annotated_episode()
    wanted.pre_export()
    assert_equal(load_all(LeRobotDatasetFileHandler(), tmp_path / "set")["demo_0"].data, wanted.data)


def test_mimics_notes_become_features_where_they_are_chosen(tmp_path):
    keys = ["datagen_info/object_pose/cube", "subtask_terms/grasp"]
    write(tmp_path / "set", annotated_episode(), observation_keys_to_record=keys)
    features = DatasetReader(tmp_path / "set.lerobot").features
    assert {name for name in features if name.startswith("observation")} == {"observation.cube", "observation.grasp"}


def test_mimic_draws_the_same_from_a_dataset_as_from_hdf5(tmp_path, monkeypatch):
    """Its pool has the HDF5 handler built in, so ours is put under that name."""
    from isaaclab.envs.mimic_env_cfg import MimicEnvCfg, SubTaskConfig
    from isaaclab_mimic.datagen import datagen_info_pool

    class Gripper:
        """Stands for a Mimic environment, of which the pool asks one thing only."""

        @staticmethod
        def actions_to_gripper_actions(actions):
            return {"arm": actions[:, -1:]}

    cfg = MimicEnvCfg()
    cfg.subtask_configs["arm"] = [
        SubTaskConfig(object_ref="cube", subtask_term_signal="grasp", subtask_term_offset_range=(0, 0)),
        SubTaskConfig(object_ref="cube", subtask_term_signal=None, subtask_term_offset_range=(0, 0)),
    ]
    pools = []
    for handler_class, name in ((HDF5DatasetFileHandler, "set.hdf5"), (LeRobotDatasetFileHandler, "set.lerobot")):
        handler = handler_class()
        handler.create(str(tmp_path / name), "Mimic-v0")
        episode = annotated_episode()
        episode.pre_export()
        handler.write_episode(episode)
        handler.close()
        monkeypatch.setattr(datagen_info_pool, "HDF5DatasetFileHandler", handler_class)
        pools.append(datagen_info_pool.DataGenInfoPool(Gripper(), cfg, "cpu"))
        pools[-1].load_from_dataset_file(str(tmp_path / name))
    theirs, ours = pools
    assert ours.subtask_boundaries == theirs.subtask_boundaries == {"arm": [[(0, 5), (5, 8)]]}
    assert_equal(ours.datagen_infos[0].to_dict(), theirs.datagen_infos[0].to_dict())


def test_what_a_dataset_cannot_hold_as_a_feature_is_kept_beside_it(tmp_path):
    episode = episode_of(3)
    for _ in range(3):
        episode.add("obs/nothing", torch.zeros(0))
        episode.add("obs/float_rgb", torch.full((16, 24, 3), 0.25))
    write(tmp_path / "set", episode)
    features = DatasetReader(tmp_path / "set.lerobot").features
    assert {"observation.nothing", "observation.float_rgb"}.isdisjoint(features)
    loaded = load_all(LeRobotDatasetFileHandler(), tmp_path / "set")["demo_0"].data["obs"]
    assert loaded["nothing"].shape == (3, 0)
    assert torch.equal(loaded["float_rgb"], episode.data["obs"]["float_rgb"])
    with pytest.raises(ConfigError, match="'obs/nothing' cannot be recorded: it has no elements"):
        write(tmp_path / "named", episode, observation_keys_to_record=["policy/nothing"])


def test_a_number_that_is_none_is_said_and_found_by_check(tmp_path, caplog):
    episode = episode_of(4)
    episode.data["obs"]["joint_pos"][2][1] = float("nan")
    write(tmp_path / "set", episode, episode_of(4))
    said = [record.message for record in caplog.records if "NaN" in record.message]
    assert said == ["demo_0: obs/joint_pos holds NaN or inf at step 2. It is recorded as it is."]
    report = check_dataset(tmp_path / "set.lerobot")
    assert [(finding.code, "observation.state" in finding.where) for finding in report.findings] == [
        ("data-not-finite", True)
    ]


def test_a_rate_that_nothing_tells_is_assumed_with_a_warning(tmp_path, caplog):
    handler = LeRobotDatasetFileHandler()
    handler.create(str(tmp_path / "unknown"), env_name="No-Such-Task-v0")
    with caplog.at_level(logging.WARNING):
        handler.write_episode(episode_of(2))
    handler.close()
    assert "30 are assumed" in caplog.text
    assert DatasetReader(tmp_path / "unknown.lerobot").fps == 30
    handler.create(str(tmp_path / "task"), env_name=TASK_ID)
    handler.write_episode(episode_of(2))
    handler.close()
    assert DatasetReader(tmp_path / "task.lerobot").fps == 30


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("a/set.hdf5", "a/set.lerobot"),
        ("a/set", "a/set.lerobot"),
        ("a/set.lerobot", "a/set.lerobot"),
        ("a/set.v2", "a/set.v2.lerobot"),
        ("a/set_failed", "a/set_failed.lerobot"),
        ("a/set.lerobot_failed", "a/set_failed.lerobot"),
    ],
)
def test_the_folder_of_a_path(tmp_path, given, folder):
    assert root_of_file(str(tmp_path / given)) == tmp_path / folder


def test_mistakes_are_answered(tmp_path):
    empty = LeRobotDatasetFileHandler.configured(observation_keys_to_record=[], state_observation_keys=[])
    with pytest.raises(ConfigError, match="At least one of `observation_keys_to_record` or `state_observation_keys`"):
        empty().create(str(tmp_path / "x"))
    with pytest.raises(ConfigError, match="Did you mean 'state_observation_keys'"):
        LeRobotDatasetFileHandler.configured(state_observation_key=["policy/x"])
    with pytest.raises(ConfigError, match="Did you mean 'policy/joint_pos'"):
        write(tmp_path / "x", episode_of(), state_observation_keys=["policy/joint_poss"])
    with pytest.raises(ConfigError, match="picture"):
        write(tmp_path / "x", episode_of(), state_observation_keys=["policy/camera_rgb"])
    uneven = episode_of()
    uneven.add("obs/joint_pos", torch.zeros(2))
    with pytest.raises(FeatureError, match="number of steps"):
        write(tmp_path / "x", uneven)
    handler = LeRobotDatasetFileHandler()
    with pytest.raises(DatasetError, match="create"):
        handler.flush()
    with pytest.raises(DatasetError, match="no LeRobot dataset"):
        handler.open(str(tmp_path / "nothing"))
    write(tmp_path / "set", episode_of(2))
    handler.open(str(tmp_path / "set"))
    with pytest.raises(DatasetError, match="reading"):
        handler.write_episode(episode_of(2))
    with pytest.raises(DatasetError, match="Close it first"):
        handler.create(str(tmp_path / "y"))

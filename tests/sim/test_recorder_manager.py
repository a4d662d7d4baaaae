"""The streaming recorder manager: what a recorder manager records, without holding it."""

import copy
import gc
import re

import numpy as np
import pytest
import torch
from isaaclab.envs.mdp.recorders.recorders_cfg import ActionStateRecorderManagerCfg
from isaaclab.managers import DatasetExportMode, ObservationTermCfg
from isaaclab.managers.recorder_manager import RecorderManagerBaseCfg
from isaaclab.utils import configclass
from isaaclab.utils.datasets import HDF5DatasetFileHandler

from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.errors import ConfigError, TaskError
from isaac_lerobot.sim.manager.cfg import LeRobotRecorderManagerCfg
from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler
from isaac_lerobot.sim.manager.term import LeRobotRecorderCfg
from sim.counter_task import TASK_ID, CounterSource
from sim.isaac_episodes import BothHandlers, assert_same_episode, load_all, play, success_term

KEYS = ["policy/step", "policy/env_id", "policy/global_step"]


@configclass
class BothRecordersCfg(ActionStateRecorderManagerCfg, LeRobotRecorderManagerCfg):
    """Isaac Lab's own terms collect beside the streaming one; each handler gets its own."""

    dataset_file_handler_class_type: type = BothHandlers
    record_lerobot = LeRobotRecorderCfg(task_description="Count")
    record_initial_state = None  # the streaming term's


def is_late(env):
    """One truth per environment, as Isaac Lab's subtask terms are. Shape (N,)."""
    return env.episode_length_buf > 2


def streaming(path, **values):
    cfg = LeRobotRecorderManagerCfg(dataset_export_dir_path=str(path))
    for name, value in values.items():
        setattr(cfg, name, value)
    return cfg


def names_of(path):
    return list(load_all(LeRobotDatasetFileHandler(), path))


@pytest.mark.parametrize("num_envs", [1, 4])
def test_streams_what_the_hdf5_handler_keeps(make_env, tmp_path, num_envs):
    recorders = BothRecordersCfg(dataset_export_dir_path=str(tmp_path))
    changes = {"terminations.success": success_term(), "observations.policy.is_late": ObservationTermCfg(func=is_late)}
    env = make_env(TASK_ID, num_envs=num_envs, recorders=recorders, **changes)
    play(env)
    env.close()
    theirs = load_all(HDF5DatasetFileHandler(), tmp_path / "dataset.hdf5")
    ours = load_all(LeRobotDatasetFileHandler(), tmp_path / "dataset.lerobot")
    assert set(ours) == set(theirs)
    assert len(ours) >= 4 * num_envs
    for name, episode in theirs.items():
        assert_same_episode(ours[name], episode)
    assert DatasetReader(tmp_path / "dataset.lerobot").episode(0).task == "Count"


def test_export_modes(make_env, tmp_path):
    """Of the 40 steps' episodes of env 0, two succeed (after 8 and 27 steps); the last one is not complete."""
    found = {}
    for mode in DatasetExportMode:
        path = tmp_path / mode.name
        recorders = streaming(path, dataset_export_mode=mode, state_observation_keys=KEYS)
        env = make_env(TASK_ID, recorders=recorders, **{"terminations.success": success_term()})
        play(env, manual_reset_at=None)
        manager = env.recorder_manager
        counts = (manager.exported_successful_episode_count, manager.exported_failed_episode_count)
        del manager
        env.close()
        datasets = {folder.name: [episode.success for episode in DatasetReader(folder)] for folder in path.glob("*")}
        found[mode] = (counts, datasets)
    everything = found[DatasetExportMode.EXPORT_ALL][1]["dataset.lerobot"]
    succeeded, failed = [True] * everything.count(True), [False] * everything.count(False)
    assert len(succeeded) == 2
    assert len(failed) >= 2
    assert found[DatasetExportMode.EXPORT_NONE][1] == {}
    assert found[DatasetExportMode.EXPORT_SUCCEEDED_ONLY][1] == {"dataset.lerobot": succeeded}
    assert found[DatasetExportMode.EXPORT_SUCCEEDED_FAILED_IN_SEPARATE_FILES][1] == {
        "dataset.lerobot": succeeded,
        "dataset_failed.lerobot": failed,
    }
    for mode in (DatasetExportMode.EXPORT_ALL, DatasetExportMode.EXPORT_SUCCEEDED_ONLY):
        assert found[mode][0] == (len(succeeded), len(failed))


def test_scripts_export_and_discard_as_with_hdf5(make_env, tmp_path):
    """The sequence of record_demos.py, its reset key, and the manager's own switches."""
    recorders = streaming(tmp_path, state_observation_keys=KEYS, export_in_record_pre_reset=False)
    recorders.export_in_close = True
    env = make_env(TASK_ID, recorders=recorders, **{"terminations.time_out": None, "terminations.failure": None})
    manager, source = env.recorder_manager, CounterSource(env)

    def steps(number):
        for _ in range(number):
            env.step(source.advance())

    env.reset()
    steps(3)
    manager.add_to_episodes("datagen_info/pose", torch.eye(4)[None])  # as terms of the user's own would
    manager.record_pre_reset([0], force_export_or_skip=False)
    manager.set_success_to_episodes([0], torch.tensor([[True]]))
    manager.export_episodes([0])
    steps(2)  # begins a new episode without a reset; a reset without an export throws it away
    env.reset()
    steps(4)
    manager.reset()
    env.reset()
    steps(5)
    manager.export_episodes([0], demo_ids=[17])
    steps(6)
    del manager  # closes when nobody holds it, as Isaac Lab has it
    env.close()
    episodes = load_all(LeRobotDatasetFileHandler(), tmp_path / "dataset")
    lengths = {name: (len(episode.data["actions"]), episode.success) for name, episode in episodes.items()}
    assert lengths == {"demo_0": (3, True), "demo_17": (5, None), "demo_1": (6, None)}
    assert torch.equal(episodes["demo_0"].data["datagen_info"]["pose"], torch.eye(4)[None])
    assert not (tmp_path / "dataset.lerobot" / ".recording").exists()


def test_splits_a_concatenated_group_and_keeps_its_order(make_env, tmp_path):
    recorders = streaming(tmp_path, observation_keys_to_record=["flat/cube_pos"])
    recorders.state_observation_keys = ["flat/step", "policy/global_step"]
    recorders.robot_type = "cube"
    env = make_env(TASK_ID, num_envs=2, recorders=recorders)
    env.reset()
    source, flat = CounterSource(env), []
    for _ in range(14):
        flat.append(env.obs_buf["flat"].numpy().copy())
        env.step(source.advance())
    env.close()
    reader = DatasetReader(tmp_path / "dataset.lerobot")
    assert reader.features["observation.state"].names == ("step", "global_step")
    assert reader.robot_type == "cube"
    assert reader.attributes["attributes"]["env_name"] == TASK_ID
    assert [episode.length for episode in reader] == [4, 12]
    for env_id, episode in ((1, reader.episode(0)), (0, reader.episode(1))):
        wanted = np.stack(flat)[: episode.length, env_id]
        np.testing.assert_array_equal(episode["observation.state"], wanted[:, [4, 0]])
        np.testing.assert_array_equal(episode["observation.cube_pos"], wanted[:, 1:4])
    handler = LeRobotDatasetFileHandler()
    handler.open(str(tmp_path / "dataset"))
    observations = handler.load_episode("demo_0", "cpu").data["obs"]
    assert set(observations) == {"flat", "global_step"}
    assert set(observations["flat"]) == {"step", "cube_pos"}


def test_holds_nothing_for_the_episode(make_env, tmp_path):
    recorders = streaming(tmp_path, state_observation_keys=KEYS)
    ends = {"terminations.time_out": None, "terminations.failure": None}
    env = make_env(TASK_ID, recorders=recorders, **ends)
    env.reset()
    source = CounterSource(env)
    sizes = []
    for _ in range(3):
        for _ in range(60):
            env.step(source.advance())
        gc.collect()
        sizes.append(sum(kept.numel() for kept in gc.get_objects() if isinstance(kept, torch.Tensor)))
    assert sizes[1] == sizes[2], "tensors pile up"
    assert set(env.recorder_manager.get_episode(0).data) == {"initial_state", "lerobot"}
    env.recorder_manager.export_episodes()
    env.close()
    assert DatasetReader(tmp_path / "dataset.lerobot").episode(0).length == 180


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"state_observation_keys": [], "observation_keys_to_record": []},
            ConfigError,
            "At least one of `observation_keys_to_record` or `state_observation_keys` must be configured",
        ),
        ({"state_observation_keys": []}, ConfigError, "both are empty"),
        (
            {"state_observation_keys": ["policy/stepp"]},
            TaskError,
            "state_observation_keys: Counter-v0 has no observation term 'policy/stepp'. Did you mean 'policy/step'",
        ),
        (
            {"observation_keys_to_record": ["policy/step", "flat/step"]},
            ConfigError,
            "policy/step and flat/step would both be recorded as observation.step",
        ),
        ({"state_observation_keys": KEYS, "cameras": ["front"]}, TaskError, "no camera 'front'"),
        ({"state_observation_keys": KEYS, "codec": "h265"}, ConfigError, "h264"),
        (
            {"state_observation_keys": KEYS, "dataset_file_handler_class_type": HDF5DatasetFileHandler},
            ConfigError,
            "dataset_file_handler_class_type is HDF5DatasetFileHandler",
        ),
    ],
)
def test_mistakes_are_answered(make_env, tmp_path, settings, error, message):
    with pytest.raises(error, match=re.escape(message)):
        play(make_env(TASK_ID, recorders=streaming(tmp_path, **settings)), steps=1)


def test_settings_are_attributes_and_survive_copies():
    cfg = LeRobotRecorderManagerCfg(record_lerobot=LeRobotRecorderCfg(codec="av1"), dataset_filename="other")
    cfg.state_observation_keys = ["policy/joint_pos"]
    for same in (cfg, copy.deepcopy(cfg), cfg.replace(export_in_close=True)):
        assert (same.state_observation_keys, same.codec) == (["policy/joint_pos"], "av1")
        assert set(vars(same)) == {*vars(RecorderManagerBaseCfg()), "record_lerobot"}
    other = LeRobotRecorderManagerCfg()
    assert (other.state_observation_keys, other.codec) == (None, "h264")
    assert isinstance(other, RecorderManagerBaseCfg)


def test_a_misspelt_setting_is_refused(make_env, tmp_path):
    """By Isaac Lab, whose manager takes what it does not know for a recorder term."""
    with pytest.raises(TypeError, match="'task_descripton' is not of type RecorderTermCfg"):
        make_env(TASK_ID, recorders=streaming(tmp_path, task_descripton="Typo"))


def test_the_initial_state_is_there_from_the_reset_on(make_env, tmp_path):
    env = make_env(TASK_ID, num_envs=2, recorders=streaming(tmp_path, state_observation_keys=KEYS))
    env.reset()
    manager, source = env.recorder_manager, CounterSource(env)
    state = env.scene.get_state(is_relative=True)["rigid_object"]["cube"]["root_pose"]
    for env_id in range(2):
        kept = manager.get_episode(env_id).get_initial_state()["rigid_object"]["cube"]["root_pose"]
        assert torch.equal(kept[0], state[env_id])
    env.step(source.advance())
    manager.export_episodes()
    env.step(source.advance())  # begins without a reset
    manager.export_episodes()
    del manager
    env.close()
    for episode in load_all(LeRobotDatasetFileHandler(), tmp_path / "dataset").values():
        assert episode.get_initial_state()["rigid_object"]["cube"]["root_pose"].shape == (1, 7)


def test_the_seed_is_kept(make_env, tmp_path):
    env = make_env(TASK_ID, seed=11, recorders=streaming(tmp_path, state_observation_keys=KEYS))
    play(env, steps=14)
    env.close()
    assert load_all(LeRobotDatasetFileHandler(), tmp_path / "dataset")["demo_0"].seed == 11


def test_an_episode_that_the_rule_does_not_keep_is_not_gone_on_with(make_env, tmp_path):
    """The manager lets go of an episode without telling its terms."""
    recorders = streaming(tmp_path, state_observation_keys=KEYS)
    recorders.dataset_export_mode = DatasetExportMode.EXPORT_SUCCEEDED_ONLY
    env = make_env(TASK_ID, recorders=recorders, **{"terminations.time_out": None, "terminations.failure": None})
    env.reset()
    manager, source = env.recorder_manager, CounterSource(env)
    for steps, succeeded in ((3, False), (4, True)):
        for _ in range(steps):
            env.step(source.advance())
        manager.set_success_to_episodes([0], torch.tensor([[succeeded]]))
        manager.export_episodes([0])
    del manager
    env.close()
    episode = DatasetReader(tmp_path / "dataset.lerobot").episode(0)
    assert episode["observation.state"][:, 0].tolist() == [3.0, 4.0, 5.0, 6.0]


def test_overwrites_what_was_there_before_and_not_what_it_recorded(make_env, tmp_path):
    for steps, overwrite in ((14, False), (28, True)):
        recorders = streaming(tmp_path, state_observation_keys=KEYS, overwrite=overwrite)
        env = make_env(TASK_ID, recorders=recorders)
        play(env, steps=steps, manual_reset_at=None)
        env.close()
    assert [episode.length for episode in DatasetReader(tmp_path / "dataset.lerobot")] == [12, 5]
    assert names_of(tmp_path / "dataset") == ["demo_0", "demo_1"]


def test_a_manager_that_outlives_its_env_throws_away_what_was_not_exported(make_env, tmp_path):
    env = make_env(TASK_ID, recorders=streaming(tmp_path, state_observation_keys=KEYS))
    manager = env.recorder_manager
    play(env, steps=3, manual_reset_at=None)
    env.close()
    manager.close()
    assert not (tmp_path / "dataset.lerobot").exists()


def sometimes_none(env):
    """The step, and NaN where it is 2 or 3. Shape (N, 1)."""
    step = env.episode_length_buf.float().unsqueeze(-1)
    return torch.where((step == 2) | (step == 3), torch.nan, step)


def test_a_number_that_is_none_is_said_once_in_an_episode(make_env, tmp_path, caplog):
    term = ObservationTermCfg(func=sometimes_none)
    recorders = streaming(tmp_path, state_observation_keys=["policy/doubtful"])
    env = make_env(TASK_ID, recorders=recorders, **{"observations.policy.doubtful": term})
    play(env, steps=17, manual_reset_at=None)
    env.close()
    said = [record.message for record in caplog.records if "NaN" in record.message]
    assert len(said) == 2
    assert all(message.startswith("observation.state holds NaN or inf at frame 2") for message in said)


def empty(env):
    """An observation without elements, as an action term without dimensions makes one. Shape (N, 0)."""
    return torch.zeros(env.num_envs, 0)


def count(env):
    """One number per environment, without a dimension of its own. Shape (N,)."""
    return env.episode_length_buf.float()


def test_terms_of_one_number_are_recorded_and_those_of_none_are_not(make_env, tmp_path):
    more = {"observations.policy.empty": ObservationTermCfg(func=empty)}
    more |= {"observations.policy.count": ObservationTermCfg(func=count)}
    env = make_env(TASK_ID, recorders=streaming(tmp_path), **more)
    play(env, steps=14, manual_reset_at=None)
    env.close()
    reader = DatasetReader(tmp_path / "dataset.lerobot")
    names = reader.features["observation.state"].names
    assert "empty" not in names
    assert reader.episode(0)["observation.state"][:, names.index("count")].tolist() == list(range(12))

"""Recording environments that a script makes and steps, without a line of it being changed."""

import gc
import threading
import weakref

import gymnasium
import numpy as np
import pytest
import torch
from isaaclab.envs.mdp.recorders.recorders_cfg import ActionStateRecorderManagerCfg
from isaaclab.utils.datasets import HDF5DatasetFileHandler

import isaac_lerobot
from isaac_lerobot.app.demo_task import TASK_ID as DEMO_TASK
from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.errors import ConfigError, TaskError
from isaac_lerobot.recording import (
    Configure,
    Discard,
    End,
    ListTasks,
    OpenTask,
    Outcome,
    Pause,
    Resume,
    Session,
    SessionState,
    Start,
)
from isaac_lerobot.sim.attach.watch import attach_when_created
from isaac_lerobot.sim.manager.file_handler import LeRobotDatasetFileHandler
from on_disk import counted_episodes
from sim import counter_task, direct_task
from sim.counter_task import CounterSource, expected_action
from sim.isaac_episodes import assert_equal, load_all, play, success_term
from waiting import until

KEYS = ["policy/step", "policy/env_id", "policy/global_step"]
ENDLESS = {"terminations.time_out": None, "terminations.failure": None}


def config_for(path, **values):
    return {"dataset": path, "state_keys": KEYS, **values}


def lengths(path):
    return [(episode.length, episode.success) for episode in DatasetReader(path)]


def stepping(env):
    source = CounterSource(env)

    def steps(number):
        for _ in range(number):
            env.step(source.advance())

    return steps


def assert_paired(path):
    for episode in DatasetReader(path):
        step, env_id, global_step = torch.from_numpy(episode["observation.state"]).T
        np.testing.assert_array_equal(episode["action"], expected_action(step, env_id, global_step).numpy())
        np.testing.assert_array_equal(step.numpy(), np.arange(episode.length))
        assert len(set(env_id.tolist())) == 1


@pytest.mark.parametrize("num_envs", [1, 4])
def test_records_beside_the_scripts_own_hdf5(make_env, tmp_path, num_envs):
    recorders = ActionStateRecorderManagerCfg(dataset_export_dir_path=str(tmp_path), dataset_filename="theirs")
    env = make_env(
        counter_task.TASK_ID, num_envs=num_envs, recorders=recorders, **{"terminations.success": success_term()}
    )
    attachment = isaac_lerobot.attach(env, config_for(tmp_path / "ours"))
    play(env)
    before = set(vars(env.recorder_manager))
    assert "record_pre_step" in before
    env.close()
    assert not attachment.is_attached
    assert attachment.session.state is SessionState.FINISHED
    assert not {"step", "close"} & set(vars(env))
    assert_paired(tmp_path / "ours")

    theirs = load_all(HDF5DatasetFileHandler(), tmp_path / "theirs.hdf5")
    ours = load_all(LeRobotDatasetFileHandler(), tmp_path / "ours")
    # What was not complete when the script closed its env is kept as undecided; Isaac Lab drops it.
    complete = {name: episode for name, episode in ours.items() if episode.success is not None}
    assert set(complete) == set(theirs)
    for name, episode in theirs.items():
        assert ours[name].success == episode.success
        for part in ("actions", "obs", "states", "initial_state", "processed_actions"):
            assert_equal(ours[name].data[part], episode.data[part], part)


def test_the_sequence_of_record_demos(make_env, tmp_path):
    """It exports by itself after the success, resets by itself, and throws away what the reset key ends."""
    env = make_env(counter_task.TASK_ID, recorders=ActionStateRecorderManagerCfg(dataset_export_dir_path=str(tmp_path)),
                   **ENDLESS)  # fmt: skip
    steps = stepping(env)
    env.reset()
    isaac_lerobot.attach(env, config_for(tmp_path / "ours", export="succeeded"))
    steps(5)
    env.recorder_manager.record_pre_reset([0], force_export_or_skip=False)
    env.recorder_manager.set_success_to_episodes([0], torch.tensor([[True]], dtype=torch.bool))
    env.recorder_manager.export_episodes([0])
    for _ in range(2):
        env.recorder_manager.reset()
        env.reset()
        steps(7)
    env.recorder_manager.record_pre_reset([0], force_export_or_skip=False)
    env.recorder_manager.set_success_to_episodes([0], torch.tensor([[True]], dtype=torch.bool))
    env.recorder_manager.export_episodes([0])
    steps(2)
    env.close()
    assert lengths(tmp_path / "ours") == [(5, True), (7, True)]


def test_an_env_without_recorders_of_its_own(make_env, tmp_path):
    env = make_env(counter_task.TASK_ID)
    attachment = isaac_lerobot.attach(env, config_for(tmp_path / "ours", task_description="Count"))
    play(env, steps=20, manual_reset_at=14)
    attachment.detach()
    attachment.detach()
    assert "record_pre_step" not in vars(env.recorder_manager)
    stepping(env)(3)
    # A time-out and a manual reset are undecided where there is no success term; the failure term is a failure.
    assert lengths(tmp_path / "ours") == [(12, None), (2, None), (3, False), (3, None)]
    assert DatasetReader(tmp_path / "ours").episode(0).task == "Count"
    assert_paired(tmp_path / "ours")


def test_what_others_put_on_the_env_stays_there(make_env, tmp_path):
    """A script's own wrapper, and a second attachment: each is there again when ours is taken off."""
    env = make_env(counter_task.TASK_ID, **ENDLESS)
    steps, counted = stepping(env), []
    original = env.step

    def timed(action):
        counted.append(1)
        return original(action)

    env.step = timed
    env.reset()
    first = isaac_lerobot.attach(env, config_for(tmp_path / "first"))
    second = isaac_lerobot.attach(env, config_for(tmp_path / "second"))
    steps(3)
    second.detach()
    steps(5)
    first.detach()
    assert env.step is timed
    steps(2)
    assert len(counted) == 10
    assert lengths(tmp_path / "second") == [(3, None)]
    assert lengths(tmp_path / "first") == [(8, None)]
    with pytest.raises(ConfigError, match="needs a mapping"):
        isaac_lerobot.attach(env, "datasets/here")


def test_commands_are_answered(make_env, tmp_path):
    env = make_env(counter_task.TASK_ID, **ENDLESS)
    steps, session = stepping(env), Session()
    env.reset()
    isaac_lerobot.attach(env, config_for(tmp_path / "ours"), session=session, start=False)
    assert session.state is SessionState.READY
    steps(2)
    session.post(Start())
    steps(3)
    session.post(End(Outcome.SUCCESS))
    steps(1)  # the reset that was asked for comes at the end of this step
    assert int(env.episode_length_buf) == 0
    steps(4)
    session.post(Discard())
    steps(6)
    session.post(End(Outcome.FAILURE))
    steps(1)
    session.post(Pause())
    threading.Timer(0.3, lambda: session.post(Resume())).start()
    steps(2)
    env.close()
    assert lengths(tmp_path / "ours") == [(3, True), (5, False), (2, None)]


def test_a_recorder_manager_put_in_later_is_noticed(make_env, tmp_path):
    from isaaclab.managers import RecorderManager

    env = make_env(counter_task.TASK_ID, **ENDLESS)
    env.reset()
    isaac_lerobot.attach(env, config_for(tmp_path / "ours"))
    cfg = ActionStateRecorderManagerCfg(dataset_export_dir_path=str(tmp_path))
    env.recorder_manager = RecorderManager(cfg, env)
    stepping(env)(4)
    env.close()
    assert lengths(tmp_path / "ours") == [(4, None)]


def test_their_hdf5_is_closed_with_the_env(make_env, tmp_path):
    """Nothing of ours may keep their recorder manager alive."""
    recorders = ActionStateRecorderManagerCfg(dataset_export_dir_path=str(tmp_path), export_in_close=False)
    env = make_env(counter_task.TASK_ID, recorders=recorders)
    attachment = isaac_lerobot.attach(env, config_for(tmp_path / "ours"))
    gc.disable()
    try:
        play(env, steps=13, manual_reset_at=None)
        env.close()
        assert len(load_all(HDF5DatasetFileHandler(), tmp_path / "dataset.hdf5")) == 1
    finally:
        gc.enable()
    assert attachment.session.status.counts.saved == 2


@pytest.mark.parametrize("task", [direct_task.TASK_ID, direct_task.MASKED_TASK_ID])
def test_a_direct_env_however_it_resets(make_env, tmp_path, task):
    env = make_env(task, num_envs=2)
    isaac_lerobot.attach(env, {"dataset": tmp_path / "direct", "state_keys": ["policy/obs"]})
    env.reset()
    for step in range(14):
        env.step(torch.tensor([[step, 0.0], [step, 1.0]]))
    env.close()
    assert lengths(tmp_path / "direct") == [(6, None), (6, None)] * 2 + [(2, None)] * 2
    for index, episode in enumerate(DatasetReader(tmp_path / "direct")):
        state, action = episode["observation.state"], episode["action"]
        np.testing.assert_array_equal(state[:, 0], np.arange(episode.length))
        np.testing.assert_array_equal(action[:, 0], np.arange(episode.length) + 6 * (index // 2))
        np.testing.assert_array_equal(state[:, 1], action[:, 1])


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_a_direct_env_with_discrete_actions(make_env, tmp_path, shape):
    env = make_env(direct_task.TASK_ID, num_envs=2, action_space={3})
    isaac_lerobot.attach(env, {"dataset": tmp_path / "direct", "state_keys": ["policy/obs"]})
    env.reset()
    for step in range(5):
        env.step(torch.tensor([step % 3, 2]).reshape(shape))
    env.close()
    dataset = DatasetReader(tmp_path / "direct")
    assert (dataset.features["action"].shape, dataset.features["action"].names) == ((1,), ("action",))
    assert [episode["action"].reshape(-1).tolist() for episode in dataset] == [[0, 1, 2, 0, 1], [2] * 5]


def test_a_direct_env_with_actions_in_parts_is_refused(make_env, tmp_path):
    env = make_env(direct_task.TASK_ID, action_space={"arm": 2, "hand": 3})
    env.reset()
    with pytest.raises(ConfigError, match="are a Dict of spaces; those of one vector or number can be recorded"):
        isaac_lerobot.attach(env, {"dataset": tmp_path / "direct", "state_keys": ["policy/obs"]})


def test_a_step_before_the_first_reset_is_answered_with_what_to_do(make_env, tmp_path):
    env = make_env(direct_task.TASK_ID)
    isaac_lerobot.attach(env, {"dataset": tmp_path / "direct", "state_keys": ["policy/obs"]})
    with pytest.raises(ConfigError, match=r"was not reset, .* Call env\.reset\(\) before env\.step\(\)"):
        env.step(torch.zeros(1, 2))


def test_pictures_that_are_drawn_before_the_reset_are_warned_of(make_env, tmp_path, caplog):
    """RTX cannot run here; whether it draws is told by an attribute of the environment."""
    env = make_env(DEMO_TASK, num_rerenders_on_reset=0)
    env.reset()
    for rtx, cameras, warned in ((True, None, True), (True, [], False), (False, None, False)):
        env.has_rtx_sensors = rtx
        config = {"dataset": tmp_path / f"{rtx}{cameras}", "state_keys": ["policy/joint_pos"], "cameras": cameras}
        attachment = isaac_lerobot.attach(env, config)
        caplog.clear()
        env.step(torch.zeros(1, env.action_manager.total_action_dim))
        told = attachment.session.status.message.text
        attachment.detach()
        for said in (told, caplog.text):
            assert ("num_rerenders_on_reset = 1" in said) is warned


def test_attaches_by_itself_when_a_script_makes_an_env(tmp_path):
    session = Session(isaac_lerobot.RecordingConfig.from_mapping(config_for(tmp_path / "ours")))
    watch = attach_when_created(session)
    assert watch.attachment is None
    try:
        for _ in range(2):
            env = gymnasium.make(counter_task.TASK_ID, cfg=counter_task.CounterEnvCfg())
            play(env.unwrapped, steps=13, manual_reset_at=None)
            env.close()
    finally:
        watch.stop()
    assert [length for length, _ in lengths(tmp_path / "ours")] == [12, 1, 12, 1]
    env = gymnasium.make(counter_task.TASK_ID, cfg=counter_task.CounterEnvCfg())
    try:
        late = attach_when_created(Session())
        late.stop()
        assert late.attachment.listens_to(env.unwrapped)
    finally:
        env.close()


def test_an_env_is_found_among_weak_proxies_of_what_is_gone(make_env):
    env = make_env(counter_task.TASK_ID)

    class Gone:
        pass

    gone = Gone()
    proxies = [weakref.proxy(gone)]
    del gone
    watch = attach_when_created(Session())
    watch.stop()
    assert watch.attachment.listens_to(env)
    assert len(proxies) == 1


def test_clicks_that_need_no_env_are_carried_out_while_no_script_steps_one(make_env, tmp_path):
    session = Session(isaac_lerobot.RecordingConfig.from_mapping(config_for(tmp_path / "ours")))
    watch = attach_when_created(session, start=False)
    try:
        session.post(Configure({"num_demos": 3}))
        session.post(ListTasks())
        watch.tick()
        assert session.config.num_demos == 3
        assert counter_task.TASK_ID in session.status.tasks
        session.post(Configure({"task": counter_task.TASK_ID}))
        session.post(OpenTask())
        watch.tick()
        assert "No script in this app has an environment now" in session.status.message.text
        assert session.state is SessionState.IDLE

        env = make_env(counter_task.TASK_ID)
        env.reset()
        stepping(env)(1)
        for command in (Configure({"num_demos": 4}), Start(), Configure({"num_demos": 5})):
            session.post(command)
        until(lambda: session.config.num_demos == 4, meanwhile=watch.tick)
        assert session.state is SessionState.READY, "what follows waits for the script's next step"
        stepping(env)(1)
        assert (session.state, session.config.num_demos) == (SessionState.RECORDING, 5)
    finally:
        watch.shutdown()


def test_mistakes_are_answered(make_env, tmp_path):
    with pytest.raises(TaskError, match="no Isaac Lab environment"):
        isaac_lerobot.attach(gymnasium.Env(), config_for(tmp_path / "x"))
    env = make_env(counter_task.TASK_ID)
    with pytest.raises(ConfigError, match="unknown key"):
        isaac_lerobot.attach(env, {"datasett": tmp_path})
    isaac_lerobot.attach(env, {"dataset": tmp_path / "x", "state_keys": ["policy/stepp"]})
    env.reset()
    with pytest.raises(ConfigError, match="Did you mean 'policy/step'"):
        stepping(env)(1)
    assert "step" not in vars(env)
    with pytest.raises(ConfigError, match="No dataset folder"):
        isaac_lerobot.attach(env, {"state_keys": KEYS})
    stepping(env)(2)


def test_a_disk_that_fails_stops_the_recording_and_not_the_script(make_env, tmp_path):
    env = make_env(counter_task.TASK_ID, **ENDLESS)
    env.reset()
    attachment = isaac_lerobot.attach(env, config_for(tmp_path / "ours"))
    steps = stepping(env)
    steps(2)
    env.reset()
    until(lambda: counted_episodes(tmp_path / "ours") == 1)
    (tmp_path / "ours" / "meta" / "info.json").unlink()
    steps(3)
    assert attachment.session.state is SessionState.READY
    assert "removed or moved" in attachment.session.status.message.text
    steps(1)

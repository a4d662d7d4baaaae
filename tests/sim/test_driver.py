"""The driver: the demo task recorded by its scripted operator, and everything that can go wrong on the way."""

import contextlib
import time

import gymnasium as gym
import numpy as np
import torch
from isaaclab.managers import CommandTerm, CommandTermCfg
from isaaclab.utils import configclass

from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.recording import (
    CloseTask,
    Configure,
    Discard,
    End,
    Finish,
    OpenTask,
    Outcome,
    Pause,
    SessionState,
    Severity,
    Start,
)
from isaac_lerobot.sim.drive.devices import own_windows
from isaac_lerobot.sim.drive.driver import Driver
from isaac_lerobot.sim.env.hooks import MethodHooks
from on_disk import columns, episode_table
from sim import counter_task
from sim.lever import Lever, add_lever
from sim.recordings import message_after, run, session_for, tick_until
from waiting import until

DEMO = "Isaac-LeRobot-Pick-Cube-v0"
STATE = {"state_keys": ["policy/step"]}


@contextlib.contextmanager
def driving(session):
    driver = Driver(session)
    try:
        yield driver
    finally:
        driver.shutdown()


def loaded(driver):
    driver.session.post(OpenTask())
    tick_until(driver, SessionState.READY)
    return driver.session


@contextlib.contextmanager
def lever_in_hand(session):
    """A driver with the counter task loaded and a lever to drive it with, which is in its rest position."""
    with driving(session) as driver:
        session.post(Configure({"teleop_device": "zero"}))
        loaded(driver)
        add_lever(driver.env.cfg)
        message_after(driver, Configure({"teleop_device": "lever"}))
        Lever.made.command = torch.zeros(driver.env.action_manager.total_action_dim)
        yield driver


def rest_until(driver, condition):
    """Tick as a host does, with pauses: a driver that rests asks its device some 30 times a second."""
    until(condition, 10.0, lambda: time.sleep(driver.tick()), lambda: driver.session.status)


class Witness:
    """Keeps what the environment itself says at the instant of recording, beside the recorder."""

    def __init__(self, env):
        self.rows = []
        self._env = env
        original = env.recorder_manager.record_pre_step

        def record_pre_step():
            policy = env.obs_buf["policy"]
            state = torch.cat([policy["joint_pos"], policy["gripper"]], dim=1)[0]
            camera = env.scene.sensors["front"].data.output["rgb"].torch[0, ..., :3]
            self.rows.append(
                (state.clone().numpy(), env.action_manager.action[0].clone().numpy(), camera.clone().numpy())
            )
            original()

        env.recorder_manager.record_pre_step = record_pre_step


def test_the_demo_task_succeeds_and_disk_equals_what_the_environment_had(tmp_path):
    root = tmp_path / "cubes"
    session = session_for(
        DEMO,
        root,
        teleop_device="scripted",
        state_keys=["policy/joint_pos", "policy/gripper"],
        observation_keys=["policy/cube_pos"],
        cameras=["front"],
        seed=3,
        num_demos=1,
        task_description="Pick up the cube",
    )
    with driving(session) as driver:
        loaded(driver)
        witness = Witness(driver.env)
        session.post(Start())
        status = tick_until(driver, SessionState.FINISHED, timeout=300)
        assert status.counts.succeeded == 1
        assert status.progress == 1
        steps = session.config.num_success_steps
    rows = witness.rows
    values = columns(root)
    np.testing.assert_array_equal(values["observation.state"], np.stack([state for state, _, _ in rows]))
    np.testing.assert_array_equal(values["action"], np.stack([action for _, action, _ in rows]))
    heights = values["observation.cube_pos"][:, 2]
    assert heights[-1] > heights[0] + 0.05, "the cube was really lifted"
    assert len(rows) > steps
    episode = DatasetReader(root).episode(0)
    pictures = np.stack(list(episode.images("observation.images.front")))
    error = np.abs(pictures.astype(int) - np.stack([picture for _, _, picture in rows]).astype(int)).mean(
        axis=(1, 2, 3)
    )
    assert error.max() < 6, "each picture is the camera's, within the codec's error"
    swapped = np.abs(pictures[:-20].astype(int) - np.stack([p for _, _, p in rows])[20:].astype(int)).mean()
    assert swapped > 2 * error.mean(), "and not one of another step"


def test_the_initial_state_seed_and_final_state_are_kept(tmp_path):
    root = tmp_path / "kept"
    session = session_for(counter_task.TASK_ID, root, teleop_device="scripted", num_demos=1, seed=11, **STATE)
    with driving(session) as driver:
        run(driver)
    sidecar = DatasetReader(root).episode(0).sidecar()
    assert sidecar.attributes["seed"] == 11
    assert sidecar.arrays["initial_state/rigid_object/cube/root_pose"].shape == (7,)
    assert sidecar.arrays["final_state/rigid_object/cube/root_pose"].shape == (7,)
    assert sidecar.frames["state/rigid_object/cube/root_pose"].shape == (12, 7)


def test_hand_judged_episodes_and_discard(tmp_path):
    session = session_for(counter_task.TASK_ID, tmp_path / "hand", teleop_device="scripted", **STATE)
    with driving(session) as driver:
        loaded(driver)
        session.post(Start())
        for command in (End(Outcome.SUCCESS), End(Outcome.FAILURE), Discard(), End(Outcome.UNDECIDED)):
            for _ in range(3):
                driver.tick()
            session.post(command)
        session.post(Finish())
        tick_until(driver, SessionState.FINISHED)
    rows = episode_table(tmp_path / "hand")
    assert [row["success"] for row in rows] == [True, False, None]
    assert all(row["length"] == 3 for row in rows)
    frames = columns(tmp_path / "hand")
    np.testing.assert_array_equal(frames["observation.state"].ravel(), frames["frame_index"])


def test_an_unknown_task_names_the_nearest(tmp_path):
    session = session_for("Isaac-LeRobot-Pick-Cub-v0", tmp_path / "none", **STATE)
    with driving(session) as driver:
        status = message_after(driver, OpenTask())
        assert status.state is SessionState.IDLE
        assert DEMO in status.message.text
        message_after(driver, Configure({"task_packages": ["no.such.package"]}))
        assert "no.such.package" in message_after(driver, OpenTask()).message.text


def test_an_environment_that_raises_keeps_saved_episodes_and_can_be_loaded_again(tmp_path):
    root = tmp_path / "raised"
    session = session_for(counter_task.TASK_ID, root, teleop_device="scripted", **STATE)
    with driving(session) as driver:
        loaded(driver)
        session.post(Start())
        for _ in range(4):
            driver.tick()
        message_after(driver, End(Outcome.SUCCESS), ticks=4)

        def broken():
            raise RuntimeError("the physics exploded")

        driver.env.action_manager.apply_action = broken
        driver.tick()
        status = session.status
        assert status.state is SessionState.ERROR
        assert "the physics exploded" in status.message.text
        assert status.counts.discarded == 1
        loaded(driver)
        message_after(driver, Start(), ticks=4)
        message_after(driver, End(Outcome.SUCCESS), Finish())
        tick_until(driver, SessionState.FINISHED)
    assert [row["success"] for row in episode_table(root)] == [True, True]


def test_a_device_that_fails_costs_the_episode_and_not_the_task(tmp_path):
    root = tmp_path / "unplugged"
    session = session_for(counter_task.TASK_ID, root, teleop_device="lever", **STATE)
    with driving(session) as driver:
        loaded(driver)
        add_lever(driver.env.cfg)
        for failure in (OSError("No such device"), None):
            message_after(driver, Start(), ticks=1)
            Lever.made.command = torch.zeros(driver.env.action_manager.total_action_dim)
            for _ in range(3):
                driver.tick()
            Lever.made.command = failure
            driver.tick()
            status = session.status
            assert status.state is (SessionState.READY if failure else SessionState.RECORDING)
            if failure:
                assert "'lever' failed: No such device" in status.message.text
        message_after(driver, End(Outcome.SUCCESS), Finish())
        tick_until(driver, SessionState.FINISHED)
    assert [row["success"] for row in episode_table(root)] == [True]


def test_a_task_that_is_chosen_and_not_loaded_is_not_recorded(tmp_path):
    session = session_for(counter_task.TASK_ID, tmp_path / "other", teleop_device="scripted", **STATE)
    with driving(session) as driver:
        loaded(driver)
        status = message_after(driver, Configure({"task": DEMO}), Start())
        assert status.state is SessionState.READY
        assert f"{DEMO} is chosen, but {counter_task.TASK_ID} is loaded" in status.message.text
        assert message_after(driver, Configure({"task": counter_task.TASK_ID}), Start()).state is SessionState.RECORDING


def test_a_folder_that_cannot_be_used_is_said_before_the_environment_is_built(tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    (root / "thesis.txt").write_text("years of work")
    session = session_for(counter_task.TASK_ID, root, teleop_device="scripted", **STATE)
    with driving(session) as driver:
        status = message_after(driver, OpenTask())
        assert status.state is SessionState.IDLE
        assert "thesis.txt" in status.message.text
        assert driver.env is None


def test_a_dataset_removed_while_recording_stops_with_a_message(tmp_path):
    import shutil

    root = tmp_path / "removed"
    session = session_for(counter_task.TASK_ID, root, teleop_device="scripted", **STATE)
    with driving(session) as driver:
        loaded(driver)
        message_after(driver, Start(), ticks=4)
        shutil.rmtree(root)
        session.post(End(Outcome.SUCCESS))
        rest_until(driver, lambda: session.status.counts.lost)
        driver.tick()
        status = session.status
        assert status.message.severity is Severity.ERROR
        assert str(root) in status.message.text
        assert status.state is SessionState.READY
        assert (status.counts.lost, status.counts.saving) == (1, 0)


def test_a_button_that_is_heard_only_when_the_device_is_asked_starts_and_resumes(tmp_path):
    session = session_for(counter_task.TASK_ID, tmp_path / "headset", **STATE)
    with lever_in_hand(session) as driver:
        lever = Lever.made
        lever.button = "START"
        rest_until(driver, lambda: session.state is SessionState.RECORDING)
        lever.button = "STOP"
        tick_until(driver, SessionState.PAUSED)
        frames = session.status.episode_frames
        lever.button = "START"
        rest_until(driver, lambda: session.state is SessionState.RECORDING)
        assert session.status.episode_frames == frames + 1, "no step was made while it was paused"


def test_a_key_resumes_what_a_key_has_paused_and_the_scene_is_drawn_meanwhile(tmp_path, monkeypatch):
    session = session_for(counter_task.TASK_ID, tmp_path / "keys", **STATE)
    own_windows.add(session)
    try:
        with lever_in_hand(session) as driver:
            message_after(driver, Configure({"teleop_device": "zero"}), Configure({"teleop_device": "lever"}))
            drawn, env = [], driver.env

            def pressed(key, state):
                own_windows.key(key, True)
                own_windows.key(key, False)
                rest_until(driver, lambda: session.state is state)

            monkeypatch.setattr(env.sim, "render", lambda: drawn.append(session.state))
            pressed("B", SessionState.RECORDING)  # the very first one, without Record on the panel
            pressed("P", SessionState.PAUSED)
            step = env.common_step_counter
            rest_until(driver, lambda: drawn.count(SessionState.PAUSED) >= 3)
            assert env.common_step_counter == step
            pressed("B", SessionState.RECORDING)
    finally:
        own_windows.remove(session)


def test_a_device_that_starts_and_stops_by_itself_follows_the_recording(tmp_path):
    session = session_for(counter_task.TASK_ID, tmp_path / "follows", **STATE)
    with lever_in_hand(session) as driver:
        lever = Lever.made
        assert lever.running is None
        message_after(driver, Start())
        assert lever.running is True
        lever.callbacks["START"]()  # it says so, as a headset does that was told
        message_after(driver, Pause())
        assert lever.running is False
        lever.callbacks["STOP"]()
        driver.tick()
        assert session.status.message.text == "Paused."


def test_reset_means_the_scene_where_nothing_is_recorded_and_discard_where_something_is(tmp_path):
    session = session_for(counter_task.TASK_ID, tmp_path / "reset", **STATE)
    with lever_in_hand(session) as driver:
        Lever.made.callbacks["RESET"]()
        assert message_after(driver).message.text == "The scene was reset."
        message_after(driver, Start(), ticks=3)
        Lever.made.callbacks["RESET"]()
        assert message_after(driver).counts.discarded == 1


def test_a_device_that_fails_while_nothing_is_recorded_is_said_once_and_can_be_chosen_again(tmp_path):
    session = session_for(counter_task.TASK_ID, tmp_path / "fails", **STATE)
    with lever_in_hand(session) as driver:
        broken = Lever.made
        broken.command = OSError("No such device")
        rest_until(driver, lambda: session.status.message.severity is Severity.ERROR)
        assert "'lever' failed: No such device" in session.status.message.text
        for _ in range(5):
            time.sleep(driver.tick())
        assert Lever.made is broken
        assert message_after(driver, Start(), ticks=1).state is SessionState.RECORDING
        assert Lever.made is not broken


class ResetCounter(counter_task.CounterSource):
    """Counts how often it is told that an episode begins."""

    made = None

    def __init__(self, env, **options):
        super().__init__(env, **options)
        ResetCounter.made = self
        self.resets = 0

    def reset(self, env_ids=None):
        self.resets += 1


gym.register(
    id="Counter-Resets-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        **gym.spec(counter_task.TASK_ID).kwargs,
        "scripted_operator_entry_point": f"{__name__}:ResetCounter",
    },
)


def test_a_device_is_told_once_that_an_episode_has_ended(tmp_path):
    session = session_for("Counter-Resets-v0", tmp_path / "once", teleop_device="scripted", **STATE)
    with driving(session) as driver:
        loaded(driver)
        message_after(driver, Start(), ticks=4)
        for command in (End(Outcome.SUCCESS), Discard(), End(Outcome.FAILURE)):
            before = ResetCounter.made.resets
            message_after(driver, command, ticks=4)
            assert ResetCounter.made.resets == before + 1, command


class TestClock:
    """The counter task's episodes end by the clock after 12 steps; in step 17 it fails."""

    def test_does_not_end_what_a_person_drives(self, tmp_path):
        session = session_for(counter_task.TASK_ID, tmp_path / "person", num_demos=1, **STATE)
        with lever_in_hand(session) as driver:
            session.post(Start())
            tick_until(driver, SessionState.FINISHED)
        assert [row["length"] for row in episode_table(tmp_path / "person")] == [17]

    def test_ends_it_where_that_is_asked_for(self, tmp_path):
        session = session_for(counter_task.TASK_ID, tmp_path / "kept", num_demos=1, keep_time_out=True, **STATE)
        with lever_in_hand(session) as driver:
            session.post(Start())
            tick_until(driver, SessionState.FINISHED)
        assert [row["length"] for row in episode_table(tmp_path / "kept")] == [12]

    def test_goes_on_where_a_script_drives_in_its_place(self, tmp_path):
        session = session_for(counter_task.TASK_ID, tmp_path / "script", **STATE)
        with lever_in_hand(session) as driver:
            message_after(driver, Start(), Discard(), Finish())
            tick_until(driver, SessionState.FINISHED)
            driver.env.common_step_counter = 0
            message_after(driver, Configure({"teleop_device": "scripted", "num_demos": 1}), Start())
            tick_until(driver, SessionState.FINISHED)
        assert [row["length"] for row in episode_table(tmp_path / "script")] == [12]

    def test_gives_a_person_no_other_command_in_mid_episode(self, tmp_path):
        session = session_for("Counter-Commands-v0", tmp_path / "commands", **STATE)
        with lever_in_hand(session) as driver:
            drawn = driver.env.command_manager.get_term("number").drawn
            message_after(driver, Start(), ticks=10)
            assert session.status.episode_frames >= 9
            assert len(drawn) == 1
            message_after(driver, Discard(), Finish())
            tick_until(driver, SessionState.FINISHED)
            drawn.clear()
            message_after(driver, Configure({"teleop_device": "scripted"}), Start(), ticks=10)
            assert len(drawn) >= 2, "a script goes on getting new ones"


class NumberCommand(CommandTerm):
    """Draws a number every three steps."""

    def __init__(self, cfg, env):
        super().__init__(cfg, env)
        self.drawn = []

    @property
    def command(self):
        return torch.full((self.num_envs, 1), float(len(self.drawn)))

    def _resample_command(self, env_ids):
        self.drawn.append(env_ids)

    def _update_command(self):
        pass

    def _update_metrics(self):
        pass


@configclass
class NumberCommandCfg(CommandTermCfg):
    class_type: type = NumberCommand
    resampling_time_range: tuple = (0.1, 0.1)


@configclass
class CommandsCfg:
    number: NumberCommandCfg = NumberCommandCfg()


@configclass
class CounterWithCommandsCfg(counter_task.CounterEnvCfg):
    commands: CommandsCfg = CommandsCfg()


gym.register(
    id="Counter-Commands-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        **gym.spec(counter_task.TASK_ID).kwargs,
        "env_cfg_entry_point": f"{__name__}:CounterWithCommandsCfg",
    },
)


def test_an_environment_is_closed_even_where_the_recorder_cannot_leave_it_in_order(tmp_path, monkeypatch):
    session = session_for(counter_task.TASK_ID, tmp_path / "closed", teleop_device="scripted", **STATE)
    with driving(session) as driver:
        loaded(driver)

        def stuck(self):
            raise RuntimeError("somebody holds on to the hook")

        with monkeypatch.context() as broken:
            broken.setattr(MethodHooks, "remove", stuck)
            message_after(driver, CloseTask())
        assert session.state is SessionState.IDLE
        assert loaded(driver).state is SessionState.READY

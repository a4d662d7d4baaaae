"""The driver: the demo task recorded by its scripted operator, and everything that can go wrong on the way."""

import contextlib

import numpy as np
import torch

from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.recording import (
    Configure,
    Discard,
    End,
    Finish,
    OpenTask,
    Outcome,
    SessionState,
    Severity,
    Start,
)
from isaac_lerobot.sim.drive.driver import Driver
from on_disk import columns, episode_table
from sim import counter_task
from sim.lever import Lever, add_lever
from sim.recordings import message_after, run, session_for, tick_until

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
        for _ in range(200):
            driver.tick()
            if session.status.counts.lost:
                break
        driver.tick()
        status = session.status
        assert status.message.severity is Severity.ERROR
        assert str(root) in status.message.text
        assert status.state is SessionState.READY
        assert (status.counts.lost, status.counts.saving) == (1, 0)

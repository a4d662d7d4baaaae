"""The proof of pairing: every row holds the observation at t and the action applied at t, across resets.

``Counter-v0`` makes it visible: its observation counts steps, its action is a known function of the observation.
"""

import numpy as np
import pytest
import torch

from isaac_lerobot.recording import SessionState
from isaac_lerobot.sim.drive.driver import Driver
from on_disk import columns, episode_table
from sim import counter_task
from sim.recordings import by_episode, run, session_for


@pytest.mark.parametrize("num_envs", [1, 4])
def test_every_row_pairs_observation_and_action_of_the_same_step(tmp_path, num_envs):
    session = session_for(
        counter_task.TASK_ID,
        tmp_path / "counted",
        num_envs=num_envs,
        teleop_device="scripted",
        state_keys=["policy/step", "policy/env_id", "policy/global_step"],
        observation_keys=["flat/step", "flat/global_step", "flat/cube_pos"],
        num_demos=8 * num_envs,
    )
    driver = Driver(session)
    try:
        status = run(driver)
    finally:
        driver.shutdown()
    assert status.state is SessionState.FINISHED
    assert status.counts.saved == 8 * num_envs

    values = columns(tmp_path / "counted")
    step, env_id, global_step = values["observation.state"].T
    expected = counter_task.expected_action(*(torch.from_numpy(part) for part in (step, env_id, global_step)))
    np.testing.assert_array_equal(values["action"], expected.numpy())
    np.testing.assert_array_equal(step, values["frame_index"])
    np.testing.assert_array_equal(values["timestamp"], (values["frame_index"] / 30).astype(np.float32))

    # The same terms cut out of a concatenated group, where they stand in another order around a vector.
    np.testing.assert_array_equal(values["observation.step"].ravel(), step)
    np.testing.assert_array_equal(values["observation.global_step"].ravel(), global_step)
    assert values["observation.cube_pos"].shape == (len(step), 3)

    lengths = {env: [] for env in range(num_envs)}
    for episode in by_episode(values):
        step, env, steps = episode["observation.state"].T
        assert len(set(env)) == 1, "an episode is of one environment"
        np.testing.assert_array_equal(np.diff(steps), 1)
        lengths[int(env[0])].append(len(step))
    # What counter_task promises: a time-out after 12 steps, a failure when the environment's turn comes.
    assert lengths[0][:4] == [12, 5, 12, 5]
    for env in range(1, num_envs):
        assert lengths[env][:3] == [4 * env, 12, 5]


def test_an_episode_that_ends_by_itself_is_closed_and_judged(tmp_path):
    """Without a success term the operator judges: a failure term is a failure, a time-out is undecided."""
    session = session_for(
        counter_task.TASK_ID, tmp_path / "judged", teleop_device="scripted", state_keys=["policy/step"], num_demos=4
    )
    driver = Driver(session)
    try:
        run(driver)
    finally:
        driver.shutdown()
    assert [(row["length"], row["success"]) for row in episode_table(tmp_path / "judged")] == [
        (12, None),
        (5, False),
        (12, None),
        (5, False),
    ]

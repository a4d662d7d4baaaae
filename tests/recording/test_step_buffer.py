"""The rows of many environments on their way to their episodes."""

from __future__ import annotations

import numpy as np
import pytest

from isaac_lerobot.errors import FeatureError
from isaac_lerobot.recording.step_buffer import StepBuffer


class Episodes:
    """Keeps the rows that a buffer hands over, by environment."""

    def __init__(self, num_envs):
        self.rows = {env_id: [] for env_id in range(num_envs)}
        self.blocks = []

    def __call__(self, env_id, rows):
        self.rows[env_id] += rows["value"].tolist()
        self.blocks.append((env_id, len(rows["value"])))


def values(step, num_envs):
    return {"value": np.arange(num_envs, dtype=np.float64)[:, None] * 1000 + step}


@pytest.mark.parametrize("num_envs", [1, 3, 200])
def test_every_environment_gets_its_rows_in_order_over_hundreds_of_steps(num_envs):
    episodes = Episodes(num_envs)
    buffer = StepBuffer(num_envs, episodes)
    for step in range(300):
        buffer.append(np.arange(num_envs), values(step, num_envs))
    for env_id in range(num_envs):
        buffer.hand_over(env_id)
        assert episodes.rows[env_id] == [[1000.0 * env_id + step] for step in range(300)]
    assert len(episodes.blocks) < 300 * num_envs / 20, "in blocks, not step by step"


def test_environments_come_and_go():
    """Whatever set of environments a step is of, each gets the rows of its own steps, in order."""
    num_envs, rng = 9, np.random.default_rng(1)
    episodes, expected = Episodes(num_envs), {env_id: [] for env_id in range(num_envs)}
    buffer = StepBuffer(num_envs, episodes)
    for step in range(500):
        env_ids = np.flatnonzero(rng.random(num_envs) < 0.8)
        buffer.append(env_ids, values(step, num_envs))
        for env_id in env_ids.tolist():
            expected[env_id].append([1000.0 * env_id + step])
        if step % 50 == 49:
            env_id = int(rng.integers(num_envs))
            buffer.hand_over(env_id)
            assert episodes.rows[env_id] == expected[env_id]
    for env_id in range(num_envs):
        buffer.hand_over(env_id)
    assert episodes.rows == expected


def test_rows_that_are_thrown_away_are_gone():
    episodes = Episodes(2)
    buffer = StepBuffer(2, episodes)
    for step in range(5):
        buffer.append(np.arange(2), values(step, 2))
    buffer.forget(0)
    buffer.append(np.arange(2), values(5, 2))
    for env_id in range(2):
        buffer.hand_over(env_id)
    assert episodes.rows == {0: [[5.0]], 1: [[1000.0 + step] for step in range(6)]}


def test_another_shape_or_dtype_in_mid_recording_is_named():
    buffer = StepBuffer(2, Episodes(2))
    buffer.append(np.arange(2), values(0, 2))
    with pytest.raises(FeatureError, match=r"'value' was float64 \(2, 1\) .* float32 \(2, 1\)"):
        buffer.append(np.arange(2), {"value": np.zeros((2, 1), np.float32)})
    with pytest.raises(FeatureError, match=r"'value' .* missing"):
        buffer.append(np.arange(2), {"other": np.zeros((2, 1))})

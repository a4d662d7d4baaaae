"""The one recorder: success that has to hold, and what a step and a reset do to the device and the data."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from isaaclab.managers import TerminationTermCfg
from isaaclab.utils import configclass

from isaac_lerobot.dataset import DatasetReader
from isaac_lerobot.recording import Discard, End, Finish, OpenTask, Outcome, SessionState, Start
from isaac_lerobot.sim.drive.driver import Driver
from on_disk import columns, episode_table
from sim import counter_task
from sim.recordings import by_episode, run, session_for, tick_until

TASK_ID = "Counter-Success-v0"
STATE = {"state_keys": ["policy/step"]}
HOLDS_FROM = 4
"""Step of an episode from which on the success term holds."""


def holds(env: Any) -> torch.Tensor:
    """Whether the task is solved: late enough in the episode, and not at every fifth step of env 1."""
    slips = (torch.arange(env.num_envs, device=env.device) == 1) & (env.episode_length_buf == HOLDS_FROM + 2)
    return (env.episode_length_buf >= HOLDS_FROM) & ~slips


@configclass
class SuccessCfg(counter_task.TerminationsCfg):
    success = TerminationTermCfg(func=holds)
    failure = None


@configclass
class CounterSuccessEnvCfg(counter_task.CounterEnvCfg):
    terminations: SuccessCfg = SuccessCfg()


class WitnessSource(counter_task.CounterSource):
    """Notes at which of its steps it was reset."""

    made: list[WitnessSource] = []  # noqa: RUF012 - the last one is what a test looks at

    def __init__(self, env: Any, *, seed: int = 0, fail: bool = False) -> None:
        super().__init__(env, seed=seed, fail=fail)
        self.steps, self.resets = 0, []
        self.made[:] = [self]

    def reset(self, env_ids: Any = None) -> None:
        self.resets.append(self.steps)

    def advance(self) -> torch.Tensor:
        self.steps += 1
        return super().advance()


if TASK_ID not in gym.registry:
    gym.register(
        id=TASK_ID,
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={
            "env_cfg_entry_point": f"{__name__}:CounterSuccessEnvCfg",
            "scripted_operator_entry_point": f"{__name__}:WitnessSource",
        },
    )


def recording(root, **values):
    return session_for(TASK_ID, root, teleop_device="scripted", num_success_steps=3, **STATE, **values)


def test_an_episode_ends_once_success_has_held_and_the_device_begins_anew_once(tmp_path):
    driver = Driver(recording(tmp_path / "held", num_demos=3))
    try:
        assert run(driver).counts.succeeded == 3
        assert driver.session.state is SessionState.FINISHED
    finally:
        driver.shutdown()
    length = HOLDS_FROM + 2
    assert [(row["length"], row["success"]) for row in episode_table(tmp_path / "held")] == [(length, True)] * 3
    for episode in by_episode(columns(tmp_path / "held")):
        np.testing.assert_array_equal(episode["observation.state"].ravel(), np.arange(length))
    assert WitnessSource.made[0].resets == [0, length, 2 * length, 3 * length]


def test_success_that_slips_is_counted_anew_in_its_own_environment(tmp_path):
    driver = Driver(recording(tmp_path / "slips", num_envs=2, num_demos=2))
    try:
        run(driver)
    finally:
        driver.shutdown()
    frames = list(by_episode(columns(tmp_path / "slips")))
    assert [len(episode["action"]) for episode in frames] == [HOLDS_FROM + 2, HOLDS_FROM + 5]


def test_an_environment_that_succeeds_leaves_the_others_alone(tmp_path, make_env):
    """No reset comes from outside, so observations of the others are computed once per step."""
    session = recording(tmp_path / "alone", num_envs=2)
    driver = Driver(session)
    try:
        session.post(OpenTask())
        tick_until(driver, SessionState.READY)
        session.post(Start())
        calls = []
        reset = driver.env.reset
        driver.env.reset = lambda *args, **kwargs: calls.append(1) or reset(*args, **kwargs)
        for _ in range(20):
            driver.tick()
        assert session.status.counts.succeeded >= 3
        assert not calls
    finally:
        driver.shutdown()


def test_after_discard_and_hand_ended_episodes_the_device_begins_anew_once(tmp_path):
    session = recording(tmp_path / "hand", success="manual")
    driver = Driver(session)
    try:
        session.post(OpenTask())
        tick_until(driver, SessionState.READY)
        session.post(Start())
        for command in (Discard(), End(Outcome.SUCCESS), Discard()):
            for _ in range(3):
                driver.tick()
            session.post(command)
        driver.tick()
        assert WitnessSource.made[0].resets == [0, 3, 6, 9]
    finally:
        driver.shutdown()


def test_where_a_person_judges_the_term_ends_nothing(tmp_path):
    driver = Driver(recording(tmp_path / "manual", success="manual", num_demos=1))
    try:
        run(driver)
    finally:
        driver.shutdown()
    assert [(row["length"], row["success"]) for row in episode_table(tmp_path / "manual")] == [(12, None)]


def test_a_reset_asked_for_in_isaac_labs_window_is_no_failure(tmp_path):
    session = recording(tmp_path / "button")
    driver = Driver(session)
    try:
        session.post(OpenTask())
        tick_until(driver, SessionState.READY)
        session.post(Start())
        for step in range(4):
            if step == 3:
                driver.env.sim.request_reset()
            driver.tick()
        session.post(Finish())
        tick_until(driver, SessionState.FINISHED)
    finally:
        driver.shutdown()
    assert [(row["length"], row["success"]) for row in episode_table(tmp_path / "button")] == [(4, None)]


def test_states_are_kept_for_every_environment_with_its_own_first_and_last(tmp_path):
    driver = Driver(recording(tmp_path / "states", num_envs=3, num_demos=3))
    try:
        run(driver)
    finally:
        driver.shutdown()
    dataset = DatasetReader(tmp_path / "states")
    path = "rigid_object/cube/root_pose"
    for index in range(dataset.num_episodes):
        kept = dataset.episode(index).sidecar()
        np.testing.assert_array_equal(kept.arrays[f"initial_state/{path}"], kept.frames[f"state/{path}"][0])
        assert kept.arrays[f"final_state/{path}"].shape == (7,)

"""The demo task, for real: Isaac Lab on Newton on the CPU."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from isaaclab.utils.math import quat_box_minus

import isaac_lerobot
from isaac_lerobot.app.demo_task import HAND_TASK_ID, TASK_ID
from isaac_lerobot.sim.drive.devices import make_source
from sim.blind import HAND_WITHOUT_PICTURES, WITHOUT_PICTURES

HELD_STEPS = 10


@pytest.fixture(scope="module")
def arms(make_module_env):
    """Five arms without cameras, which go on after a success."""
    return make_module_env(TASK_ID, num_envs=5, **WITHOUT_PICTURES, **{"terminations.success": None})


def held(env):
    from isaac_lerobot.app.demo_task.env_cfg import TerminationsCfg

    params = TerminationsCfg().success.params
    return TerminationsCfg().success.func(env, **params)


def steps_held_at_once(env, source, steps):
    """The longest run of steps for which each env's cube was held above the height."""
    run = torch.zeros(env.num_envs)
    longest = torch.zeros(env.num_envs)
    for _ in range(steps):
        env.step(source.advance())
        run = torch.where(held(env), run + 1, 0.0)
        longest = torch.maximum(longest, run)
    return longest


class TestOperator:
    def test_picks_the_cube_in_at_least_nine_of_ten_resets(self, arms):
        successes = 0
        for seed in (11, 12):
            arms.reset(seed=seed)
            source = make_source("scripted", arms, task_id=TASK_ID)
            successes += int((steps_held_at_once(arms, source, 100) >= HELD_STEPS).sum())
        assert successes >= 9

    def test_each_env_is_in_its_own_phase(self, arms):
        arms.reset(seed=13)
        source = make_source("scripted", arms, task_id=TASK_ID)
        steps_held_at_once(arms, source, 40)
        arms.reset(env_ids=torch.tensor([1, 3]))
        source.reset([1, 3])
        longest = steps_held_at_once(arms, source, 100)
        assert (longest >= HELD_STEPS).all()
        assert longest[0] > longest[1] + 30

    def test_told_to_fail_it_never_lifts_the_cube(self, arms):
        arms.reset(seed=14)
        before = arms.obs_buf["policy"]["cube_pos"].clone()
        source = make_source("scripted-fail", arms, task_id=TASK_ID)
        assert steps_held_at_once(arms, source, 110).max() == 0
        after = arms.obs_buf["policy"]["cube_pos"]
        assert (after - before).abs().max() < 0.01
        assert arms.obs_buf["policy"]["eef_pos"][:, 2].min() > 0.1  # it did go through the motions


class TestReset:
    def test_a_seed_gives_the_same_cubes_again(self, arms):
        first = arms.reset(seed=5)[0]["policy"]["cube_pos"].clone()
        second = arms.reset(seed=6)[0]["policy"]["cube_pos"].clone()
        assert torch.equal(arms.reset(seed=5)[0]["policy"]["cube_pos"], first)
        assert not torch.allclose(first, second, atol=1e-3)

    def test_places_the_cube_before_the_arm_and_the_arm_at_home(self, arms):
        arms.reset(seed=7)
        policy = arms.obs_buf["policy"]
        cube = policy["cube_pos"]
        assert ((cube[:, 0] > 0.19) & (cube[:, 0] < 0.31) & (cube[:, 1].abs() < 0.13)).all()
        assert torch.allclose(cube[:, 2], torch.full((5,), 0.02), atol=1e-4)
        assert torch.allclose(policy["gripper"], torch.full((5, 1), 0.07), atol=1e-4)
        assert torch.allclose(policy["eef_pos"], policy["eef_pos"][:1].expand(5, 3), atol=1e-4)


@pytest.fixture(scope="module")
def task(make_module_env):
    """Two envs as they are registered."""
    return make_module_env(TASK_ID, num_envs=2)


class TestTask:
    def test_observes_separate_terms(self, task):
        policy = task.reset(seed=1)[0]["policy"]
        shapes = {name: tuple(value.shape) for name, value in policy.items()}
        assert shapes == {
            "joint_pos": (2, 7),
            "joint_vel": (2, 7),
            "eef_pos": (2, 3),
            "gripper": (2, 1),
            "cube_pos": (2, 3),
            "front_rgb": (2, 120, 160, 3),
            "wrist_rgb": (2, 120, 160, 3),
        }
        for name, value in policy.items():
            assert value.dtype == (torch.uint8 if name.endswith("rgb") else torch.float32)

    def test_runs_at_thirty_frames_per_second(self, task):
        assert 1.0 / task.step_dt == 30.0
        assert task.max_episode_length == 600

    def test_takes_joint_positions_and_the_gripper_opening(self, task):
        manager = task.action_manager
        assert manager.active_terms == ["arm", "gripper"]
        assert manager.total_action_dim == 6
        names = [name for term in manager.active_terms for name in manager.get_term(term)._joint_names]
        expected = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
        assert names == expected

    def test_terms_end_the_episode(self, task):
        assert task.termination_manager.active_terms == ["time_out", "cube_dropped", "success"]

    @pytest.mark.parametrize("seed", [21, 22, 23])
    def test_the_first_picture_after_a_reset_shows_the_new_scene(self, task, seed):
        task.reset(seed=seed)
        assert_cubes_are_where_the_pictures_show_them(task)

    def test_the_first_picture_of_an_episode_after_a_time_out_shows_the_new_scene(self, task):
        task.reset(seed=24)
        before = task.obs_buf["policy"]["cube_pos"].clone()
        task.episode_length_buf[:] = torch.tensor([0, task.max_episode_length - 1])
        task.step(make_source("zero", task, task_id=TASK_ID).advance())
        assert task.reset_time_outs.tolist() == [False, True]
        assert (task.obs_buf["policy"]["cube_pos"][1] - before[1])[:2].abs().max() > 0.005
        assert_cubes_are_where_the_pictures_show_them(task)

    def test_ends_when_the_cube_is_held_up(self, task):
        task.reset(seed=25)
        source = make_source("scripted", task, task_id=TASK_ID)
        ended = torch.zeros(2, dtype=torch.bool)
        for _ in range(90):
            task.step(source.advance())
            ended |= task.termination_manager.get_term("success")
            if ended.all():
                break
            source.reset(task.reset_buf.nonzero().flatten().tolist())
        assert ended.all()

    def test_ends_when_the_cube_leaves_the_table(self, task):
        task.reset(seed=26)
        cube = task.scene["cube"]
        pose = cube.data.root_pose_w.torch.clone()
        pose[0, 0] += 0.6
        cube.write_root_pose_to_sim_index(root_pose=pose)
        source = make_source("zero", task, task_id=TASK_ID)
        for _ in range(15):
            task.step(source.advance())
            if task.reset_buf.any():
                break
        assert task.termination_manager.get_term("cube_dropped").tolist() == [True, False]


def assert_cubes_are_where_the_pictures_show_them(env):
    for picture, position in zip(
        env.obs_buf["policy"]["front_rgb"].numpy(), env.obs_buf["policy"]["cube_pos"].numpy(), strict=True
    ):
        red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
        rows, columns = np.nonzero((red > 60) & (red > 2.5 * green) & (red > 2.5 * blue))
        assert len(rows) > 10, "no cube in the picture"
        assert np.hypot(*(np.array([columns.mean(), rows.mean()]) - seen_by_front(env, position))) < 3.0


def seen_by_front(env, position):
    """Column and row [px] at which the front camera sees a point of the env's frame."""
    cfg = env.cfg.scene.front
    x, y, z, w = cfg.offset.rot
    axes = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    ahead, left, up = axes.T @ (position - np.array(cfg.offset.pos))
    focal = cfg.spawn.focal_length / cfg.spawn.horizontal_aperture * cfg.width
    return np.array([cfg.width / 2 - focal * left / ahead, cfg.height / 2 - focal * up / ahead])


class TestArm:
    def test_file_is_written_once_and_whole_by_processes_that_race(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        script = "from isaac_lerobot.app.demo_task.arm_usd import arm_usd_path; print(arm_usd_path())"
        monkeypatch.setenv("PYTHONPATH", str(Path(isaac_lerobot.__file__).parents[1]))
        processes = [
            subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(3)
        ]
        paths = [process.communicate(timeout=120)[0].strip() for process in processes]
        assert len(set(paths)) == 1
        assert [path.name for path in (tmp_path / "isaac-lerobot").iterdir()] == [Path(paths[0]).name]
        from pxr import Usd

        assert Usd.Stage.Open(paths[0]).GetDefaultPrim().GetName() == "Arm"

    def test_inverse_kinematics_reach_what_they_say(self):
        from isaac_lerobot.app.demo_task.geometry import FOREARM, HAND, JOINT_LIMITS, SHOULDER_HEIGHT, UPPER_ARM
        from isaac_lerobot.app.demo_task.kinematics import joint_angles_above

        target = torch.tensor([[0.20, 0.12, 0.018], [0.30, -0.12, 0.018], [0.25, 0.0, 0.14], [0.30, 0.12, 0.14]])
        angles = joint_angles_above(target, torch.tensor([0.0, 0.7, -0.7, 0.3]))
        pan, lift, elbow, wrist, _ = angles.unbind(-1)
        assert torch.allclose(lift + elbow + wrist, torch.full((4,), math.pi))
        radius = UPPER_ARM * lift.sin() + FOREARM * (lift + elbow).sin()
        height = SHOULDER_HEIGHT + UPPER_ARM * lift.cos() + FOREARM * (lift + elbow).cos() - HAND
        reached = torch.stack((radius * pan.cos(), radius * pan.sin(), height), dim=-1)
        assert torch.allclose(reached, target, atol=1e-5)
        limits = torch.tensor(list(JOINT_LIMITS.values()))
        assert ((angles > limits[:, 0]) & (angles < limits[:, 1])).all()


@pytest.fixture(scope="module")
def hands(make_module_env):
    """Five arms that take the hand's movements, as ``arms`` are otherwise."""
    return make_module_env(HAND_TASK_ID, num_envs=5, **HAND_WITHOUT_PICTURES, **{"terminations.success": None})


def moved(env, command, steps=30):
    """How the first env's hand has moved [m] and turned [rad] after some steps with a key held."""
    robot = env.scene["robot"]
    hand = robot.body_names.index("hand")

    def pose():
        return env.obs_buf["policy"]["eef_pos"].clone(), robot.data.body_quat_w.torch[:, hand].clone()

    before = pose()
    action = torch.tensor([*command, 1.0]).repeat(env.num_envs, 1)
    for _ in range(steps):
        env.step(action)
    after = pose()
    return (after[0] - before[0])[0], quat_box_minus(after[1], before[1])[0]


class TestHand:
    """Driven with the numbers that the keyboard gives."""

    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_moves_straight_along_each_axis(self, hands, axis, sign):
        hands.reset(seed=1)
        command = [0.0] * 6
        command[axis] = 0.2 * sign
        way, turn = moved(hands, command, steps=20)
        assert sign * way[axis] > 0.07
        way[axis] = 0.0
        assert way.norm() < 0.01
        assert turn.norm() < 0.1

    @pytest.mark.parametrize("axis", [1, 2])
    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_turns_on_the_spot(self, hands, axis, sign):
        hands.reset(seed=1)
        command = [0.0] * 6
        command[3 + axis] = 0.5 * sign
        way, turn = moved(hands, command, steps=20)
        assert sign * turn[axis] > 0.25
        assert way.norm() < 0.01

    def test_is_not_carried_away_by_a_turn_that_five_joints_cannot_make(self, hands):
        hands.reset(seed=1)
        moved(hands, [0.0, 0.2, 0.0, 0.0, 0.0, 0.0], steps=20)  # to one side, where it would cost most
        way, _ = moved(hands, [0.0, 0.0, 0.0, 0.5, 0.0, 0.0])
        assert way.norm() < 0.02

    def test_stands_still_without_a_command(self, hands):
        hands.reset(seed=1)
        way, turn = moved(hands, [0.0] * 6, steps=60)
        assert way.norm() < 0.002
        assert turn.norm() < 0.01

    def test_is_driven_by_a_script_as_well(self, hands):
        successes = 0
        for seed in (11, 12):
            hands.reset(seed=seed)
            source = make_source("scripted", hands, task_id=HAND_TASK_ID)
            successes += int((steps_held_at_once(hands, source, 100) >= HELD_STEPS).sum())
        assert successes >= 9

    def test_of_a_script_that_is_to_fail_lifts_nothing(self, hands):
        hands.reset(seed=14)
        source = make_source("scripted-fail", hands, task_id=HAND_TASK_ID)
        assert steps_held_at_once(hands, source, 110).max() == 0

    def test_has_two_minutes(self, hands):
        assert hands.max_episode_length_s == 120.0
        assert hands.action_manager.total_action_dim == 7

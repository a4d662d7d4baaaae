"""Teleop sources, with real envs; devices that this machine does not have are asked for and refused."""

from __future__ import annotations

import threading

import pytest
import torch
from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry
from torch.utils._python_dispatch import TorchDispatchMode

from isaac_lerobot.app.demo_task import HAND_TASK_ID as HAND
from isaac_lerobot.app.demo_task import TASK_ID as PICK_CUBE
from isaac_lerobot.errors import DeviceError
from isaac_lerobot.sim.drive.devices import (
    EventQueue,
    TeleopEvent,
    available_devices,
    make_source,
)
from isaac_lerobot.sim.drive.devices.action_range import action_range
from isaac_lerobot.sim.drive.devices.wander import LEG_STEPS
from sim.blind import WITHOUT_PICTURES
from sim.counter_task import TASK_ID as COUNTER
from sim.counter_task import expected_action
from sim.lever import Lever, add_lever


@pytest.fixture(scope="module")
def env(make_module_env):
    """The demo task without cameras, three times."""
    env = make_module_env(PICK_CUBE, num_envs=3, **WITHOUT_PICTURES)
    env.reset(seed=0)
    return env


class TestZero:
    def test_gives_zeros(self, env):
        source = make_source("zero", env, task_id=PICK_CUBE)
        assert torch.equal(source.advance(), torch.zeros(3, 6))
        assert source.events() == []
        source.close()


class TestRandom:
    def test_stays_within_the_limits_and_uses_them(self, env):
        limits = action_range(env)
        joints = env.scene["robot"].data.soft_joint_pos_limits.torch[:, :5]
        assert torch.allclose(limits.low[:, :5], joints[..., 0])
        assert torch.allclose(limits.high[:, :5], joints[..., 1])
        assert torch.allclose(limits.low[:, 5], torch.zeros(3))
        assert torch.allclose(limits.high[:, 5], torch.full((3,), 0.07))

        source = make_source("random", env, task_id=PICK_CUBE, seed=1)
        actions = torch.stack([source.advance() for _ in range(40 * LEG_STEPS)])
        assert (actions >= limits.low).all()
        assert (actions <= limits.high).all()
        spread = (actions.amax(dim=(0, 1)) - actions.amin(dim=(0, 1))) / (limits.high[0] - limits.low[0])
        assert (spread > 0.9).all()

    def test_is_the_same_for_the_same_seed(self, env):
        def actions(seed):
            source = make_source("random", env, task_id=PICK_CUBE, seed=seed)
            first = [source.advance() for _ in range(45)]
            source.reset([1])
            return torch.stack(first + [source.advance() for _ in range(45)])

        assert torch.equal(actions(3), actions(3))
        assert not torch.equal(actions(3), actions(4))
        assert not torch.equal(actions(None), actions(None))

    def test_moves_smoothly_from_where_an_episode_begins(self, env):
        limits = action_range(env)
        source = make_source("random", env, task_id=PICK_CUBE, seed=5)
        for _ in range(10):
            source.advance()
        source.reset([0, 2])
        action = source.advance()
        longest = (limits.high - limits.low) / LEG_STEPS
        assert ((action - limits.rest).abs() <= longest + 1e-5)[[0, 2]].all()
        home = env.scene["robot"].data.default_joint_pos.torch[:, :5]
        assert torch.allclose(limits.rest[:, :5], home)

    def test_asks_the_device_for_no_number_while_it_steps(self, env):
        source = make_source("random", env, task_id=PICK_CUBE, seed=7)
        with NumbersAsked() as asked:
            for _ in range(2 * LEG_STEPS):
                source.advance()
        assert asked.count == 0

    def test_the_env_survives_it(self, env):
        source = make_source("random", env, task_id=PICK_CUBE, seed=6)
        env.reset(seed=6)
        for _ in range(60):
            env.step(source.advance())
        assert torch.isfinite(env.obs_buf["policy"]["joint_pos"]).all()


class NumbersAsked(TorchDispatchMode):
    """Counts how often a tensor's value is asked for in Python, which on a GPU waits for everything before it."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


class TestAbsentDevices:
    @pytest.mark.parametrize(
        ("task", "name", "reason"),
        [
            (HAND, "keyboard", "needs Isaac Sim's window"),
            (HAND, "gamepad", "needs Isaac Sim's window"),
            (HAND, "spacemouse", "is not plugged in"),
            (PICK_CUBE, "handtracking", "is not configured by this task"),
            (PICK_CUBE, "keyboard", "moves a hand, but this task's action 'arm' is something else"),
            (PICK_CUBE, "spacemouse", "moves a hand, but this task's action 'arm' is something else"),
        ],
    )
    def test_are_refused_with_the_reason_and_what_works(self, env, task, name, reason):
        cfg = load_cfg_from_registry(task, "env_cfg_entry_point")
        offer = {offer.name: offer for offer in available_devices(cfg, task)}[name]
        assert not offer.available
        assert offer.reason.startswith(reason)
        if task == PICK_CUBE:
            with pytest.raises(
                DeviceError, match=f"'{name}' {reason}.*here: auto, scripted, scripted-fail, zero, random"
            ):
                make_source(name, env, task_id=PICK_CUBE)

    def test_an_unknown_name_is_answered_with_the_nearest(self, env):
        with pytest.raises(DeviceError, match=r"no teleop device 'scriptd'.*'scripted'"):
            make_source("scriptd", env, task_id=PICK_CUBE)

    def test_a_task_without_an_operator_has_no_scripted_source(self, env):
        with pytest.raises(DeviceError, match="'scripted' is not offered by this task"):
            make_source("scripted", env, task_id="Isaac-Reach-Franka")

    def test_offers_have_a_label_each(self, env):
        offers = available_devices(env.cfg, PICK_CUBE)
        names = [offer.name for offer in offers if offer.available]
        assert names == ["auto", "scripted", "scripted-fail", "zero", "random"]
        assert all(offer.label and (offer.available or offer.reason) for offer in offers)
        assert len({offer.name for offer in offers}) == len(offers)


class TestWhereNobodyHasChosen:
    def test_the_scripted_operator_drives_where_there_is_no_window(self, env):
        offer = available_devices(env.cfg, PICK_CUBE)[0]
        assert (offer.name, offer.stands_for, offer.label) == ("auto", "scripted", "Automatic: Scripted operator")
        chosen, named = (make_source(name, env, task_id=PICK_CUBE) for name in ("auto", "scripted"))
        assert torch.equal(chosen.advance(), named.advance())

    def test_a_task_that_nothing_here_can_drive_says_why_not(self, env):
        with pytest.raises(
            DeviceError, match=r"'auto' finds nothing.*'keyboard' moves a hand.*'scripted' is not offered"
        ):
            make_source("auto", env, task_id="Isaac-Reach-Franka")


class TestHandMovements:
    """Which of Isaac Lab's own tasks the keyboard is offered for, by the kind of their action."""

    @pytest.mark.parametrize(
        ("task", "reason"),
        [
            ("Isaac-Reach-Franka", "is something else (JointPositionActionCfg)"),
            ("Isaac-Reach-UR10", "is something else (JointPositionActionCfg)"),
            ("Isaac-Reach-Franka-OSC", "takes where the hand is to be"),
            ("IsaacContrib-Lift-Cube-Franka-IK-Abs", "takes where the hand is to be"),
            ("IsaacContrib-Lift-Cube-Franka-IK-Rel", ""),
        ],
    )
    def test_are_told_from_joints_and_from_poses(self, task, reason):
        cfg = resolved(task)
        offers = {offer.name: offer for offer in available_devices(cfg, task)}
        for device in ("keyboard", "gamepad"):
            expected = reason or "needs Isaac Sim's window"
            assert expected in offers[device].reason

    def test_are_not_asked_about_where_the_task_names_the_device_itself(self):
        task = "IsaacContrib-Place-Mug-Agibot-Left-Arm-RmpFlow"
        offers = {offer.name: offer for offer in available_devices(resolved(task), task)}
        assert offers["keyboard"].reason.startswith("needs Isaac Sim's window")


def resolved(task):
    """A task's configuration, with its presets at their defaults."""
    from isaaclab_tasks.utils.parse_cfg import parse_env_cfg

    return parse_env_cfg(task, device="cpu", num_envs=1)


class TestDevicesOfTheTask:
    @pytest.fixture
    def with_lever(self, env):
        add_lever(env.cfg)
        yield Lever
        del env.cfg.teleop_devices.devices["lever"]

    def test_its_command_is_repeated_in_every_env(self, env, with_lever):
        source = make_source("lever", env, task_id=PICK_CUBE)
        assert source.advance() is None
        with_lever.made.command = torch.arange(6, dtype=torch.float64)
        assert torch.equal(source.advance(), torch.arange(6.0).repeat(3, 1))

    def test_its_buttons_become_events_from_any_thread(self, env, with_lever):
        source = make_source("lever", env, task_id=PICK_CUBE)
        assert source.events() == []
        threads = [threading.Thread(target=with_lever.made.callbacks[key]) for key in ("START", "STOP", "RESET")]
        for thread in threads:
            thread.start()
            thread.join()
        assert source.events() == [TeleopEvent.START, TeleopEvent.STOP, TeleopEvent.RESET]
        assert source.events() == []

    def test_a_command_of_another_width_is_an_error_that_names_both(self, env, with_lever):
        source = make_source("lever", env, task_id=PICK_CUBE)
        with_lever.made.command = torch.zeros(7)
        with pytest.raises(DeviceError, match=r"'lever' gives 7 numbers.*takes 6: arm \(5\), gripper \(1\)"):
            source.advance()

    def test_raw_data_is_an_error(self, env, with_lever):
        source = make_source("lever", env, task_id=PICK_CUBE)
        with_lever.made.command = {"shoulder": 0.1}
        with pytest.raises(DeviceError, match="gives dict data, not an action"):
            source.advance()

    def test_what_the_device_raises_is_said(self, env, with_lever):
        source = make_source("lever", env, task_id=PICK_CUBE)
        with_lever.made.command = OSError("No such device")
        with pytest.raises(DeviceError, match=r"'lever' failed: No such device.*connected"):
            source.advance()

    def test_is_reset_with_all_envs_and_let_go_when_closed(self, env, with_lever):
        source = make_source("lever", env, task_id=PICK_CUBE)
        before = with_lever.made.resets
        source.reset()
        source.reset([1])
        assert with_lever.made.resets == before + 1
        source.close()
        source.close()
        assert source.advance() is None


class TestEventQueue:
    def test_loses_nothing_between_threads(self):
        queue = EventQueue()

        def press():
            for _ in range(500):
                queue.put(TeleopEvent.SUCCESS)

        threads = [threading.Thread(target=press) for _ in range(4)]
        for thread in threads:
            thread.start()
        received = 0
        while any(thread.is_alive() for thread in threads):
            received += len(queue.drain())
        assert received + len(queue.drain()) == 2000


class TestCounterTask:
    """The recorder's pairing proof rests on this env counting as it says."""

    @pytest.mark.parametrize("num_envs", [1, 4])
    def test_counts_and_ends_episodes_at_different_times(self, make_env, num_envs):
        counter = make_env(COUNTER, num_envs=num_envs)
        counter.reset()
        source = make_source("scripted", counter, task_id=COUNTER)
        lengths = [[] for _ in range(num_envs)]
        for global_step in range(60):
            policy = {name: value.clone() for name, value in counter.obs_buf["policy"].items()}
            flat = counter.obs_buf["flat"].clone()
            assert policy["global_step"].flatten().tolist() == [global_step] * num_envs
            assert torch.equal(flat[:, 0], policy["global_step"][:, 0])
            assert torch.equal(flat[:, 4], policy["step"][:, 0])
            counter.step(source.advance())
            expected = expected_action(policy["step"], policy["env_id"], policy["global_step"])
            going_on = ~counter.reset_buf  # an env that was reset has forgotten its action
            assert torch.equal(counter.action_manager.action[going_on], expected[going_on])
            for index in counter.reset_buf.nonzero().flatten().tolist():
                lengths[index].append(int(policy["step"][index]) + 1)
                assert counter.obs_buf["policy"]["step"][index] == 0
        assert lengths[0] == [12, 5, 12, 5, 12, 5]
        if num_envs > 1:
            assert lengths[1] == [4, 12, 5, 12, 5, 12, 5]

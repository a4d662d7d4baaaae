"""Our own loop: whatever ends a recording, its dataset is complete, and the exit code says what it was."""

import contextlib
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

import isaac_lerobot
from isaac_lerobot.app import loop
from isaac_lerobot.dataset import DatasetReader, check_dataset
from isaac_lerobot.recording import RecordingConfig, Session
from isaac_lerobot.recording.automatic import AutomaticRecording
from isaac_lerobot.sim.drive.driver import Driver
from on_disk import counted_episodes
from sim import counter_task
from waiting import until

TESTS = Path(__file__).resolve().parents[1]
SOURCE = Path(isaac_lerobot.__file__).parents[1]


@pytest.fixture
def config(tmp_path):
    return RecordingConfig.from_mapping(
        {
            "task": counter_task.TASK_ID,
            "teleop_device": "scripted",
            "dataset": tmp_path / "counted",
            "state_keys": ["policy/step"],
            "step_hz": 0,
        }
    )


@contextlib.contextmanager
def as_kit_is_launched(_env_cfg):
    """Leaves Ctrl+C as Isaac Lab's ``KitLauncher`` does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield


@pytest.fixture
def after_steps(monkeypatch):
    """``after_steps({n: happening})``: something happens at the end of the n-th step of the environment."""
    from isaaclab.envs import ManagerBasedRLEnv

    step = ManagerBasedRLEnv.step

    def plan(happenings):
        def stepped(env, action):
            result = step(env, action)
            happenings.get(env.common_step_counter, lambda: None)()
            return result

        monkeypatch.setattr(ManagerBasedRLEnv, "step", stepped)

    return plan


def recorded(config, launch=as_kit_is_launched, completed=lambda status: None):
    session = Session(config)
    return loop.run(session, Driver(session, launch), AutomaticRecording(session), completed)


def lengths(config):
    assert check_dataset(config.dataset).ok
    return [episode.length for episode in DatasetReader(config.dataset)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_completes_the_dataset_whoever_has_replaced_its_handler(config, after_steps, number):
    after_steps({15: lambda: signal.raise_signal(number)})
    assert recorded(config) == 128 + number
    assert lengths(config) == [12], "the running episode is thrown away"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_comes_out_of_a_step_is_the_first_ctrl_c(config, after_steps):
    """Isaac Lab's Kit visualizer takes the signal while it draws and raises by itself afterwards."""

    def interrupt():
        raise KeyboardInterrupt

    after_steps({15: interrupt})
    assert recorded(config) == 130
    assert lengths(config) == [12]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_task_is_loaded_ends_it_without_waiting(config, number):
    @contextlib.contextmanager
    def interrupted_launch(_env_cfg):
        signal.raise_signal(number)
        pytest.fail("The environment would have been built all the same.")
        yield

    assert recorded(config, interrupted_launch) == 128 + number
    assert not config.dataset.exists()


class Kit:
    """``omni.kit.app`` with an app that runs until its window is closed; the bare kernel never says that it runs."""

    def __init__(self):
        self.closed = False

    def get_app(self):
        if self.closed:
            raise RuntimeError("Failed to acquire interface: omni::kit::IApp")  # as Kit has it
        return types.SimpleNamespace(is_running=lambda: True)

    def close(self):
        self.closed = True


@pytest.mark.parametrize(("num_demos", "code"), [(0, 0), (5, 1)])
def test_closing_kits_window_ends_the_recording(config, after_steps, monkeypatch, num_demos, code):
    """Kit is there from the second step on: Isaac Lab would want the rest of it to build the environment."""
    kit = Kit()
    after_steps({2: lambda: monkeypatch.setitem(sys.modules, "omni.kit.app", kit), 15: kit.close})
    assert recorded(config.changed({"num_demos": num_demos})) == code
    assert lengths(config) == [12]


def test_what_is_to_be_done_with_the_dataset_is_done_when_it_is_complete(config):
    seen = []
    code = recorded(
        config.changed({"num_demos": 2}), completed=lambda status: seen.append(len(DatasetReader(status.dataset)))
    )
    assert (code, seen) == (0, [2])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_as_shells_expect_after_a_signal(tmp_path, number):
    root = tmp_path / "counted"
    options = ["--task", "Counter-v0", "--task_packages", "sim.counter_task", "--teleop_device", "scripted"]
    options += ["--dataset_file", str(root), "--state_keys", "policy/step", "--step_hz", "40"]
    process = subprocess.Popen(
        [sys.executable, "-m", "isaac_lerobot", "record", *options],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE), str(TESTS)])},
    )
    until(lambda: counted_episodes(root) or process.poll() is not None, 120)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number, said
    dataset = DatasetReader(root)
    assert len(dataset) >= 1
    assert {episode.length for episode in dataset} <= {12, 5}, "no episode was cut short"
    assert check_dataset(root).ok
    assert str(root) in said.splitlines()[-1]

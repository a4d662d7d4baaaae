"""The keyboard and the SpaceMouse, driving the demo task's hand; keys come in as our own windows pass them on."""

from __future__ import annotations

import math
import threading

import hid
import pytest
import torch

from isaac_lerobot.app.demo_task import HAND_TASK_ID
from isaac_lerobot.errors import DeviceError
from isaac_lerobot.sim.drive.devices import TeleopEvent, available_devices, make_source, own_windows, text_input
from sim.blind import HAND_WITHOUT_PICTURES
from sim.lever import Lever, add_lever
from waiting import until

STILL = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


class Window:
    """Somewhere to type."""


@pytest.fixture(scope="module")
def env(make_module_env):
    env = make_module_env(HAND_TASK_ID, num_envs=2, **HAND_WITHOUT_PICTURES)
    env.reset(seed=0)
    return env


@pytest.fixture
def window():
    window = Window()
    own_windows.add(window)
    yield window
    own_windows.remove(window)


@pytest.fixture
def keyboard(env, window):
    source = make_source("keyboard", env, task_id=HAND_TASK_ID)
    yield source
    source.close()
    own_windows.let_go()


def press(*keys):
    for key in keys:
        own_windows.key(key, True)


def release(*keys):
    for key in keys:
        own_windows.key(key, False)


def command(source):
    action = source.advance()
    assert action.shape == (2, 7)
    assert torch.equal(action[0], action[1])
    return pytest.approx(action[0].tolist(), abs=1e-6)


class TestHand:
    @pytest.mark.parametrize(("axis", "more", "less"), [(0, "W", "S"), (1, "A", "D"), (2, "Q", "E")])
    def test_moves_along_each_axis_both_ways_while_a_key_is_held(self, keyboard, axis, more, less):
        for key, sign in ((more, 1.0), (less, -1.0)):
            press(key)
            expected = list(STILL)
            expected[axis] = 0.2 * sign
            assert command(keyboard) == expected
            release(key)
            assert command(keyboard) == STILL

    @pytest.mark.parametrize(("axis", "more", "less"), [(3, "Z", "X"), (4, "T", "G"), (5, "C", "V")])
    def test_turns_about_each_axis_both_ways_while_a_key_is_held(self, keyboard, axis, more, less):
        for key, sign in ((more, 1.0), (less, -1.0)):
            press(key)
            expected = list(STILL)
            expected[axis] = 0.5 * sign
            assert command(keyboard) == expected
            release(key)
            assert command(keyboard) == STILL

    def test_keys_add_up_and_opposite_ones_cancel_out(self, keyboard):
        press("W", "A", "Q", "E")
        assert command(keyboard) == [0.2, 0.2, 0.0, 0.0, 0.0, 0.0, 1.0]

    def test_turns_together_are_one_rotation_vector(self, keyboard):
        press("Z", "C")
        turn = keyboard.advance()[0, 3:6]
        assert math.isclose(float(turn.norm()), 2.0 * math.acos(math.cos(0.25) ** 2), rel_tol=1e-5)

    def test_k_toggles_the_gripper_once_however_long_it_is_held(self, keyboard):
        press("K", "K", "K")
        assert command(keyboard) == [*STILL[:6], -1.0]
        release("K")
        press("K")
        assert command(keyboard) == STILL

    def test_l_stops_it(self, keyboard):
        press("W", "K", "L")
        assert command(keyboard) == STILL

    def test_a_reset_while_a_key_is_held_leaves_no_drift(self, keyboard):
        press("W", "K")
        assert command(keyboard) == [0.2, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0]
        keyboard.reset()
        assert command(keyboard) == STILL, "an episode begins at rest, whatever is held"
        press("W")
        assert command(keyboard) == STILL, "nor does the held key's repetition move it"
        release("W")
        assert command(keyboard) == STILL, "and letting go takes nothing away"
        press("W")
        assert command(keyboard) == [0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]

    def test_a_window_that_loses_the_focus_lets_go_of_every_key(self, keyboard):
        press("W")
        own_windows.let_go()
        assert command(keyboard) == STILL

    def test_is_not_heard_once_closed(self, env, window):
        source = make_source("keyboard", env, task_id=HAND_TASK_ID)
        source.close()
        press("W", "B")
        release("W", "B")
        assert source.advance() is None
        assert source.events() == []

    def test_is_offered_where_a_window_of_ours_passes_on_keys(self, env, window):
        offers = {offer.name: offer for offer in available_devices(env.cfg, HAND_TASK_ID)}
        assert offers["keyboard"].available
        assert not offers["gamepad"].available, "our windows have no gamepad"
        assert (offers["auto"].stands_for, offers["auto"].label) == ("keyboard", "Automatic: Keyboard")
        own_windows.remove(window)
        offers = {offer.name: offer for offer in available_devices(env.cfg, HAND_TASK_ID)}
        assert offers["keyboard"].reason.startswith("needs Isaac Sim's window")
        assert offers["auto"].stands_for == "scripted"


class TestOrders:
    def test_each_key_is_one_order(self, keyboard):
        for key in ("B", "P", "Y", "N", "BACKSPACE", "R"):
            press(key, key)
            release(key)
        assert keyboard.events() == [
            TeleopEvent.START,
            TeleopEvent.STOP,
            TeleopEvent.SUCCESS,
            TeleopEvent.FAILURE,
            TeleopEvent.DISCARD,
            TeleopEvent.RESET,
        ]
        assert keyboard.events() == []

    def test_are_given_beside_a_device_that_has_no_button_to_start_with(self, env, window):
        add_lever(env.cfg)
        source = make_source("lever", env, task_id=HAND_TASK_ID)
        press("B")
        release("B")
        assert source.events() == [TeleopEvent.START]
        Lever.made.callbacks["STOP"]()
        assert source.events() == [TeleopEvent.STOP]
        source.close()
        press("B")
        release("B")
        assert source.events() == []
        del env.cfg.teleop_devices.devices["lever"]


class TestTyping:
    def test_drives_nothing_and_discards_nothing(self, keyboard):
        field = Window()
        press("D")
        text_input.begin(field)
        press("W", "K", "BACKSPACE", "R", "N")
        assert keyboard.advance() is None
        assert keyboard.events() == []
        text_input.end(field)
        assert command(keyboard) == STILL, "neither what was held before nor what was typed counts"
        release("D", "W", "K", "BACKSPACE", "R", "N")
        assert command(keyboard) == STILL
        press("W", "BACKSPACE")
        assert command(keyboard) == [0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
        assert keyboard.events() == [TeleopEvent.DISCARD]

    def test_in_a_field_that_is_gone_does_not_mute_for_ever(self, keyboard):
        field = Window()
        text_input.begin(field)
        assert keyboard.advance() is None
        del field
        assert command(keyboard) == STILL


class UsbBus:
    """The double of a USB port with one SpaceMouse, which like every HID device is opened once at a time (``hid``)."""

    def __init__(self):
        self.opened = 0
        self.reports = [[1, 0, 0, 0, 0, 0, 0]]
        self.arrived = threading.Semaphore(0)
        self.unplugged = False

    def enumerate(self):
        return [{"product_string": "SpaceMouse Compact", "vendor_id": 0x256F, "product_id": 0xC635}]

    def device(self):
        return self

    def open(self, vendor, product):
        if self.opened:
            raise OSError("open failed")
        self.opened += 1

    def report(self, *data):
        """Have the device send something, and wait until it was read."""
        self.reports.append(list(data))
        self.arrived.release()

    def read(self, size):
        self.arrived.acquire()
        if self.unplugged:
            raise OSError("read error")
        return self.reports.pop()

    def get_manufacturer_string(self):
        return "3Dconnexion"


@pytest.fixture
def bus(monkeypatch):
    from isaac_lerobot.sim.drive.devices import spacemouse

    bus = UsbBus()
    monkeypatch.setattr(spacemouse, "_opened", None)
    monkeypatch.setattr(hid, "enumerate", bus.enumerate)
    monkeypatch.setattr(hid, "device", bus.device)
    yield bus
    bus.unplugged = True
    bus.arrived.release()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # as the device's thread ends
class TestSpaceMouse:
    def test_can_be_opened_again_and_answers_to_the_one_who_has_it(self, env, bus):
        first = make_source("spacemouse", env, task_id=HAND_TASK_ID)
        bus.report(3, 2)
        until(lambda: first.events() == [TeleopEvent.RESET])
        first.close()
        second = make_source("spacemouse", env, task_id=HAND_TASK_ID)
        assert bus.opened == 1
        bus.report(3, 2)
        until(lambda: second.events() == [TeleopEvent.RESET])
        assert first.events() == []
        bus.report(3, 1)
        until(lambda: float(second.advance()[0, 6]) == -1.0)
        second.close()

    def test_that_was_pulled_out_does_not_go_on_moving_the_robot(self, env, bus):
        source = make_source("spacemouse", env, task_id=HAND_TASK_ID)
        bus.report(1, 0, 0, 100, 0, 0, 0)
        until(lambda: float(source.advance()[0, :3].abs().max()) > 0.0)
        bus.unplugged = True
        bus.arrived.release()

        def fails():
            try:
                source.advance()
            except DeviceError as error:
                return "still connected" in str(error)
            return False

        until(fails)
        source.close()

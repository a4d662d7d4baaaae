"""The keyboard in a real app: Kit's app window in the user's kind, the panel's own keys in the bare kernel."""

from __future__ import annotations

import pytest
import torch

from isaac_lerobot.sim.drive.devices.bindings import KEYBOARD
from isaac_lerobot.sim.drive.devices.keyboard import HandKeyboard, OrderKeys
from isaac_lerobot.sim.drive.devices.source import EventQueue, TeleopEvent
from isaac_lerobot.sim.drive.devices.window import missing_keyboard, missing_window

STILL = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
FORWARD = pytest.approx([0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])


@pytest.fixture
def keyboard(operator):
    operator.kit.click("recorder.state")  # the keys are the panel's, where the app has no window of its own
    keyboard = HandKeyboard(True, pos_sensitivity=0.2, rot_sensitivity=0.5)
    yield keyboard
    keyboard.close()


@pytest.fixture
def orders():
    queue = EventQueue()
    keys = OrderKeys(queue)
    yield queue
    keys.close()


@pytest.fixture
def app(kit):
    if kit.kind != "user":
        pytest.skip("only Isaac Sim has an app window with a keyboard")
    return kit


def test_a_key_drives_while_it_is_held(operator, keyboard, orders):
    operator.kit.hold("W")
    assert keyboard.advance().tolist() == FORWARD
    operator.kit.wait(0.2)
    operator.kit.let_go("W")
    assert keyboard.advance().tolist() == STILL
    for key in KEYBOARD:
        operator.kit.press(key)
    assert orders.drain() == list(KEYBOARD.values())


def test_what_is_typed_into_a_field_drives_nothing_and_discards_nothing(operator, keyboard, orders):
    operator.kit.hold("W")
    operator.kit.let_go("W")
    operator.kit.type("recorder.task_description", "wasd RNBY", end=None)
    operator.kit.press("BACKSPACE")
    operator.kit.hold("E")
    assert keyboard.advance() is None
    operator.kit.let_go("E")
    operator.kit.press("ENTER")
    assert operator.until(lambda status: status.config.task_description == "wasd RNBe")
    operator.kit.type("recorder.num_demos", "12")
    operator.kit.type("recorder.task_search", "pick")
    assert keyboard.advance().tolist() == STILL
    assert orders.drain() == []
    operator.kit.click("recorder.state")
    operator.kit.press("BACKSPACE")
    assert orders.drain() == [TeleopEvent.DISCARD]


def test_a_panel_that_is_gone_mutes_nobody(open_recorder):
    operator = open_recorder()
    operator.kit.click("recorder.task_description")
    open_recorder().kit.click("recorder.state")
    keyboard = HandKeyboard(True, pos_sensitivity=0.2, rot_sensitivity=0.5)
    operator.kit.hold("W")
    assert keyboard.advance().tolist() == FORWARD
    operator.kit.let_go("W")
    keyboard.close()


def test_each_key_gives_the_numbers_of_isaac_labs_own_keyboard(app, keyboard):
    from isaaclab.devices import Se3Keyboard, Se3KeyboardCfg

    theirs = Se3Keyboard(Se3KeyboardCfg(pos_sensitivity=0.2, rot_sensitivity=0.5))
    for key in "WSADQEZXTGCVKL":
        app.hold(key)
        assert torch.equal(keyboard.advance(), theirs.advance()), key
        app.let_go(key)
        assert torch.equal(keyboard.advance(), theirs.advance()), key
    for key in "WAZC":
        app.hold(key)
    torch.testing.assert_close(keyboard.advance(), theirs.advance())
    for key in "WAZC":
        app.let_go(key)


@pytest.mark.parametrize("modifier", ["CONTROL", "ALT", "SUPER"])
def test_a_shortcut_of_the_app_moves_no_robot(app, keyboard, orders, modifier):
    import carb.input
    import omni.appwindow

    provider = carb.input.acquire_input_provider()
    window = omni.appwindow.get_default_app_window().get_keyboard()
    held = getattr(carb.input, f"KEYBOARD_MODIFIER_FLAG_{modifier}")
    for kind in (carb.input.KeyboardEventType.KEY_PRESS, carb.input.KeyboardEventType.KEY_REPEAT):
        for key in (carb.input.KeyboardInput.S, carb.input.KeyboardInput.R):
            provider.buffer_keyboard_key_event(window, kind, key, held)
    # The modifier is let go first, and the key goes on repeating by itself.
    provider.buffer_keyboard_key_event(window, carb.input.KeyboardEventType.KEY_REPEAT, carb.input.KeyboardInput.S, 0)
    app.update(2)
    assert keyboard.advance().tolist() == STILL
    assert orders.drain() == []
    provider.buffer_keyboard_key_event(window, carb.input.KeyboardEventType.KEY_RELEASE, carb.input.KeyboardInput.S, 0)
    app.update(2)


def test_an_app_that_is_shown_nowhere_has_no_keyboard_whatever_objects_it_has(app):
    import carb.settings

    settings = carb.settings.get_settings()
    found = settings.get("/app/window/enabled")
    assert missing_window() == missing_keyboard() == ""
    settings.set("/app/window/enabled", False)
    try:
        assert missing_keyboard() == "needs Isaac Sim's window, and this app was started without one"
    finally:
        settings.destroy_item("/app/window/enabled") if found is None else settings.set("/app/window/enabled", found)

"""The user's kind of app: what the host promises of it holds."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.app("user")


def setting(path: str) -> object:
    import carb.settings

    return carb.settings.get_settings().get(path)


def test_its_settings_are_those_of_isaac_sims_full_app(kit):
    assert setting("/app/name") == "Isaac-Sim Full"
    assert setting("/app/fastShutdown") is True
    assert setting("/app/player/useFixedTimeStepping") is True
    assert setting("/app/file/ignoreUnsavedStage") is False


def test_isaac_sims_own_helper_for_scripts_is_loaded_but_has_started_nothing(kit):
    import builtins

    assert "isaacsim.simulation_app" in sys.modules
    assert not hasattr(builtins, "ISAACSIM_APP_LAUNCHED")


def test_its_loop_is_isaac_sims(kit):
    import omni.kit.app

    assert omni.kit.app.get_app().is_running()
    assert setting("/app/runLoops/main/rateLimitEnabled") is True


def test_isaac_lab_sees_a_running_isaac_sim_of_the_right_version(kit):
    from isaaclab.utils.version import get_isaac_sim_version, has_kit

    assert has_kit()
    assert str(get_isaac_sim_version()) == "6.2.0"


def test_a_key_reaches_who_listens_to_the_keyboard_of_the_window(kit):
    import carb.input
    import omni.appwindow

    heard = []
    devices = carb.input.acquire_input_interface()
    keyboard = omni.appwindow.get_default_app_window().get_keyboard()
    subscription = devices.subscribe_to_keyboard_events(keyboard, lambda event: heard.append(event.type.name) or True)
    kit.hold("W")
    assert devices.get_keyboard_value(keyboard, carb.input.KeyboardInput.W) == 1.0
    kit.let_go("W")
    devices.unsubscribe_to_keyboard_events(keyboard, subscription)
    assert heard == ["KEY_PRESS", "CHAR", "KEY_RELEASE"]


def test_a_key_that_is_typed_into_a_field_reaches_the_keyboard_too(kit):
    import carb.input
    import omni.appwindow

    kit.enable("host.probe")
    heard = []
    devices = carb.input.acquire_input_interface()
    keyboard = omni.appwindow.get_default_app_window().get_keyboard()

    def listen(event) -> bool:
        if event.type == carb.input.KeyboardEventType.KEY_PRESS:
            heard.append(event.input.name)
        return True

    subscription = devices.subscribe_to_keyboard_events(keyboard, listen)
    kit.type("probe.field", "bye 2", end=None)
    kit.press("B")
    devices.unsubscribe_to_keyboard_events(keyboard, subscription)
    assert kit.find("probe.field").model.as_string == "bye 2b"
    kit.enable("host.probe", enabled=False)
    assert heard[-6:] == ["B", "Y", "E", "SPACE", "KEY_2", "B"]


def test_a_menu_shows_the_tick_that_was_right_when_it_was_refreshed(kit):
    from omni.kit.menu import utils

    shown = [True]
    item = utils.MenuItemDescription(
        name="Entry", ticked=True, ticked_fn=lambda: shown[0], onclick_fn=lambda: shown.__setitem__(0, not shown[0])
    )
    utils.add_menu_items([item], "Test")
    kit.update()
    assert utils.entries("Test") == {"Entry": True}
    utils.click("Test", "Entry")
    kit.update()
    assert utils.entries("Test") == {"Entry": True}
    utils.refresh_menu_items("Test")
    kit.update()
    assert utils.entries("Test") == {"Entry": False}
    utils.remove_menu_items([item], "Test")
    assert utils.entries("Test") == {}

"""Kit's settings as a recording configuration, and what is remembered."""

from __future__ import annotations

import pytest

from isaac_lerobot.errors import ConfigError


@pytest.fixture
def settings(kit, tmp_path):
    import carb.settings

    from isaac_lerobot.kit import settings as module

    tree = carb.settings.get_settings()
    for path in (module.ROOT, module.MEMORY):
        tree.destroy_item(path)

    class Settings:
        remember = staticmethod(module.remember)

        def set(self, **values):
            for name, value in values.items():
                tree.set(f"{module.ROOT}/{name}", value)

        def read(self):
            return module.read_config(tmp_path)

    yield Settings()
    for path in (module.ROOT, module.MEMORY):
        tree.destroy_item(path)


def test_settings_fill_the_configuration(settings):
    settings.set(task="Isaac-Nice", num_demos=3, cameras=["front", "wrist"], state_keys=["policy/joint_pos"])
    config = settings.read()
    assert (config.task, config.num_demos) == ("Isaac-Nice", 3)
    assert (config.cameras, config.state_keys) == (("front", "wrist"), ("policy/joint_pos",))


def test_no_settings_are_the_defaults(settings):
    assert settings.read().model_fields_set == set()


def test_an_unknown_key_is_named_with_the_nearest(settings):
    settings.set(num_demo=3)
    with pytest.raises(ConfigError, match=r"unknown key 'num_demo'.*num_demos"):
        settings.read()


def test_a_wrong_type_is_named(settings):
    settings.set(num_demos="many")
    with pytest.raises(ConfigError, match=r"'num_demos' is 'many'"):
        settings.read()


def test_a_preset_is_below_what_is_set(settings, tmp_path):
    (tmp_path / "cube.toml").write_text('task = "Isaac-Cube"\nnum_demos = 50\n')
    settings.set(preset="cube", num_demos=2)
    config = settings.read()
    assert (config.task, config.num_demos) == ("Isaac-Cube", 2)


def test_an_unknown_preset_names_those_there_are(settings, tmp_path):
    (tmp_path / "cube.toml").write_text("num_demos = 50\n")
    settings.set(preset="cubes")
    with pytest.raises(ConfigError, match="cube"):
        settings.read()


def test_what_was_chosen_is_remembered(settings, tmp_path):
    chosen = {
        "task": "Isaac-Nice",
        "teleop_device": "scripted",
        "cameras": [],
        "state_keys": ["policy/b", "policy/a"],
        "dataset": tmp_path / "data",
        "num_demos": 7,
        "success": "manual",
    }
    config = settings.read().changed(chosen)
    settings.remember(config)
    assert settings.read() == config


def test_a_setting_wins_over_memory(settings):
    settings.remember(settings.read().changed({"num_demos": 7, "task": "Isaac-Nice"}))
    settings.set(num_demos=1)
    assert (settings.read().num_demos, settings.read().task) == (1, "Isaac-Nice")


def test_recording_by_itself_remembers_nothing(settings):
    settings.remember(settings.read().changed({"task": "Isaac-Nice"}))
    settings.set(autostart=True)
    assert settings.read().task == ""


def test_a_memory_of_another_version_is_left_out(settings):
    import carb.settings

    from isaac_lerobot.kit.settings import MEMORY

    carb.settings.get_settings().set(f"{MEMORY}/num_demos", "lots")
    assert settings.read().num_demos == 0

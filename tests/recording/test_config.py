"""RecordingConfig: what it accepts, and what a person reads when it does not."""

from pathlib import Path

import pytest

from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording import ExportRule, RecordingConfig, SuccessMode, read_preset


def test_values_arrive_with_their_types():
    config = RecordingConfig.from_mapping(
        {
            "task": "Isaac-LeRobot-Pick-Cube-v0",
            "dataset": "datasets/cubes",
            "cameras": ["front", "wrist"],
            "state_keys": "policy/joint_pos",
            "export": "separate",
            "success": "manual",
            "step_hz": 30,
        }
    )
    assert config.dataset == Path("datasets/cubes")
    assert config.cameras == ("front", "wrist")
    assert config.state_keys == ("policy/joint_pos",), "a lone string stands for a list of one"
    assert config.export is ExportRule.SEPARATE
    assert config.success is SuccessMode.MANUAL
    assert config.step_hz == 30


def test_defaults_are_what_the_documentation_says():
    config = RecordingConfig()
    assert config.export is ExportRule.ALL
    assert config.num_success_steps == 10
    assert config.cameras is None
    assert config.continuous
    assert not config.overwrite


def test_empty_text_means_unset():
    config = RecordingConfig.from_mapping({"dataset": "", "robot_type": "", "device": ""})
    assert config.dataset is None
    assert config.robot_type is None
    assert config.device is None


def test_unknown_key_names_it_the_nearest_and_all_valid_ones():
    with pytest.raises(ConfigError) as caught:
        RecordingConfig.from_mapping({"num_demo": 3}, origin="preset demo.toml")
    text = str(caught.value)
    assert "preset demo.toml" in text
    assert "'num_demo'" in text
    assert "'num_demos'" in text
    assert all(name in text for name in RecordingConfig.model_fields)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_demos", "three"),
        ("num_demos", True),
        ("num_demos", -1),
        ("num_envs", 0),
        ("export", "some"),
        ("overwrite", "yes"),
        ("state_keys", [3]),
        ("state_keys", [""]),
        ("step_hz", -1),
        ("task", 7),
    ],
)
def test_wrong_value_names_key_and_value(key, value):
    with pytest.raises(ConfigError) as caught:
        RecordingConfig.from_mapping({key: value})
    assert f"'{key}'" in str(caught.value)
    assert repr(value if not isinstance(value, list) else value[0]) in str(caught.value)


def test_every_mistake_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        RecordingConfig.from_mapping({"num_demos": "x", "camera": ["front"], "success": "auto"})
    assert all(word in str(caught.value) for word in ("'num_demos'", "'camera'", "'success'"))


def test_changed_keeps_the_rest_and_is_validated():
    config = RecordingConfig.from_mapping({"task": "A", "num_demos": 5})
    assert config.changed({"num_demos": 6}).task == "A"
    with pytest.raises(ConfigError):
        config.changed({"num_demos": "many"})


def test_preset(tmp_path):
    preset = tmp_path / "cubes.toml"
    preset.write_text('task = "Pick"\nnum_demos = 3\ncameras = ["front"]\n')
    assert read_preset(preset) == {"task": "Pick", "num_demos": 3, "cameras": ["front"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("num_demos = ", "not valid TOML"), ("num_demo = 3", "'num_demos'"), ('num_demos = "3"', "'num_demos'")],
)
def test_bad_preset_names_the_file(tmp_path, text, expected):
    preset = tmp_path / "cubes.toml"
    preset.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_preset(preset)
    assert str(preset) in str(caught.value)
    assert expected in str(caught.value)


def test_missing_preset(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        read_preset(tmp_path / "none.toml")

"""The command line fills the same configuration as everything else, and its documentation is true."""

import argparse
from pathlib import Path

import pytest

from isaac_lerobot.app.options import add_recording_options, options_page, recording_config
from isaac_lerobot.errors import ConfigError
from isaac_lerobot.recording import RecordingConfig

CHECKOUT = Path(__file__).parents[2]


def parsed(*argv):
    parser = argparse.ArgumentParser()
    add_recording_options(parser)
    return recording_config(parser.parse_args(argv), CHECKOUT / "config")


def test_options_become_the_configuration():
    config = parsed(
        *("--task", "Pick-v0", "--dataset_file", "out", "--num_demos", "3", "--cameras", "front", "wrist"),
        *("--state_keys", "policy/a", "policy/b", "--export", "separate", "--no-continuous", "--step_hz", "12.5"),
    )
    assert config == RecordingConfig.from_mapping(
        {
            "task": "Pick-v0",
            "dataset": "out",
            "num_demos": 3,
            "cameras": ["front", "wrist"],
            "state_keys": ["policy/a", "policy/b"],
            "export": "separate",
            "continuous": False,
            "step_hz": 12.5,
        }
    )


def test_no_options_are_the_defaults():
    assert parsed() == RecordingConfig()


def test_an_empty_list_means_none_of_them():
    assert parsed("--cameras").cameras == ()


def test_options_win_over_the_preset():
    config = parsed("--preset", "demo", "--num_demos", "7")
    assert config.num_demos == 7
    assert config.task == "Isaac-LeRobot-Pick-Cube-v0"


def test_every_preset_in_the_house_is_valid():
    presets = sorted((CHECKOUT / "config").glob("*.toml"))
    assert presets
    for preset in presets:
        parsed("--preset", str(preset))


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(ConfigError, match="demo"):
        parsed("--preset", "dmo")


def test_the_documentation_lists_every_option():
    """Regenerate with ``python -m isaac_lerobot.app.options > docs/options.md``."""
    assert (CHECKOUT / "docs" / "options.md").read_text(encoding="utf-8") == options_page()


def test_an_override_goes_where_it_belongs_wherever_it_stands():
    config = parsed("--cameras", "front", "physics=newton_mjwarp", "--overrides", "env.sim.dt=0.01")
    assert config.cameras == ("front",)
    assert config.overrides == ("physics=newton_mjwarp", "env.sim.dt=0.01")

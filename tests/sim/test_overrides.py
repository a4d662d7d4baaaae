"""Presets and overrides of Isaac Lab's tasks, the same whoever gives them."""

import pytest

from isaac_lerobot.errors import ConfigError, TaskError
from isaac_lerobot.recording import RecordingConfig
from isaac_lerobot.sim.env.tasks import load_env_cfg

STACK = "IsaacContrib-Stack-Cube-Franka-IK-Rel"


def loaded(*overrides):
    return load_env_cfg(RecordingConfig(task=STACK, overrides=overrides))


def test_a_preset_chooses_the_physics():
    assert type(loaded().sim.physics).__name__ == "PhysxCfg"
    assert type(loaded("physics=newton_mjwarp").sim.physics).__name__ == "NewtonCfg"


def test_an_override_sets_a_field_of_the_configuration():
    env_cfg = loaded("env.sim.dt=0.02", "env.terminations.success=null")
    assert env_cfg.sim.dt == 0.02
    assert env_cfg.terminations.success is None


def test_an_override_below_a_preset_sets_a_field_of_what_the_preset_chose():
    env_cfg = loaded("env.sim.physics=newton_mjwarp", "env.sim.physics.num_substeps=3")
    assert env_cfg.sim.physics.num_substeps == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("physics=newton_mjwrap", r"Unknown preset\(s\): newton_mjwrap[\s\S]*newton_mjwarp"),
        ("renderer=rtx", "renderer=rtx"),
        ("env.sim.dtt=0.02", "env.sim of .* has no 'dtt'. Did you mean 'dt'"),
        ("env.smi.dt=0.02", "env of .* has no 'smi'. Did you mean 'sim'"),
    ],
)
def test_an_override_that_the_task_does_not_have_says_what_there_is(override, message):
    with pytest.raises(TaskError, match=message):
        loaded(override)


def test_what_is_no_override_is_refused_with_how_to_write_one():
    with pytest.raises(ConfigError, match="'overrides' is 'newton_mjwarp': write physics=NAME"):
        RecordingConfig.from_mapping({"overrides": ["newton_mjwarp"]})

"""Isaac Lab's environments have all that we use of one."""

import pytest

from isaac_lerobot.sim.env.environment import (
    ActionManager,
    CommandManager,
    DirectEnvironment,
    ManagerBasedRLEnvironment,
    ObservationManager,
    Scene,
    Simulation,
    TerminationManager,
)
from sim import counter_task, direct_task


@pytest.mark.parametrize(
    ("task", "kind"),
    [(counter_task.TASK_ID, ManagerBasedRLEnvironment), (direct_task.TASK_ID, DirectEnvironment)],
)
def test_an_environment_is_what_we_take_it_for(make_env, task, kind):
    env = make_env(task)
    env.reset(seed=1)
    assert isinstance(env, kind)
    assert isinstance(env.scene, Scene)
    assert isinstance(env.sim, Simulation)


def test_its_managers_are_what_we_take_them_for(make_env):
    env = make_env(counter_task.TASK_ID)
    assert isinstance(env.observation_manager, ObservationManager)
    assert isinstance(env.action_manager, ActionManager)
    assert isinstance(env.termination_manager, TerminationManager)
    assert isinstance(env.command_manager, CommandManager)

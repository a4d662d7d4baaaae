"""Which tasks there are, and which of them are refused before anything is built."""

import importlib
import importlib.abc
import re
import sys
from pathlib import Path

import gymnasium
import pytest

from isaac_lerobot.errors import TaskError
from isaac_lerobot.recording import OpenTask, RecordingConfig, Session, Severity
from isaac_lerobot.sim.drive.driver import Driver
from isaac_lerobot.sim.env.tasks import list_tasks, load_env_cfg
from sim.counter_task import TASK_ID

ROOT = Path(__file__).parents[2]


class BrokenImport(importlib.abc.MetaPathFinder):
    """Makes one module fail, as it does where a package that it needs is missing."""

    def __init__(self, module, missing):
        self._module, self._missing = module, missing

    def find_spec(self, name, path=None, target=None):
        if name == self._module:
            raise ModuleNotFoundError(f"No module named '{self._missing}'", name=self._missing)
        return None


@pytest.fixture
def broken(monkeypatch):
    """``broken(module, missing)`` makes the import of ``module`` fail for want of ``missing``."""

    def break_import(module, missing):
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setattr(sys, "meta_path", [BrokenImport(module, missing), *sys.meta_path])

    return break_import


def test_the_tasks_of_mimic_are_listed_with_isaac_labs_own():
    tasks = list_tasks([])
    assert {"IsaacContrib-Stack-Cube-Franka-IK-Rel", "Isaac-Stack-Cube-Franka-IK-Rel-Mimic-v0"} <= set(tasks)
    assert tasks == sorted(tasks)


def test_an_installation_without_mimic_lists_the_others_and_says_nothing(broken, caplog):
    broken("isaaclab_mimic.envs", "isaaclab_mimic")
    assert "IsaacContrib-Stack-Cube-Franka-IK-Rel" in list_tasks([])
    assert not caplog.records


def test_what_keeps_tasks_from_being_registered_is_said(broken, caplog):
    broken("isaaclab_mimic.envs", "nest_asyncio")
    list_tasks([])
    problem = "isaaclab_mimic.envs cannot be imported: ModuleNotFoundError: No module named 'nest_asyncio'."
    assert [record.getMessage() for record in caplog.records] == [f"{problem} Its tasks are missing."]
    with pytest.raises(TaskError, match=re.escape(problem)):
        load_env_cfg(RecordingConfig(task="Isaac-Stack-Cube-Somewhere"))


def no_launch(env_cfg):
    raise AssertionError("the simulation was launched")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("Isaac-Cartpole-Direct", ["is a CartpoleEnv", "isaac_lerobot.attach(env, config)"]),
        ("Isaac-Shadow-Handover-Direct", ["several agents (HandoverEnv)", "tasks of one agent"]),
        ("Goalless-v0", ["is a ManagerBasedEnv", "isaac_lerobot.attach(env, config)"]),
    ],
)
def test_other_kinds_of_tasks_are_refused_before_they_are_built(task, words):
    goalless = {**gymnasium.spec(TASK_ID).kwargs}
    if "Goalless-v0" not in gymnasium.registry:
        gymnasium.register("Goalless-v0", "isaaclab.envs:ManagerBasedEnv", disable_env_checker=True, kwargs=goalless)
    driver = Driver(Session(RecordingConfig(task=task)), no_launch)
    driver.session.post(OpenTask())
    for _ in range(3):
        driver.tick()
    message = driver.session.status.message
    assert message.severity is Severity.ERROR
    assert all(word in message.text for word in [task, *words]), message.text


def test_a_wrong_success_term_is_refused_before_the_task_is_built():
    with pytest.raises(TaskError, match=r"success_term: Counter-v0 has no termination term 'failures'\. .*'failure'"):
        load_env_cfg(RecordingConfig(task=TASK_ID, success_term="failures"))
    assert load_env_cfg(RecordingConfig(task=TASK_ID, success_term="failure")).terminations.failure is not None


def test_the_tasks_that_the_documents_name_exist():
    """Isaac Lab renames its tasks between versions; a reader types what stands here."""
    files = [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("config/*.toml")]
    named = {
        (file.name, name)
        for file in files
        for name in re.findall(r"\bIsaac(?:Contrib)?-[A-Z]\w*(?:-[A-Za-z0-9]+)+", file.read_text(encoding="utf-8"))
    }
    assert len({name for _, name in named}) > 1
    tasks = set(list_tasks([]))
    assert sorted(found for found in named if found[1] not in tasks) == []

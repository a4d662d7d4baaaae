"""How the extension comes up: in an app that stands by itself, below a script, and where something is missing."""

from __future__ import annotations

import builtins
import subprocess
import sys
import tomllib
import types

import pytest

from host.kit_host import RECORDER, ROOT


@pytest.fixture
def start(kit, monkeypatch):
    """Enables the recorder anew after a test has arranged the app; what it arranged is undone."""
    kit.enable(RECORDER, enabled=False)
    yield lambda: kit.enable(RECORDER)
    monkeypatch.undo()
    kit.enable(RECORDER, enabled=False)


def opened() -> bool:
    from isaac_lerobot.kit.app import current

    return current() is not None


def test_it_opens_in_an_isaac_sim_app_that_no_script_has_started(kit, start, monkeypatch):
    monkeypatch.setitem(sys.modules, "isaacsim.simulation_app", types.ModuleType("isaacsim.simulation_app"))
    start()
    kit.until(opened, 10, "the open recorder")


def test_it_waits_until_a_scripts_app_has_been_launched(kit, start, monkeypatch):
    monkeypatch.setattr(builtins, "ISAAC_LAUNCHED_FROM_TERMINAL", False, raising=False)
    start()
    kit.update(20)
    assert not opened()
    monkeypatch.setattr(builtins, "ISAACSIM_APP_LAUNCHED", True, raising=False)
    kit.until(opened, 10, "the open recorder")


# A Kit app of its own in which a package cannot be found until `allow` is called.
WITHOUT_PYDANTIC = """
import sys
from host.kit_host import KitHost, RECORDER

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pydantic":
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

missing = Missing()
sys.meta_path.insert(0, missing)
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_PYDANTIC + script]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_a_missing_package_is_named_with_the_line_that_installs_it_and_is_looked_for_again():
    done = run("""
kit = KitHost()
kit.until(lambda: kit.has("recorder.start_failure"), 30, "the window that says why")
print("reason:", kit.find("recorder.start_failure").text)
print("command:", kit.find("recorder.start_command").model.as_string)
sys.meta_path.remove(missing)
kit.click("recorder.start_again")
kit.until(lambda: kit.has("recorder.load"), 30, "the panel")
print("failure still shown:", kit.has("recorder.start_failure"))
kit.shutdown()
""")
    assert "reason: pydantic is not installed in this app's Python" in done.stdout, done.stdout + done.stderr
    assert f"command: {sys.executable} -m pip install 'pydantic>=2.10'" in done.stdout
    assert "failure still shown: False" in done.stdout, done.stdout + done.stderr


def test_where_nobody_is_there_to_mend_it_the_app_ends_with_1_and_the_reason():
    done = run("""
kit = KitHost(ui=False, settings={f"/exts/{RECORDER}/autostart": True})
kit.until(lambda: not kit.running, 30, "the end of the app")
sys.exit(kit.shutdown())
""")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{sys.executable} -m pip install 'pydantic>=2.10'" in done.stderr, done.stdout + done.stderr


def test_the_packages_named_are_those_of_the_installation():
    from isaac_lerobot.kit.start_failure import REQUIREMENTS

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(REQUIREMENTS.values()) == sorted(project["dependencies"])

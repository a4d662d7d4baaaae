"""The same extension in an app without an interface, told everything on Kit's command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from host.kit_host import RECORDER
from lerobot_reader import LerobotReader

pytestmark = pytest.mark.app("user")  # each test starts a Kit of its own, without what the two kinds differ in

COUNTER = {"task": "Counter-v0", "task_packages": "[sim.counter_task]", "teleop_device": "scripted"}
HOST = Path(__file__).resolve().parents[1] / "host"


def kit(**settings: object) -> subprocess.CompletedProcess[str]:
    """Run Kit without a window until it ends by itself."""
    arguments = ["--no-window", "--enable", RECORDER, f"--/exts/{RECORDER}/autostart=true"]
    arguments += [f"--/exts/{RECORDER}/{name}={value}" for name, value in settings.items()]
    command = [sys.executable, str(HOST / "kit.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)


def test_it_records_and_ends_with_0(tmp_path):
    root = tmp_path / "cube"
    done = kit(
        task="Isaac-LeRobot-Pick-Cube-v0",
        teleop_device="scripted",
        num_demos=1,
        dataset=root,
        cameras="[front]",
        state_keys="[policy/joint_pos,policy/gripper]",
        observation_keys="[policy/eef_pos]",
        step_hz=0,
        seed=3,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Saved episode 0 (success" in done.stdout
    reader = LerobotReader()
    dataset = reader.read(root)
    reader.close()
    assert len(dataset.lengths) == 1
    assert dataset.columns["observation.state"].shape == (dataset.lengths[0], 8)
    assert dataset.columns["observation.images.front"].shape[1:] == (120, 160, 3)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"task": "Isaac-LeRobot-Pick-Cub-v0"}, "Did you mean 'Isaac-LeRobot-Pick-Cube-v0'"),
        ({"num_demo": 3}, "unknown key 'num_demo'"),
        ({"task_packages": "[no_such_package]", "task": "Isaac-X"}, "no_such_package cannot be imported"),
        ({}, "No task is set"),
        ({**COUNTER, "state_keys": "[policy/steps]"}, "policy/steps"),
        ({**COUNTER, "state_keys": "[policy/step]", "cameras": "[front]"}, "front"),
    ],
)
def test_what_cannot_be_done_ends_with_1_and_the_reason_before_anything_is_built(settings, reason):
    done = kit(**settings)
    assert done.returncode == 1
    assert reason in done.stdout
    assert "Completed setting up the environment" not in done.stdout


def test_nothing_heavy_is_imported_while_the_app_starts():
    """What `on_startup` imports, Isaac Sim would import in the middle of its own start."""
    script = f"""
import sys
from host.kit_host import EXTENSION_FOLDERS, _load_kit_app
app = _load_kit_app()
folders = [part for folder in EXTENSION_FOLDERS for part in ("--ext-folder", str(folder))]
app.startup(["--empty", "--no-window", *folders, "--enable", "{RECORDER}", "--/app/python/logSysStdOutput=false"])
heavy = [name for name in ("numpy", "torch", "pyarrow", "pydantic", "isaaclab", "gymnasium") if name in sys.modules]
print("started", app.extension_manager.is_extension_enabled("{RECORDER}"), "heavy", heavy)
app.shutdown()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert "started True heavy []" in done.stdout, done.stdout + done.stderr
